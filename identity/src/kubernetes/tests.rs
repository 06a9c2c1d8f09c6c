//! What is said when there is no way to the API server, or a closed one.

use super::*;

fn access(text: &str) -> (tempfile::TempDir, Access) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    std::fs::write(&file, text).unwrap();
    let access = Access {
        kubeconfig: Some(file),
        context: None,
    };
    (dir, access)
}

const GOOD: &str = "{apiVersion: v1, kind: Config, current-context: a, \
    contexts: [{name: a, context: {cluster: c, user: u}}], \
    clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], \
    users: [{name: u, user: {token: t}}]}";

async fn refusal(access: &Access) -> String {
    access
        .client()
        .await
        .err()
        .expect("it must not be taken")
        .to_string()
}

#[tokio::test]
async fn bad_kubeconfigs_are_named() {
    let missing = Access {
        kubeconfig: Some("/no/such/kubeconfig".into()),
        context: None,
    };
    let error = refusal(&missing).await;
    assert!(
        error.contains("/no/such/kubeconfig") && error.contains("No such file"),
        "{error}"
    );
    let (_dir, garbage) = access("clusters: 7");
    assert!(refusal(&garbage).await.contains("can't use the kubeconfig"));
    let (_dir, mut other) = access(GOOD);
    other.context = Some("elsewhere".to_owned());
    assert!(refusal(&other).await.contains("elsewhere"));
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let (_dir, access) = access(GOOD);
    let client = access.client().await.unwrap();
    let error = client.apiserver_version().await.unwrap_err();
    let text = explain(&error, "get", "nothing");
    assert!(
        text.starts_with("can't reach the API server: ") && text.contains("refused"),
        "{text}"
    );
}

#[test]
fn a_forbidden_verb_says_what_to_allow() {
    let status = kube::core::Status::failure(
        "pods is forbidden: User \"system:serviceaccount:mesh:mesh-destination\" cannot list resource \"pods\"",
        "Forbidden",
    );
    let error = kube::Error::Api(status.clone().with_code(403).boxed());
    let text = explain(&error, "list, watch", "pods");
    assert!(
        text.contains("mesh-destination") && text.contains("verbs list, watch on pods"),
        "{text}"
    );
    let text = explain_status(&status.with_code(401), "list", "pods");
    assert!(text.contains("check the service account's token"), "{text}");
}

#[test]
fn garbage_is_called_garbage() {
    let error = serde_json::from_str::<u8>("<html>").unwrap_err();
    let text = explain(&kube::Error::SerdeError(error), "list", "pods");
    assert!(text.contains("makes no sense"), "{text}");
}
