//! Where connections lead: to oneself, to a headless service, to a pod's address, out of the cluster, over IPv6.

use mesh_integration::pods::{Cluster, Families, Program, Trial, programs, until};

use crate::way::{Two, Way, each_way, one, service};

const PORTS: [(u16, u16); 1] = [(80, 8080)];

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = vec![
        one("itself::meshed", || itself(true)),
        one("itself::unmeshed", || itself(false)),
        one("proxy_after_the_application", proxy_after_the_application),
        one("admin_from_another_pod", admin),
        one("outside::http", outside),
        one("outside::redis", outside_opaque),
    ];
    tests.extend(each_way("headless", headless));
    tests.extend(each_way("pod_ip", pod_ip));
    tests.extend(each_way("ipv6", |way| family(way, Families::V6)));
    tests.extend(each_way("dual_stack", |way| family(way, Families::Dual)));
    tests
}

fn itself(meshed: bool) {
    let cluster = Cluster::start();
    let web = cluster
        .pod("web")
        .meshed_if(meshed)
        .run(programs::nginx())
        .start();
    service(&cluster, &PORTS, &[&web]);
    let by_service = web.run(["curl", "-sS", "http://web/"]).ok();
    assert_eq!(by_service, "nginx says hello\n");
    let own = format!("http://{}/", web.addr(8080));
    assert_eq!(web.run(["curl", "-sS", &own]).ok(), "nginx says hello\n");
}

fn headless(way: Way) {
    let cluster = Cluster::start();
    let pods = ["web-0", "web-1"].map(|name| {
        cluster
            .pod(name)
            .meshed_if(way.server_meshed)
            .run(programs::nginx())
            .start()
    });
    cluster
        .service("web")
        .headless()
        .port(8080, 8080)
        .of(&[&pods[0], &pods[1]])
        .create();
    let client = cluster.pod("client").meshed_if(way.client_meshed).start();
    let mut answers = Vec::new();
    for pod in &pods {
        let ip = pod.ips()[0].to_string();
        let to = format!("web::{ip}:");
        answers.push(
            client
                .run(["curl", "-sS", "--connect-to", &to, "http://web:8080/seen"])
                .ok(),
        );
    }
    for answer in answers {
        assert_eq!(
            answer.contains("client.test.service"),
            way.both(),
            "{answer}"
        );
    }
    let found = client.run(["getent", "ahostsv4", "web"]).ok();
    assert!(
        pods.iter()
            .all(|pod| found.contains(&pod.ips()[0].to_string())),
        "{found}"
    );
    client.run(["curl", "-sS", "http://web:8080/"]).ok();
}

fn pod_ip(way: Way) {
    let two = Two::start(way, programs::nginx(), &PORTS);
    let url = format!("http://{}/seen", two.web.addr(8080));
    let seen = two.client.run(["curl", "-sS", &url]).ok();
    assert_eq!(seen.contains("client.test.service"), way.both(), "{seen}");
}

/// As Prometheus and probes come, also where policy lets nobody in.
fn admin() {
    let cluster = Cluster::start();
    let web = cluster
        .pod("web")
        .meshed()
        .config("default-inbound-policy", "deny")
        .start();
    let monitor = cluster.pod("monitor").start();
    let url = |path: &str| format!("http://{}/{path}", web.addr(4191));
    monitor.run(["curl", "-sS", "--fail", &url("ready")]).ok();
    let metrics = monitor.run(["curl", "-sS", "--fail", &url("metrics")]).ok();
    assert!(metrics.contains("proxy_build_info"), "{metrics}");
}

fn outside() {
    let cluster = Cluster::start();
    let server = cluster
        .pod("outside")
        .outside("203.0.113.5".parse().unwrap())
        .run(programs::nginx())
        .start();
    let client = cluster.pod("client").meshed().start();
    let certificate = server.file("nginx", "cert.pem");
    assert_eq!(
        client.run(["curl", "-sS", "http://203.0.113.5:8080/"]).ok(),
        "nginx says hello\n"
    );
    let tls = [
        "curl",
        "-sS",
        "--cacert",
        &certificate,
        "--connect-to",
        "web::203.0.113.5:8443",
        "https://web/",
    ];
    assert_eq!(client.run(tls).ok(), "nginx says hello\n");
}

fn outside_opaque() {
    let cluster = Cluster::start();
    let _server = cluster
        .pod("outside")
        .outside("203.0.113.5".parse().unwrap())
        .run(programs::redis())
        .start();
    let client = cluster.pod("client").meshed().start();
    assert_eq!(
        client.run(["redis-cli", "-h", "203.0.113.5", "ping"]).ok(),
        "PONG\n"
    );
}

fn family(way: Way, families: Families) {
    let cluster = Cluster::builder().families(families).start();
    let two = Two::in_cluster(cluster, way, programs::nginx(), &PORTS);
    for ip in two.web.ips() {
        let flag = if ip.is_ipv4() { "-4" } else { "-6" };
        let seen = two
            .client
            .run(["curl", "-sS", flag, "http://web/seen"])
            .ok();
        assert_eq!(seen.contains("client.test.service"), way.both(), "{seen}");
    }
}

/// Interception is on before either runs, so connections fail rather than pass by the proxy.
fn proxy_after_the_application() {
    let cluster = Cluster::start();
    let web = cluster
        .pod("web")
        .meshed()
        .run(programs::nginx())
        .proxy_later()
        .start();
    service(&cluster, &PORTS, &[&web]);
    let client = cluster.pod("client").meshed().proxy_later().start();
    let patient = "exec curl -sS --retry 30 --retry-connrefused --retry-delay 1 --retry-all-errors http://web/seen";
    let early = client.start(&Program::new("early", patient));
    early.says("Failed to connect");
    let unmeshed = cluster.pod("unmeshed").start();
    let direct = format!("http://{}/", web.addr(8080));
    unmeshed.run(["curl", "-sS", &direct]).fails();
    web.start_proxy();
    client.start_proxy();
    assert!(early.wait().success());
    until("the early client to come through both proxies", || {
        early.log().contains("client.test.service")
    });
}
