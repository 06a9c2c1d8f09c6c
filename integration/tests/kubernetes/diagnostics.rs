//! What the diagnostic commands say of a mesh that runs, as somebody types them.

use k8s_openapi::api::core::v1::Pod;
use mesh_integration::kubernetes::{Cluster, Scenario, Space, scenario};
use serde_json::Value;

use crate::meshed::{identity, pod_of, shop};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario(
            "diagnostics::endpoints_are_the_pods",
            endpoints_are_the_pods,
        ),
        scenario(
            "diagnostics::policies_and_profiles_are_told",
            policies_and_profiles_are_told,
        ),
        scenario("diagnostics::every_pod_has_metrics", every_pod_has_metrics),
        scenario(
            "diagnostics::certificates_are_shown_and_judged",
            certificates_are_shown_and_judged,
        ),
        scenario("diagnostics::versions_are_counted", versions_are_counted),
        scenario(
            "diagnostics::who_may_not_is_told_what_to_allow",
            who_may_not_is_told_what_to_allow,
        ),
    ]
}

/// What a command prints as JSON.
async fn json(space: &Space, line: &str) -> Value {
    serde_json::from_str(&space.sh(line).await.ok()).unwrap()
}

/// What a command says that fails.
async fn refusal(space: &Space, line: &str) -> String {
    let output = space.sh(line).await;
    assert!(!output.success, "{output}");
    output.stderr
}

async fn ip_of(space: &Space, pod: &str) -> String {
    let pod = space.api::<Pod>().get(pod).await.unwrap();
    pod.status.unwrap().pod_ip.unwrap()
}

/// The texts of a field of each object of a list, in order.
fn texts(list: &Value, field: &str) -> Vec<String> {
    let objects = list.as_array().unwrap().iter();
    let mut texts: Vec<_> = objects
        .map(|object| object[field].as_str().unwrap_or_default().to_owned())
        .collect();
    texts.sort();
    texts
}

/// Each replica of the controller tells the same.
async fn endpoints_are_the_pods(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "endpoints").await;
    let mut pods = space.pods("app=web").await;
    pods.sort();
    let controllers = mesh.control_plane();
    let label = "mesh.dev/control-plane-component=destination";
    for controller in controllers.pods(label).await {
        let ask = format!(
            "mesh diagnostics endpoints web.$SPACE:80 -o json --destination-pod {controller}"
        );
        let found = json(&space, &ask).await;
        assert_eq!(texts(&found, "pod"), pods);
        assert_eq!(texts(&found, "identity"), vec![identity(&space, "web"); 3]);
        assert_eq!(found[0]["port"], 8080);
        assert_eq!(found[0]["proxyPort"], 4143);
    }
    let table = space.sh("mesh diagnostics endpoints web.$SPACE").await.ok();
    assert_eq!(table.lines().count(), 4, "{table}");
    let error = refusal(&space, "mesh diagnostics endpoints none.$SPACE").await;
    assert!(error.contains("/none not found"), "{error}");
}

async fn policies_and_profiles_are_told(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "policies").await;
    let clients = space
        .sh("mesh diagnostics policy -n $SPACE svc/web 80")
        .await
        .ok();
    let path = format!("to        endpoints of web.{}.svc", space.name());
    assert!(
        clients.contains("balancing   peak-ewma") && clients.contains(&path),
        "{clients}"
    );
    let lets_in = json(
        &space,
        "mesh diagnostics policy -n $SPACE deploy/web 8080 -o json",
    )
    .await;
    assert_eq!(lets_in["policy"], "all-unauthenticated");
    assert_eq!(texts(&lets_in["routes"], "name").last().unwrap(), "probe");

    let pod = pod_of(&space, "web").await;
    let ip = ip_of(&space, &pod).await;
    let profile = space
        .sh(&format!("mesh diagnostics profile {ip}:8080"))
        .await
        .ok();
    assert!(
        profile.starts_with(&format!("{ip}:8080 is a pod\n  pod         {pod}\n")),
        "{profile}"
    );
    let profile = json(&space, "mesh diagnostics profile web.$SPACE:80 -o json").await;
    assert_eq!(
        profile["service"],
        format!("web.{}.svc.cluster.local", space.name())
    );
}

async fn every_pod_has_metrics(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "metrics").await;
    let metrics = space
        .sh("mesh diagnostics proxy-metrics -n $SPACE deploy/web")
        .await
        .ok();
    for pod in space.pods("app=web").await {
        assert!(metrics.contains(&format!("# POD {}/{pod} (", space.name())));
    }
    assert_eq!(metrics.matches("\nprocess_threads ").count(), 3);
    let metrics = space.sh("mesh diagnostics controller-metrics").await.ok();
    for component in ["identity", "destination", "injector"] {
        let pod = format!("# POD mesh/mesh-{component}-");
        assert!(metrics.contains(&pod), "{component}: {metrics}");
    }
    assert!(!metrics.contains("# no metrics"), "{metrics}");
}

async fn certificates_are_shown_and_judged(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "certificates").await;
    let shown = space
        .sh("mesh identity show -n $SPACE deploy/web")
        .await
        .ok();
    let web = identity(&space, "web");
    let spiffe = format!("spiffe://cluster.local/ns/{}/sa/web", space.name());
    assert_eq!(shown.matches("  verified  yes").count(), 3, "{shown}");
    let names = format!("  names     {web}, {spiffe}\n");
    assert_eq!(shown.matches(&names).count(), 3, "{shown}");
    assert_eq!(shown.matches("  serial    ").count(), 3, "{shown}");

    // By roots of somebody else it is refused, and shown all the same.
    let lines = "dir=$(mktemp -d); trap 'rm -r $dir' EXIT; mesh identity ca --dir $dir > $dir/log; \
        mesh identity show -n $SPACE -l app=web --trust-anchors $dir/ca.crt";
    let output = space.sh(lines).await;
    assert!(!output.success, "{output}");
    assert_eq!(output.stdout.matches("  verified  no: ").count(), 3);
    assert_eq!(output.stdout.matches(&names).count(), 3);
    assert!(output.stderr.contains("3 of 3 did not prove"), "{output}");

    let lines = "mesh identity show -n mesh -l mesh.dev/control-plane-component=identity";
    let output = space.sh(lines).await;
    assert!(
        !output.success && output.stdout.contains("it has no proxy of the mesh"),
        "{output}"
    );
}

async fn versions_are_counted(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "versions").await;
    let versions = json(&space, "mesh version --proxy -n $SPACE -o json").await;
    let components = &versions["controlPlane"]["components"];
    assert_eq!(
        texts(components, "name"),
        ["mesh-destination", "mesh-identity", "mesh-injector"]
    );
    let proxies = &versions["proxies"];
    assert_eq!(texts(proxies, "version"), texts(components, "version")[..1]);
    assert_eq!(proxies[0]["pods"], 4);
    let short = space.sh("mesh version --short --client").await.ok();
    assert_eq!(short.trim(), versions["client"].as_str().unwrap());
}

async fn who_may_not_is_told_what_to_allow(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = mesh.space("stranger").await;
    let error = refusal(&space, "mesh diagnostics endpoints web --as nobody").await;
    assert!(
        error.contains("\"nobody\"") && error.contains("allows the verbs list on pods"),
        "{error}"
    );
}
