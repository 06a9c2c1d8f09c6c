//! Tokens of service accounts for our audience, judged by the API server.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::Api;
use kube::api::PostParams;
use mesh_integration::kubernetes::{Cluster, Scenario, scenario};

const AUDIENCE: &str = "identity.mesh.dev";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario(
        "tokens::are_good_for_our_audience_only",
        are_good_for_our_audience_only,
    )]
}

async fn are_good_for_our_audience_only(cluster: Cluster) {
    let space = cluster.space("token").await;
    space.apply(include_str!("tokens/pod.yaml")).await;
    space.ready_pod("app").await;
    let cat = ["/mesh-test-pod", "cat", "/var/run/secrets/tokens/mesh"];
    let token = space.exec("app", "app", &cat).await.ok();

    let reviewed = review(&cluster, &token, AUDIENCE).await;
    assert_eq!(reviewed.authenticated, Some(true), "{reviewed:?}");
    assert_eq!(
        reviewed.audiences.as_deref(),
        Some(&[AUDIENCE.to_owned()][..])
    );
    let user = reviewed.user.unwrap();
    let account = format!("system:serviceaccount:{}:app", space.name());
    assert_eq!(user.username.as_deref(), Some(&*account));
    let extra = user.extra.unwrap();
    assert_eq!(extra["authentication.kubernetes.io/pod-name"], ["app"]);

    let elsewhere = review(&cluster, &token, "somebody.else").await;
    assert_ne!(elsewhere.authenticated, Some(true), "{elsewhere:?}");
    let forged = review(&cluster, &format!("{token}x"), AUDIENCE).await;
    assert_ne!(forged.authenticated, Some(true), "{forged:?}");
}

async fn review(cluster: &Cluster, token: &str, audience: &str) -> TokenReviewStatus {
    let review = TokenReview {
        spec: TokenReviewSpec {
            token: Some(token.to_owned()),
            audiences: Some(vec![audience.to_owned()]),
        },
        ..TokenReview::default()
    };
    let reviews = Api::<TokenReview>::all(cluster.client());
    let reviewed = reviews.create(&PostParams::default(), &review).await;
    reviewed.unwrap().status.unwrap()
}
