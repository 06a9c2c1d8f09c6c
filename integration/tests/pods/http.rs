//! HTTP by curl and nginx.

use mesh_integration::pods::{Cluster, Pod, Trial, programs};

use crate::way::{Way, each_way};

pub(crate) fn tests() -> Vec<Trial> {
    [each_way("http1", http1)].into_iter().flatten().collect()
}

fn nginx_and_client(cluster: &Cluster, way: Way) -> (Pod, Pod) {
    let web = cluster
        .pod("web")
        .meshed_if(way.server_meshed)
        .run(programs::nginx())
        .start();
    cluster
        .service("web")
        .port(80, 8080)
        .port(81, 8081)
        .of(&[&web])
        .create();
    let client = cluster.pod("client").meshed_if(way.client_meshed).start();
    (web, client)
}

fn http1(way: Way) {
    let cluster = Cluster::start();
    let (_web, client) = nginx_and_client(&cluster, way);
    let said = client.run(["curl", "-sS", "http://web/"]).ok();
    assert_eq!(said, "nginx says hello\n");
    let seen = client.run(["curl", "-sS", "http://web/seen"]).ok();
    let identity = "client.test.serviceaccount.identity.mesh.cluster.local";
    assert_eq!(seen.contains(identity), way.both(), "{seen}");
}
