//! What is said when there is no way to a cluster, and as whom it is asked.

use serde_json::json;
use tokio::net::TcpListener;

use super::*;

/// Flags that lead to `server`, through a kubeconfig whose user has these fields too.
fn leading_to(server: &str, user: &str) -> (tempfile::TempDir, ClusterArgs) {
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: a, \
        contexts: [{{name: a, context: {{cluster: c, user: u, namespace: shop}}}}], \
        clusters: [{{name: c, cluster: {{server: '{server}'}}}}], \
        users: [{{name: u, user: {{token: t{user}}}}}]}}"
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    std::fs::write(&file, text).unwrap();
    let args = ClusterArgs {
        kubeconfig: Some(file),
        mesh_namespace: "mesh".to_owned(),
        ..ClusterArgs::default()
    };
    (dir, args)
}

async fn refusal(args: &ClusterArgs) -> String {
    let connected = args.connect().await;
    connected.err().expect("nobody is there").to_string()
}

#[tokio::test]
async fn a_refused_connection_names_the_address() {
    let (_dir, args) = leading_to("http://127.0.0.1:1", "");
    let error = refusal(&args).await;
    assert!(
        error.contains("refused") && error.ends_with("(the API server is http://127.0.0.1:1)"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (_dir, args) = leading_to(&address, "");
    let start = tokio::time::Instant::now();
    let error = refusal(&args).await;
    assert!(
        error.contains("can't reach the API server") && error.contains(&address),
        "{error}"
    );
    assert!(start.elapsed() <= PATIENCE + Duration::from_secs(1));
}

#[tokio::test]
async fn the_context_says_the_namespace() {
    let (_dir, args) = leading_to("http://127.0.0.1:1", "");
    let cluster = args.open().await.unwrap();
    assert_eq!(cluster.default_namespace, "shop");
    assert_eq!(cluster.namespace, "mesh");
}

async fn headers(args: &ClusterArgs) -> Vec<String> {
    let access = Access {
        kubeconfig: args.kubeconfig.clone(),
        context: None,
    };
    let headers = args.impersonation(&access.config().await.unwrap()).unwrap();
    let text = |(name, value): &Header| format!("{name}: {}", value.to_str().unwrap());
    headers.iter().map(text).collect()
}

#[tokio::test]
async fn flags_say_as_whom_before_the_kubeconfig() {
    let (_dir, mut args) = leading_to(
        "http://127.0.0.1:1",
        ", as: ops@example.com, as-groups: [ops]",
    );
    assert_eq!(
        headers(&args).await,
        [
            "impersonate-user: ops@example.com",
            "impersonate-group: ops"
        ]
    );
    args.act_as = Some("dev@example.com".to_owned());
    args.groups = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(
        headers(&args).await,
        [
            "impersonate-user: dev@example.com",
            "impersonate-group: a",
            "impersonate-group: b"
        ]
    );
    args.act_as = Some("a\nb".to_owned());
    let error = args.open().await.err().unwrap().to_string();
    assert!(error.contains("no HTTP header"), "{error}");
}

fn pod(name: &str, phase: &str, ready: &str) -> serde_json::Value {
    json!({
        "metadata": {"name": name, "namespace": "mesh", "labels": {"mesh.dev/control-plane-component": "destination"}},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}
    })
}

fn with_pods(items: Vec<serde_json::Value>) -> Cluster {
    testing::cluster(move |request| {
        assert!(
            request.starts_with("GET /api/v1/namespaces/mesh/pods?")
                && request.contains("control-plane-component%3Ddestination"),
            "{request}"
        );
        (
            200,
            json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}),
        )
    })
}

#[tokio::test]
async fn a_ready_pod_is_found() {
    let cluster = with_pods(vec![
        pod("mesh-destination-a", "Running", "False"),
        pod("mesh-destination-b", "Running", "True"),
    ]);
    let found = cluster.ready_pod("destination").await.unwrap();
    assert_eq!(found.to_string(), "mesh/mesh-destination-b");
}

#[tokio::test]
async fn where_no_pod_is_ready_it_says_what_there_is() {
    let none = with_pods(Vec::new()).ready_pod("destination").await;
    assert_eq!(
        none.unwrap_err().to_string(),
        "no pod of mesh-destination in namespace mesh is ready: there is none; `mesh check` tells why, and --mesh-namespace names another namespace"
    );
    let waiting = with_pods(vec![
        pod("a", "Pending", "False"),
        pod("b", "Running", "False"),
    ]);
    let error = waiting.ready_pod("destination").await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is ready: a is pending, b is running, but not ready;"),
        "{error}"
    );
}

#[tokio::test]
async fn a_forbidden_list_says_which_role_it_needs() {
    let cluster = testing::cluster(|_| {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
            "reason": "Forbidden", "message": "pods is forbidden: User \"dev\" cannot list"});
        (403, status)
    });
    let error = cluster.pods(Some("shop"), "app=web").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "pods is forbidden: User \"dev\" cannot list; bind a role to that user that allows the verbs list on pods (the API server is https://cluster.test:6443)"
    );
}
