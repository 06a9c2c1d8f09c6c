//! Pods with a proxy: what an application sees, and what the wire does.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use mesh_integration::kubernetes::{Cluster, Mesh, PROXY, Scenario, Space, scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario("meshed::an_annotation_encrypts", an_annotation_encrypts),
        scenario(
            "meshed::probes_reach_the_application",
            probes_reach_the_application,
        ),
        scenario("meshed::a_job_completes", a_job_completes),
        scenario(
            "meshed::a_service_marks_a_port_opaque",
            a_service_marks_a_port_opaque,
        ),
        scenario(
            "meshed::names_of_pods_and_aliases",
            names_of_pods_and_aliases,
        ),
    ]
}

/// The namespace of `shop.yaml`, all of it in the mesh.
pub(crate) async fn shop(mesh: &Mesh, name: &str) -> Space {
    let space = mesh.space(name).await;
    shop_in(&space).await;
    space
}

/// The same in a namespace that is there.
pub(crate) async fn shop_in(space: &Space) {
    space.apply(include_str!("meshed/shop.yaml")).await;
    space.rolled_out("web").await;
    space.rolled_out("client").await;
}

/// Name of the client's pod, or of another Deployment's.
pub(crate) async fn pod_of(space: &Space, app: &str) -> String {
    let pods = space.pods(&format!("app={app}")).await;
    pods.into_iter().next().expect("it is rolled out")
}

/// What a server answers the client.
pub(crate) async fn get(space: &Space, url: &str) -> String {
    let client = pod_of(space, "client").await;
    let get = ["/mesh-test-pod", "get", url];
    space.exec(&client, "client", &get).await.ok()
}

/// The identity of a service account of the space.
pub(crate) fn identity(space: &Space, account: &str) -> String {
    format!(
        "{account}.{}.serviceaccount.identity.mesh.cluster.local",
        space.name()
    )
}

/// Label of a server.
fn server(identity: &str) -> String {
    format!("server_id=\"{identity}\"")
}

/// Requests that the client's proxy has sent.
async fn outbound(mesh: &Mesh, space: &Space, labels: &[&str]) -> u64 {
    let client = pod_of(space, "client").await;
    let labels = [labels, &["direction=\"outbound\""]].concat();
    mesh.metric((space, &client, "client"), "request_total", &labels)
        .await
}

/// Pods that run already are annotated and rolled, as docs/getting-started.md says.
async fn an_annotation_encrypts(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = cluster.space("wire").await;
    shop_in(&space).await;
    let web = identity(&space, "web");
    let (before, after) = ("plain-as-day-before", "plain-as-day-after");
    let capture = cluster.capture(&[before, after, &web]);
    for _ in 0..10 {
        get(&space, &format!("http://web/{before}")).await;
    }
    mesh.annotate(&space, &[]).await;
    space
        .sh("kubectl rollout restart deployment --namespace $SPACE")
        .await
        .ok();
    space.rolled_out("web").await;
    space.rolled_out("client").await;
    for _ in 0..10 {
        get(&space, &format!("http://web/{after}")).await;
    }

    let headers = get(&space, "http://web/headers").await;
    let client = identity(&space, "client");
    assert!(
        headers.contains(&format!("\"l5d-client-id\": \"{client}\"")),
        "{headers}"
    );
    assert_eq!(
        outbound(&mesh, &space, &["tls=\"true\"", &server(&web)]).await,
        11
    );
    assert_eq!(outbound(&mesh, &space, &[]).await, 11);
    if let Some(capture) = capture {
        assert!(
            capture.packets_with(before) >= 10,
            "the capture sees what goes from pod to pod"
        );
        assert!(
            capture.packets_with(&web) > 0,
            "it sees whom TLS is opened to"
        );
        assert_eq!(capture.packets_with(after), 0);
    }
}

/// kubelet's probes come from outside of the mesh, and pods become ready by them; the proxy was there first, and nothing was restarted.
async fn probes_reach_the_application(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "probes").await;
    for name in space.pods("app=web").await {
        let pod = space.api::<Pod>().get(&name).await.unwrap();
        let spec = pod.spec.unwrap();
        let init = spec.init_containers.unwrap();
        let proxy = init.iter().find(|each| each.name == PROXY).unwrap();
        assert_eq!(proxy.restart_policy.as_deref(), Some("Always"));
        let status = pod.status.unwrap();
        let init = status.init_container_statuses.unwrap();
        for container in init.iter().chain(&status.container_statuses.unwrap()) {
            assert_eq!(container.restart_count, 0, "{container:?}");
            assert!(container.ready, "{container:?}");
        }
        let labels = ["direction=\"inbound\"", "tls=\"no_identity\""];
        let probes = mesh
            .metric((&space, &name, "web"), "request_total", &labels)
            .await;
        assert!(probes > 0, "they pass the proxy");
    }
}

/// The proxy ends after the application has, and with success.
async fn a_job_completes(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "job").await;
    space.apply(include_str!("meshed/job.yaml")).await;
    let jobs = space.api::<Job>();
    space
        .until("the job to complete", async || {
            let status = jobs.get("once").await.unwrap().status?;
            assert_eq!(status.failed.unwrap_or(0), 0, "{status:?}");
            (status.succeeded == Some(1)).then_some(())
        })
        .await;
    let pods = space.pods("batch.kubernetes.io/job-name=once").await;
    let said = space.logs(&pods[0], "once").await;
    assert!(said.contains(&identity(&space, "client")), "{said}");
}

/// Declared once, at the Service: the client's proxy doesn't wait for a client that waits for the server, and still encrypts.
async fn a_service_marks_a_port_opaque(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "opaque").await;
    space.apply(include_str!("meshed/greeter.yaml")).await;
    space.rolled_out("greeter").await;
    let greeter = pod_of(&space, "greeter").await;
    let client = pod_of(&space, "client").await;
    let hear = ["/mesh-test-pod", "hear", "greeter:7000"];
    let said = space.exec(&client, "client", &hear).await.ok();
    assert_eq!(said.trim(), greeter);
    let client = format!("client_id=\"{}\"", identity(&space, "client"));
    let labels = ["target_port=\"7000\"", &*client];
    let name = "inbound_tcp_transport_header_connections_total";
    let opaque = mesh
        .metric((&space, &greeter, "greeter"), name, &labels)
        .await;
    assert_eq!(opaque, 1);
}

/// A pod of a StatefulSet by its own name, one of a headless Service, and a Service by an ExternalName.
async fn names_of_pods_and_aliases(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "names").await;
    space.apply(include_str!("meshed/stateful.yaml")).await;
    for pod in ["db-0", "db-1"] {
        space.ready_pod(pod).await;
        let url = format!("http://{pod}.db:8080/hello");
        // CoreDNS hears of a ready pod a moment later.
        let client = pod_of(&space, "client").await;
        let get = ["/mesh-test-pod", "get", &*url];
        let said = space
            .until("an answer by the pod's name", async || {
                let said = space.exec(&client, "client", &get).await;
                said.success.then_some(said.stdout)
            })
            .await;
        assert_eq!(said, format!("{pod} /hello\n"));
    }
    let headers = get(&space, "http://db:8080/headers").await;
    assert!(headers.contains(&identity(&space, "client")), "{headers}");
    let alias = get(&space, "http://alias/headers").await;
    assert!(alias.contains(&identity(&space, "client")), "{alias}");

    let db = server(&identity(&space, "default"));
    assert_eq!(outbound(&mesh, &space, &[&db]).await, 3);
    assert_eq!(outbound(&mesh, &space, &["tls=\"no_identity\""]).await, 0);
}
