//! What nobody gets round: interception in the client's pod, policy in the server's.

use mesh_integration::pods::{Cluster, Pod, Trial, programs};

use crate::way::{Two, Way, one, service};

const PORTS: [(u16, u16); 1] = [(80, 8080)];
const BYPASS: &str = include_str!("bypass.py");

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        one("isolation::no_way_round_the_proxy", no_way_round),
        one("isolation::deny", deny),
        one("isolation::deny_of_opaque_bytes", deny_opaque),
        one("isolation::all_authenticated", all_authenticated),
    ]
}

/// Every trick of an ordinary program ends at the proxy, which the server sees by the client's identity, or nowhere.
fn no_way_round() {
    let two = Two::start(Way::MESHED, programs::nginx(), &PORTS);
    let addr = two.web.addr(8080);
    let said = two
        .client
        .run(["python3", "-c", BYPASS, &addr.ip().to_string(), "8080"])
        .ok();
    let (tried, got_round): (Vec<_>, Vec<_>) = (
        said.lines().collect(),
        said.lines().filter(|line| line.contains("ROUND")).collect(),
    );
    assert!(tried.len() >= 8, "{said}");
    assert!(got_round.is_empty(), "{said}");
    assert!(said.contains("plain: by the proxy"), "{said}");
}

fn restricted(cluster: &Cluster, policy: &str) -> Pod {
    let web = cluster
        .pod("web")
        .meshed()
        .config("default-inbound-policy", policy)
        .run(programs::nginx())
        .start();
    service(cluster, &PORTS, &[&web]);
    web
}

/// The status that a client gets at its service, its pod's port, and its proxy's port.
fn statuses(client: &Pod, web: &Pod) -> Vec<String> {
    let urls = [
        "http://web/".to_owned(),
        format!("http://{}/", web.addr(8080)),
        format!("http://{}/", web.addr(4143)),
    ];
    let curl = |url: &String| {
        client
            .run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url])
            .stdout
    };
    urls.iter().map(curl).collect()
}

fn deny() {
    let cluster = Cluster::start();
    let web = restricted(&cluster, "deny");
    for meshed in [true, false] {
        let client = cluster
            .pod(if meshed { "client" } else { "unmeshed" })
            .meshed_if(meshed)
            .start();
        let statuses = statuses(&client, &web);
        assert!(
            statuses.iter().all(|status| status != "200"),
            "{statuses:?}"
        );
        assert_eq!(statuses[0], "403");
    }
    assert!(web.metric("inbound_http_authz_deny_total", &[]) >= 4);
}

fn deny_opaque() {
    let cluster = Cluster::start();
    let web = cluster
        .pod("web")
        .meshed()
        .config("default-inbound-policy", "deny")
        .run(programs::redis())
        .start();
    service(&cluster, &[(6379, 6379)], &[&web]);
    for meshed in [true, false] {
        let client = cluster
            .pod(if meshed { "client" } else { "unmeshed" })
            .meshed_if(meshed)
            .start();
        let said = client.run(["redis-cli", "-h", "web", "ping"]);
        assert!(!said.stdout.contains("PONG"), "{said}");
    }
    assert!(web.metric("inbound_tcp_authz_deny_total", &[]) >= 2);
}

fn all_authenticated() {
    let cluster = Cluster::start();
    let web = restricted(&cluster, "all-authenticated");
    let client = cluster.pod("client").meshed().start();
    let meshed = statuses(&client, &web);
    assert_eq!(meshed[..2], ["200", "200"]);
    let unmeshed = cluster.pod("unmeshed").start();
    let statuses = statuses(&unmeshed, &web);
    assert!(
        statuses.iter().all(|status| status != "200"),
        "{statuses:?}"
    );
    assert_eq!(statuses[..2], ["403", "403"]);
    // TLS to the proxy's own port, but with no certificate of the mesh.
    let name = "web.test.serviceaccount.identity.mesh.cluster.local";
    let to = format!("{name}:8080:{}:4143", web.ips()[0]);
    let tls = unmeshed.run([
        "curl",
        "-sSk",
        "--connect-to",
        &to,
        &format!("https://{name}:8080/"),
    ]);
    tls.fails();
}
