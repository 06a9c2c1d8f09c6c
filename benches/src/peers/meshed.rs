//! Proxies that a control plane tells everything: ours, and linkerd2-proxy under the same controller.

use mesh_integration::pods::{PodBuilder, ProxyProgram};
use tokio::time::Instant;

use super::{How, Pair, Peer, Place, app, prepare};

const OPAQUE: (&str, &str) = ("opaque-ports", "8082");

pub(super) fn start(peer: Peer, place: &Place<'_>, how: How<'_>) -> Pair {
    let (cluster, name) = (place.cluster, format!("{peer}{}", how.tag));
    let [nginx, bench] = app::programs();
    let server = meshed(cluster.pod(&format!("{name}-server")), peer, how);
    let server = server.run(nginx).run(bench).start();
    let service = format!("{name}-web");
    let ips = cluster
        .service(&service)
        .port(8080, 8080)
        .port(8081, 8081)
        .port(8082, 8082)
        .config(OPAQUE.0, OPAQUE.1)
        .of(&[&server])
        .create();
    let client = meshed(cluster.pod(&format!("{name}-client")), peer, how);
    let client = client.proxy_later().start();
    prepare(&server);
    prepare(&client);
    let started = Instant::now();
    client.start_proxy();
    Pair {
        start_up: Some(started.elapsed()),
        target: ips[0],
        host: format!("{service}.test.svc.cluster.local"),
        proxies: vec![client.proxy(), server.proxy()],
        client,
        server,
    }
}

fn meshed<'a>(pod: PodBuilder<'a>, peer: Peer, how: How<'_>) -> PodBuilder<'a> {
    let (binary, prefix) = match peer {
        Peer::Linkerd => ("linkerd2-proxy", "LINKERD2_PROXY_"),
        _ => ("mesh-proxy", "MESH_PROXY_"),
    };
    // As the others are started, so that a shell's start counts for all or none.
    let command = [
        "bash",
        "-ec",
        &format!("exec {} /mesh/bin/{binary}", how.under),
    ]
    .map(str::to_owned);
    let pod = pod
        .meshed()
        .config(OPAQUE.0, OPAQUE.1)
        .setting("LOG", "warn")
        .proxy(ProxyProgram {
            command: command.into(),
            prefix,
        });
    match peer {
        Peer::Linkerd => pod.setting("CORES", "1"),
        _ => pod,
    }
}
