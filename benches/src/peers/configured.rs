//! Proxies that a file tells everything: one for each protocol on each side, and where the server is.

use std::net::IpAddr;

use mesh_integration::pods::{Pod, Program};
use tokio::time::Instant;

use super::{Certificates, How, PROXY_UID, Pair, Peer, Place, app, prepare, proxy_program};

/// Interception as our `mesh-proxy init` does it, with a proxy port for each application port.
const CLIENT_RULES: &str = "table inet bench {
    chain output {
        type nat hook output priority -100
        meta skuid @UID@ return
        tcp dport 8080 redirect to :4140
        tcp dport 8081 redirect to :4141
        tcp dport 8082 redirect to :4142
    }
}
";
const SERVER_RULES: &str = "table inet bench {
    chain prerouting {
        type nat hook prerouting priority -100
        tcp dport 8080 redirect to :4143
        tcp dport 8081 redirect to :4144
        tcp dport 8082 redirect to :4145
    }
}
";

pub(super) fn start(peer: Peer, place: &Place<'_>, how: How<'_>) -> Pair {
    let (cluster, name) = (place.cluster, format!("{peer}{}", how.tag));
    let [nginx, bench] = app::programs();
    let server = cluster.pod(&format!("{name}-server"));
    let server = server.run(nginx).run(bench).start();
    let client = cluster.pod(&format!("{name}-client")).start();
    prepare(&server);
    prepare(&client);
    let mut pair = Pair {
        target: server.ips()[0],
        host: "web".to_owned(),
        proxies: Vec::new(),
        start_up: None,
        client,
        server,
    };
    if peer != Peer::None {
        add_proxies(&mut pair, peer, place.certificates, how);
    }
    pair
}

fn add_proxies(pair: &mut Pair, peer: Peer, certificates: &Certificates, how: How<'_>) {
    let start = |pod: &Pod, side: Side| {
        let program = program(peer, side, pair.target, certificates, how);
        let ports = side.ports().into_iter();
        pod.start(&ports.fold(program, Program::port))
    };
    let server = start(&pair.server, Side::Server);
    let started = Instant::now();
    let client = start(&pair.client, Side::Client);
    pair.start_up = Some(started.elapsed());
    pair.proxies = vec![client, server];
    let rules = |rules: &str| rules.replace("@UID@", &PROXY_UID.to_string());
    pair.client.netns().nft(&rules(CLIENT_RULES));
    pair.server.netns().nft(&rules(SERVER_RULES));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Side {
    fn ports(self) -> [u16; 3] {
        match self {
            Self::Client => [4140, 4141, 4142],
            Self::Server => [4143, 4144, 4145],
        }
    }
}

fn program(
    peer: Peer,
    side: Side,
    server: IpAddr,
    certificates: &Certificates,
    how: How<'_>,
) -> Program {
    let certificates = certificates.dir().display().to_string();
    let (script, file, text) = match (peer, side) {
        (Peer::Haproxy, Side::Client) => (
            "haproxy -db -f haproxy.cfg",
            "haproxy.cfg",
            include_str!("../../peers/haproxy/client.cfg"),
        ),
        (Peer::Haproxy, Side::Server) => (
            "haproxy -db -f haproxy.cfg",
            "haproxy.cfg",
            include_str!("../../peers/haproxy/server.cfg"),
        ),
        (Peer::Nginx, Side::Client) => (
            NGINX,
            "nginx.conf",
            include_str!("../../peers/nginx/client.conf"),
        ),
        (Peer::Nginx, Side::Server) => (
            NGINX,
            "nginx.conf",
            include_str!("../../peers/nginx/server.conf"),
        ),
        (Peer::Envoy, Side::Client) => (
            ENVOY,
            "envoy.yaml",
            include_str!("../../peers/envoy/client.yaml"),
        ),
        (Peer::Envoy, Side::Server) => (
            ENVOY,
            "envoy.yaml",
            include_str!("../../peers/envoy/server.yaml"),
        ),
        (_, Side::Client) => ("floor client @SERVER@ @CERTS@", "floor.txt", ""),
        (_, Side::Server) => ("floor server 127.0.0.1 @CERTS@", "floor.txt", ""),
    };
    let fill = |text: &str| {
        text.replace("@SERVER@", &server.to_string())
            .replace("@CERTS@", &certificates)
    };
    let script = format!("exec {} {}", how.under, fill(script));
    proxy_program(&script).file(file, &fill(text))
}

const NGINX: &str = "nginx -p $PWD -c nginx.conf -e stderr -g 'daemon off;'";
const ENVOY: &str = "envoy -c envoy.yaml --concurrency 1 --disable-hot-restart --log-level error";
