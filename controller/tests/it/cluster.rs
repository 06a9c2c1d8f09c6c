//! A controller whose objects are in a cluster: changes reach the streams,
//! whatever happens to the API server meanwhile.

use crate::{
    api_server::ApiServer,
    mesh::{self, Mesh, get},
    process::{http, ready_says},
};
use linkerd2_proxy_api::destination::{Update, update::Update as Kind};
use std::net::IpAddr;
use tonic::Streaming;

const SERVICE: &str = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {ports: [{port: 80}]}}";

fn slice(address: &str) -> String {
    format!(
        "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {{name: web-{address}, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}, ports: [{{port: 8080}}], endpoints: [{{addresses: [{address}]}}]}}"
    )
}

/// The endpoints of `web`, as a client that keeps them sees them.
struct Endpoints {
    stream: Streaming<Update>,
    present: Vec<IpAddr>,
}

impl Endpoints {
    async fn of(mesh: &Mesh) -> Self {
        let stream = mesh.destination().await.get(get("web.shop")).await;
        Self {
            stream: stream.expect("the service is there").into_inner(),
            present: Vec::new(),
        }
    }

    /// Reads on until these are the endpoints.
    async fn become_only(&mut self, addresses: &[&str]) {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        while self.present != addresses {
            match mesh::next(&mut self.stream)
                .await
                .update
                .expect("an update")
            {
                Kind::Add(set) => {
                    let added = set.addrs.into_iter().map(|each| ip(each.addr));
                    self.present.extend(added);
                }
                Kind::Remove(set) => {
                    let gone: Vec<_> = set.addrs.into_iter().map(|each| ip(Some(each))).collect();
                    self.present.retain(|each| !gone.contains(each));
                }
                Kind::NoEndpoints(_) => self.present.clear(),
            }
            self.present.sort();
        }
    }
}

fn ip(address: Option<linkerd2_proxy_api::net::TcpAddress>) -> IpAddr {
    let address = address.and_then(|address| address.ip).expect("an address");
    IpAddr::try_from(address).expect("a proper address")
}

#[tokio::test]
async fn changes_reach_the_streams_through_every_interruption() {
    let mut api = ApiServer::start().await;
    api.apply(SERVICE);
    api.apply(&slice("10.0.0.1"));
    let mesh = Mesh::of_cluster(&api).await;
    let mut endpoints = Endpoints::of(&mesh).await;
    endpoints.become_only(&["10.0.0.1"]).await;

    api.apply(&slice("10.0.0.2"));
    endpoints.become_only(&["10.0.0.1", "10.0.0.2"]).await;

    // The API server restarts; what happened meanwhile is in its history.
    api.stop().await;
    api.apply(&slice("10.0.0.3"));
    api.start_again().await;
    endpoints
        .become_only(&["10.0.0.1", "10.0.0.2", "10.0.0.3"])
        .await;

    // The same, but the history is gone: everything is listed again.
    api.stop().await;
    api.delete(&slice("10.0.0.1"));
    api.apply(&slice("10.0.0.4"));
    api.compact();
    api.start_again().await;
    endpoints
        .become_only(&["10.0.0.2", "10.0.0.3", "10.0.0.4"])
        .await;

    // The history goes while watches are open.
    api.compact();
    api.delete(&slice("10.0.0.2"));
    endpoints.become_only(&["10.0.0.3", "10.0.0.4"]).await;
    mesh.stop().await;
}

#[tokio::test]
async fn an_api_server_may_come_later_and_go_again() {
    let mut api = ApiServer::start().await;
    api.apply(SERVICE);
    api.apply(&slice("10.0.0.1"));
    api.stop().await;
    let mesh = Mesh::of_cluster(&api).await;
    let admin = mesh.admin_addr();
    ready_says(&mesh, "503", &["not read: Pod since", "Connection refused"]).await;

    api.start_again().await;
    let mut endpoints = Endpoints::of(&mesh).await;
    endpoints.become_only(&["10.0.0.1"]).await;
    assert!(http(admin, "/ready").await.starts_with("HTTP/1.1 200"));

    // Without an API server the controller goes on with what it knows, and says so.
    api.stop().await;
    ready_says(&mesh, "200", &["stale: Pod since", "stale: Service since"]).await;
    Endpoints::of(&mesh).await.become_only(&["10.0.0.1"]).await;
    mesh.stop().await;
}
