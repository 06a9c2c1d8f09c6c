//! HTTP by curl, nginx and Python's own server.

use mesh_integration::pods::{Trial, programs};

use crate::way::{Two, Way, each_way};

const PORTS: [(u16, u16); 3] = [(80, 8080), (81, 8081), (443, 8443)];
const EVENTS: &str = include_str!("events.py");
const WEBSOCKET: &str = include_str!("websocket_client.py");
/// What a proxy may grow by while a gigabyte passes: its buffers, not the body.
const GROWTH: u64 = 4 << 20;

pub(crate) fn tests() -> Vec<Trial> {
    let scenarios: [(&str, fn(Way)); 8] = [
        ("http1", http1),
        ("http1_0", http1_0),
        ("http1_keep_alive", keep_alive),
        ("h2c", h2c),
        ("tls_of_the_application", tls),
        ("websocket", websocket),
        ("server_sent_events", events),
        ("upload_of_a_gigabyte", upload),
    ];
    scenarios
        .into_iter()
        .flat_map(|(name, scenario)| each_way(name, scenario))
        .collect()
}

fn http1(way: Way) {
    let two = Two::start(way, programs::nginx(), &PORTS);
    let said = two.client.run(["curl", "-sS", "http://web/"]).ok();
    assert_eq!(said, "nginx says hello\n");
    let seen = two.client.run(["curl", "-sS", "http://web/seen"]).ok();
    let identity = "client.test.serviceaccount.identity.mesh.cluster.local";
    assert_eq!(seen.contains(identity), way.both(), "{seen}");
}

/// What comes back to a client of HTTP/1.0 must not be in chunks.
fn http1_0(way: Way) {
    let two = Two::start(way, programs::nginx(), &PORTS);
    let said = two
        .client
        .run(["curl", "-sSi", "--http1.0", "http://web/"])
        .ok();
    assert!(said.contains(" 200 OK"), "{said}");
    assert!(said.ends_with("nginx says hello\n"), "{said}");
    assert!(!said.to_lowercase().contains("transfer-encoding"), "{said}");
}

fn keep_alive(way: Way) {
    let two = Two::start(way, programs::nginx(), &PORTS);
    let urls = ["http://web/name"; 20];
    let curl = ["curl", "-sS", "-w", "%{num_connects} %{http_code}\n"];
    let said = two.client.run(curl.into_iter().chain(urls)).ok();
    let made: Vec<&str> = said.lines().filter(|line| line.ends_with(" 200")).collect();
    assert_eq!(made.len(), 20, "{said}");
    assert_eq!(
        made.iter().filter(|line| line.starts_with('1')).count(),
        1,
        "{said}"
    );
}

fn h2c(way: Way) {
    let two = Two::start(way, programs::nginx(), &PORTS);
    let curl = [
        "curl",
        "-sS",
        "--http2-prior-knowledge",
        "-w",
        "%{http_version}",
    ];
    let said = two
        .client
        .run(curl.into_iter().chain(["http://web:81/seen"]))
        .ok();
    assert!(said.starts_with("GET HTTP/2.0 web "), "{said}");
    assert!(said.ends_with("\n2"), "{said}");
}

/// Its handshake is with nginx itself, whose certificate no proxy has.
fn tls(way: Way) {
    let two = Two::start(way, programs::nginx(), &PORTS);
    let certificate = two.web.file("nginx", "cert.pem");
    let said = two
        .client
        .run(["curl", "-sS", "--cacert", &certificate, "https://web/seen"])
        .ok();
    assert!(said.starts_with("GET HTTP/1.1 web"), "{said}");
}

fn websocket(way: Way) {
    let two = Two::start(way, programs::websocket(), &PORTS);
    let said = two
        .client
        .run(["python3", "-c", WEBSOCKET, "ws://web/chat"])
        .ok();
    assert_eq!(said, "closed 4000 done\n");
}

fn events(way: Way) {
    let two = Two::start(way, programs::http(), &PORTS);
    let said = two.client.run(["python3", "-c", EVENTS, "web"]).ok();
    assert_eq!(
        said,
        "200 text/event-stream\ndata: 0\ndata: 1\ndata: 2\ndata: 3\n"
    );
}

fn upload(way: Way) {
    let two = Two::start(way, programs::http(), &PORTS);
    two.client
        .run(["curl", "-sS", "-T", "/etc/passwd", "http://web/"])
        .ok();
    let proxied = two.proxied(way);
    let before: Vec<u64> = proxied
        .iter()
        .map(|pod| pod.proxy().peak_memory())
        .collect();
    let said = two
        .client
        .shell("truncate --size 1G big && curl -sS -T big http://web/ && rm big")
        .ok();
    assert_eq!(said, format!("{}\n", 1 << 30));
    for (pod, before) in proxied.iter().zip(before) {
        let grown = pod.proxy().peak_memory() - before;
        assert!(
            grown < GROWTH,
            "the proxy of {} grew by {grown} bytes",
            pod.name()
        );
    }
}
