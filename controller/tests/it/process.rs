//! How a controller starts, shows its state and stops.

use crate::mesh::{self, Mesh, get, soon};
use mesh_controller::{Config, Controller, Error, install_metrics};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const SERVICE: &str = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {ports: [{port: 80}]}}";

fn config(source: &str) -> Config {
    let mut config = Config::new(source);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    (
        config.destination_addr,
        config.policy_addr,
        config.admin_addr,
    ) = (any, any, any);
    config
}

async fn refusal(config: Config) -> String {
    Controller::bind(config)
        .await
        .expect_err("it must not start")
        .to_string()
}

#[tokio::test]
async fn what_keeps_it_from_starting() {
    let error = refusal(config("/no/such/directory")).await;
    assert!(
        error.starts_with("can't read the manifests directory /no/such/directory: "),
        "{error}"
    );

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut busy = config(".");
    busy.policy_addr = taken.local_addr().unwrap();
    let error = refusal(busy).await;
    assert!(
        error.starts_with(&format!(
            "can't listen on {} for policy: ",
            taken.local_addr().unwrap()
        )),
        "{error}"
    );

    let mut open = config(".");
    open.destination_addr = SocketAddr::from(([0, 0, 0, 0], 0));
    let result = Controller::bind(open).await;
    assert!(matches!(
        result,
        Err(Error::NeedsIdentity {
            what: "destination",
            ..
        })
    ));
}

pub(crate) async fn http(addr: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// Asks until `/ready` has this status and these parts.
pub(crate) async fn ready_says(mesh: &Mesh, status: &str, parts: &[&str]) {
    let mut answer = String::new();
    let asked = until(async || {
        answer = http(mesh.admin_addr(), "/ready").await;
        let has_status = answer.starts_with(&format!("HTTP/1.1 {status}"));
        has_status && parts.iter().all(|part| answer.contains(part))
    });
    let said = tokio::time::timeout(Duration::from_secs(45), asked).await;
    assert!(said.is_ok(), "not {status} with {parts:?} but {answer}");
}

/// Looks until it is so.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    soon(looking).await;
}

#[tokio::test]
async fn admin_shows_liveness_readiness_and_metrics() {
    let mesh = Mesh::configured(SERVICE, |config| config.metrics = install_metrics()).await;
    let _stream = mesh.destination().await.get(get("web.shop")).await.unwrap();
    for path in ["/live", "/ready"] {
        let answer = http(mesh.admin_addr(), path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let metrics = http(mesh.admin_addr(), "/metrics").await;
    for line in [
        "mesh_controller_streams{rpc=\"Destination.Get\"}",
        "mesh_controller_requests_total{rpc=\"Destination.Get\",code=\"Ok\"}",
        "mesh_controller_objects{kind=\"Service\"}",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert!(
        http(mesh.admin_addr(), "/else")
            .await
            .starts_with("HTTP/1.1 404")
    );
    mesh.stop().await;
}

#[tokio::test]
async fn streams_end_well_at_shutdown() {
    let mesh = Mesh::start(SERVICE).await;
    let stream = mesh.destination().await.get(get("web.shop")).await;
    let mut stream = stream.unwrap().into_inner();
    mesh::next(&mut stream).await;
    mesh.stop().await;
    assert!(
        soon(stream.message())
            .await
            .expect("ends with OK")
            .is_none()
    );
}
