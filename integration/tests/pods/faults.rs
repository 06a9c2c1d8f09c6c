//! What happens when parts stop, die, or can't be reached.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mesh_integration::pods::{Cluster, Pod, Program, Trial, programs, until};

use crate::way::{Two, Way, one, service};

const PORTS: [(u16, u16); 2] = [(80, 8080), (81, 8081)];

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        one("faults::graceful_stop_under_load::http1", || {
            graceful_stop("h2load --h1 -c 8 http://web/")
        }),
        one("faults::graceful_stop_under_load::http2", || {
            graceful_stop("h2load -c 4 -m 4 http://web:81/")
        }),
        one("faults::killed_pod", || lost(|_, pod| kill(pod))),
        one("faults::partitioned_pod", || {
            lost(|cluster, pod| cluster.partition(pod))
        }),
        one("faults::rejecting_pod", || {
            lost(|cluster, pod| cluster.reject(pod, 4143))
        }),
        one("faults::dropping_pod", || {
            lost(|cluster, pod| cluster.drop_packets(pod, 4143))
        }),
        one("faults::narrow_link", narrow_link),
        one("faults::far_replica", far_replica),
        one("faults::paused_application", paused_application),
        one("faults::restarted_proxy", restarted_proxy),
        one("faults::restarted_control_plane", restarted_control_plane),
        one("faults::expired_certificates", expired_certificates),
    ]
}

/// Two replicas of nginx behind one service, and a client; all meshed.
fn replicas(cluster: &Cluster) -> (Pod, Pod, Pod) {
    let [one, other] =
        ["web-0", "web-1"].map(|name| cluster.pod(name).meshed().run(programs::nginx()).start());
    service(cluster, &PORTS, &[&one, &other]);
    let client = cluster.pod("client").meshed().start();
    (one, other, client)
}

fn ok(client: &Pod) -> bool {
    let curl = [
        "curl",
        "-sS",
        "--max-time",
        "2",
        "-o",
        "/dev/null",
        "--fail",
        "http://web/",
    ];
    client.run(curl).status.success()
}

/// As Kubernetes does it: the proxy is told to stop while the endpoint is taken away, and the application goes last.
fn graceful_stop(load: &str) {
    let cluster = Cluster::start();
    let (leaving, staying, client) = replicas(&cluster);
    let load = Program::new("load", &format!("exec {load} --duration 4"));
    let load = client.start(&load);
    until("the load to be on both", || {
        [&leaving, &staying]
            .iter()
            .all(|pod| pod.metric("request_total", &["direction=\"inbound\""]) > 100)
    });
    leaving.stop_proxy();
    service(&cluster, &PORTS, &[&staying]);
    assert!(leaving.proxy().wait().success());
    leaving.program().kill();
    assert!(load.ended().is_none(), "the load ended before the stop did");
    assert!(load.wait().success());
    let report = load.log();
    assert!(
        report.contains(" 0 failed, 0 errored, 0 timeout"),
        "{report}"
    );
    assert!(report.contains(" 0 3xx, 0 4xx, 0 5xx"), "{report}");
}

fn kill(pod: &Pod) {
    pod.proxy().kill();
    pod.program().kill();
}

/// Whatever takes one replica away, the other answers.
fn lost(fault: fn(&Cluster, &Pod)) {
    let cluster = Cluster::start();
    let (lost, staying, client) = replicas(&cluster);
    until("both to answer", || {
        ok(&client)
            && [&lost, &staying]
                .iter()
                .all(|pod| pod.metric("request_total", &["direction=\"inbound\""]) > 0)
    });
    fault(&cluster, &lost);
    until("ten good answers in a row", || (0..10).all(|_| ok(&client)));
}

/// 16 MB over 20 Mbit/s take more than six seconds, so a byte a second faster than that was not limited.
fn narrow_link() {
    let two = Two::start(Way::MESHED, programs::nginx(), &PORTS);
    two.cluster.limit(&two.client, 20_000);
    let curl = [
        "curl",
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{size_download} %{speed_download}",
        "http://web/big",
    ];
    let said = two.client.run(curl).ok();
    let (size, speed) = said.split_once(' ').unwrap();
    assert_eq!(size, (16 << 20).to_string());
    assert!(speed.parse::<u64>().unwrap() < 2_700_000, "{said}");
    two.cluster.unlimit(&two.client);
    two.client.run(curl).ok();
}

/// The balancer goes by latency, so the far one is asked now and then only.
fn far_replica() {
    let cluster = Cluster::start();
    let replica = |name| cluster.pod(name).meshed().run(programs::nginx());
    let (near, far) = (
        replica("near").start(),
        replica("far").far(Duration::from_millis(50)).start(),
    );
    service(&cluster, &PORTS, &[&near, &far]);
    let client = cluster.pod("client").meshed().start();
    let url = format!("http://{}/", far.addr(8080));
    let took = client
        .run([
            "curl",
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{time_total}",
            &url,
        ])
        .ok();
    assert!(took.parse::<f64>().unwrap() > 0.1, "{took}");
    client
        .run([
            "h2load",
            "--h1",
            "-c",
            "4",
            "-t",
            "1",
            "-n",
            "400",
            "http://web/",
        ])
        .ok();
    let [near, far] =
        [&near, &far].map(|pod| pod.metric("request_total", &["direction=\"inbound\""]));
    assert!(near > 4 * far, "near {near}, far {far}");
}

fn paused_application() {
    let two = Two::start(Way::MESHED, programs::nginx(), &PORTS);
    assert!(ok(&two.client));
    two.web.program().pause();
    assert!(!ok(&two.client));
    two.web.program().resume();
    until("an answer", || ok(&two.client));
}

fn restarted_proxy() {
    let two = Two::start(Way::MESHED, programs::nginx(), &PORTS);
    assert!(ok(&two.client));
    two.web.proxy().kill();
    assert!(!ok(&two.client));
    two.web.start_proxy();
    until("an answer", || ok(&two.client));
    two.client.proxy().kill();
    assert!(!ok(&two.client));
    two.client.start_proxy();
    assert!(ok(&two.client));
}

/// What is known stays in use; what is new is found when the control plane is back.
fn restarted_control_plane() {
    let two = Two::start(Way::MESHED, programs::nginx(), &PORTS);
    assert!(ok(&two.client));
    two.cluster.kill_control_plane();
    assert!((0..20).all(|_| ok(&two.client)));
    two.cluster.start_control_plane();
    assert!(ok(&two.client));
    two.cluster
        .service("new")
        .port(80, 8080)
        .of(&[&two.web])
        .create();
    until("the new service", || {
        let seen = two.client.run(["curl", "-sS", "http://new/seen"]);
        seen.stdout.contains("client.test.service")
    });
}

/// The server wants an identity, so neither an expired one nor none (what a proxy falls back to without a controller) gets an answer.
fn expired_certificates() {
    let cluster = Cluster::builder()
        .certificates_live(Duration::from_secs(10))
        .start();
    let web = cluster
        .pod("web")
        .meshed()
        .config("default-inbound-policy", "all-authenticated")
        .run(programs::nginx());
    let web = web.start();
    service(&cluster, &PORTS, &[&web]);
    let client = cluster.pod("client").meshed().start();
    cluster.kill_identity();
    let expired = |pod: &Pod| {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        pod.metric("control_identity_cert_expiration_timestamp_seconds", &[]) < now
    };
    until("both certificates to expire", || {
        expired(&client) && expired(&web)
    });
    assert!(!ok(&client));
    cluster.start_identity();
    until("an answer", || ok(&client));
    assert!(!expired(&client) && !expired(&web));
}
