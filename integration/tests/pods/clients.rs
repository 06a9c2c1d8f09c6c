//! Clients that people use, many requests at once: each is answered.

use mesh_integration::pods::{Trial, built, programs};

use crate::way::{Scenario, Two, Way, each_way, unless_built};

const PORTS: [(u16, u16); 2] = [(80, 8080), (81, 8081)];

pub(crate) fn tests() -> Vec<Trial> {
    let scenarios: [Scenario; 5] = [
        ("clients_curl", curl),
        ("clients_nghttp", nghttp),
        ("clients_h2load_http1", |way| {
            h2load(way, "--h1", "http://web/")
        }),
        ("clients_h2load_http2", |way| {
            h2load(way, "-m20", "http://web:81/")
        }),
        ("clients_wrk", wrk),
    ];
    let all = scenarios.into_iter();
    let mut tests: Vec<_> = all
        .flat_map(|(name, scenario)| each_way(name, scenario))
        .collect();
    let http1 = each_way("clients_oha_http1", |way| oha(way, &[], "http://web/"));
    let http2 = each_way("clients_oha_http2", |way| {
        oha(way, &["--http2", "-p=20"], "http://web:81/")
    });
    tests.extend(unless_built(
        "oha",
        http1.into_iter().chain(http2).collect(),
    ));
    tests
}

/// 200 requests of each version of HTTP/1, 50 at once. curl 7.88 can't use an HTTP/2 connection without TLS
/// twice, also not with nginx alone; one request is in [`http`](crate::http).
fn curl(way: Way) {
    let two = Two::start(way, programs::nginx(), &PORTS);
    for version in ["--http1.0", "--http1.1"] {
        let curl = ["curl", "-sS", "--parallel", version, "-o", "/dev/null"];
        let each = ["-w", "%{http_code}\n", "http://web/[1-200]"];
        let said = two.client.run(curl.into_iter().chain(each)).ok();
        assert_eq!(said, "200\n".repeat(200), "{version}");
    }
}

/// One connection, 50 streams, with upgrade from HTTP/1 not tried.
fn nghttp(way: Way) {
    let two = Two::start(way, programs::nginx(), &PORTS);
    let said = two
        .client
        .run([
            "nghttp",
            "--stat",
            "--null-out",
            "--multiply=50",
            "http://web:81/name",
        ])
        .ok();
    let answered = |line: &&str| line.split_whitespace().any(|word| word == "200");
    assert_eq!(said.lines().filter(answered).count(), 50, "{said}");
}

fn h2load(way: Way, how: &str, url: &str) {
    let two = Two::start(way, programs::nginx(), &PORTS);
    let said = two
        .client
        .run(["h2load", "--requests=3000", "--clients=20", how, url])
        .ok();
    assert!(
        said.contains("3000 succeeded, 0 failed, 0 errored, 0 timeout"),
        "{said}"
    );
    assert!(said.contains("status codes: 3000 2xx"), "{said}");
}

fn wrk(way: Way) {
    let two = Two::start(way, programs::nginx(), &PORTS);
    let said = two
        .client
        .run([
            "wrk",
            "--threads=2",
            "--connections=20",
            "--duration=2s",
            "http://web/",
        ])
        .ok();
    assert!(said.contains("requests in"), "{said}");
    // wrk only mentions these when there are some.
    for trouble in ["Non-2xx", "Socket errors"] {
        assert!(!said.contains(trouble), "{said}");
    }
}

/// Which statuses there were and which errors, from its summary.
fn oha(way: Way, how: &[&str], url: &str) {
    let two = Two::start(way, programs::nginx(), &PORTS);
    let oha = built("oha").expect("tests() looked");
    // Its TLS library wants to read the machine's authorities, and pods have none.
    let common = [
        "env",
        "SSL_CERT_FILE=/dev/null",
        oha.as_str(),
        "--no-tui",
        "--output-format=json",
        "-n=3000",
        "-c=20",
    ];
    let said = two
        .client
        .run(common.into_iter().chain(how.iter().copied()).chain([url]))
        .ok();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let statuses = serde_json::json!({ "200": 3000 });
    assert_eq!(said["statusCodeDistribution"], statuses, "{said}");
    assert_eq!(said["errorDistribution"], serde_json::json!({}), "{said}");
}
