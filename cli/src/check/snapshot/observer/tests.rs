use super::*;
use crate::cluster::testing::cluster;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;

fn scope() -> Scope {
    Scope {
        mesh: "mesh".to_owned(),
        namespace: None,
        version: "0.1.0".to_owned(),
    }
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.2", "gitCommit": "", "gitTreeState": "",
        "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
    })
}

fn status(code: u16, message: &str) -> (u16, Value) {
    let reason = if code == 403 { "Forbidden" } else { "NotFound" };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "reason": reason, "message": message, "code": code,
    });
    (code, status)
}

/// What a cluster with nothing in it answers.
fn empty(request: &str) -> (u16, Value) {
    let path = request.split([' ', '?']).nth(1).unwrap();
    let one = ["/mesh-config", "/mesh-identity-issuer", "/mesh-injector"];
    match path {
        "/version" => (200, version()),
        path if one.iter().any(|name| path.ends_with(name)) => status(404, "not found"),
        path if path.ends_with("selfsubjectaccessreviews") => {
            (201, json!({"spec": {}, "status": {"allowed": true}}))
        }
        _ => (200, json!({"metadata": {}, "items": []})),
    }
}

async fn look(
    plan: Plan,
    answer: impl Fn(&str) -> (u16, Value) + Clone + Send + Sync + 'static,
) -> (Snapshot, Vec<String>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let noting = move |request: &str| {
        noted.lock().push(request.to_owned());
        answer(request)
    };
    let mut observer = Observer {
        cluster: Ok(cluster(noting)),
        plan,
        scope: scope(),
    };
    let snapshot = observer.look().await;
    let asked = asked.lock().clone();
    (snapshot, asked)
}

#[tokio::test]
async fn each_kind_is_read_once() {
    let (snapshot, asked) = look(Plan::Proxies, empty).await;
    assert_eq!(snapshot.unread(), []);
    assert_eq!(snapshot.version.as_deref(), Ok("v1.33.2"));
    let mut distinct = asked.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), asked.len(), "{asked:?}");
    let ours = "GET /apis/rbac.authorization.k8s.io/v1/clusterroles?&labelSelector=mesh.dev%2Fcontrol-plane-ns%3Dmesh";
    assert!(asked.iter().any(|request| request == ours), "{asked:#?}");
    assert!(
        asked
            .iter()
            .any(|request| request.starts_with("GET /apis/apps/v1/replicasets"))
    );
}

#[tokio::test]
async fn without_proxies_less_is_read() {
    let (_, asked) = look(Plan::ControlPlane, empty).await;
    let own = "GET /apis/apps/v1/namespaces/mesh/replicasets";
    assert!(
        asked.iter().any(|request| request.starts_with(own)),
        "{asked:#?}"
    );
    assert!(
        !asked
            .iter()
            .any(|request| request.contains("accessreviews"))
    );
}

#[tokio::test]
async fn before_an_install_rights_are_asked_for() {
    let (snapshot, asked) = look(Plan::Pre, empty).await;
    let rights = snapshot.rights.unwrap();
    assert!(
        rights.iter().all(|right| right.allowed) && rights.len() == 10,
        "{rights:?}"
    );
    assert!(
        !asked.iter().any(|request| request.contains("/pods")),
        "{asked:#?}"
    );
    assert!(
        asked
            .iter()
            .any(|request| request.contains("/kube-node-lease/leases"))
    );
}

#[tokio::test]
async fn what_is_refused_is_kept_with_the_verb_that_is_missing() {
    let (snapshot, _) = look(Plan::ControlPlane, |request| match request {
        request if request.contains("/pods") => status(403, "pods is forbidden"),
        request if request.contains("/secrets") => status(403, "secrets is forbidden"),
        request => empty(request),
    })
    .await;
    let unread = snapshot.unread();
    let kinds: Vec<_> = unread.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["pods", "secrets"]);
    assert!(unread[0].1.contains("the verbs list on pods"), "{unread:?}");
    assert!(
        unread[1].1.contains("the verbs get on secrets"),
        "{unread:?}"
    );
    assert!(snapshot.objects.services.is_ok());
}

#[tokio::test]
async fn an_api_server_that_does_not_answer_is_asked_once() {
    let (snapshot, asked) = look(Plan::Proxies, |_| status(403, "go away")).await;
    assert_eq!(asked, ["GET /version"]);
    let Err(Unread::Failed { why, .. }) = snapshot.version else {
        panic!("it was refused");
    };
    assert!(
        why.contains("the API server is https://cluster.test:6443"),
        "{why}"
    );
}
