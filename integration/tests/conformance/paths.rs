//! The ways a request can take: one proxy, the other, both.

use mesh_integration::{Application, Endpoint, Mesh, Pod, WEB, wait::eventually};
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// An application behind proxies.
pub(crate) struct Paths {
    server: Pod,
    meshed: Pod,
    unmeshed: Pod,
    _mesh: Mesh,
}

impl Paths {
    /// Starts `app` and the proxies; done when the application listens.
    pub(crate) async fn start(app: Application) -> Self {
        let mesh = Mesh::start().await;
        let server = mesh.pod("web").app(app).intercepting().start().await;
        let meshed = client(&mesh, "10.43.0.7:80", WEB, server.intercepted_endpoint()).await;
        let plain = Endpoint::plain(server.app_addr());
        let name = "plain.shop.svc.cluster.local:80";
        let unmeshed = client(&mesh, "10.43.0.8:80", name, plain).await;
        eventually("the application to listen", async || {
            TcpStream::connect(server.app_addr()).await.ok()
        })
        .await;
        Self {
            server,
            meshed,
            unmeshed,
            _mesh: mesh,
        }
    }

    /// Each with the address that a client connects to.
    pub(crate) fn all(&self) -> [(&'static str, SocketAddr); 3] {
        [
            ("inbound alone", self.server.inbound_addr()),
            ("outbound alone", self.unmeshed.outbound_addr()),
            ("both", self.meshed.outbound_addr()),
        ]
    }
}

/// A pod whose connections all go to one service, as if that was their address.
async fn client(mesh: &Mesh, cluster_ip: &str, name: &str, endpoint: Endpoint) -> Pod {
    let cluster_ip = cluster_ip.parse().unwrap();
    let pod = mesh.pod("client").redirecting(cluster_ip).start().await;
    let service = mesh.service(name);
    service.endpoints([endpoint]);
    mesh.control.address(cluster_ip, &service);
    pod
}
