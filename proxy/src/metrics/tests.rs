use super::{
    family::{Family, Kind},
    *,
};
use crate::policy::Metadata;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::{Duration, SystemTime},
};

mod linkerd;
mod text;

use text::{Exposition, parse};

fn object(kind: &str, name: &str) -> Metadata {
    Metadata {
        kind: kind.into(),
        name: name.into(),
        ..Metadata::default()
    }
}

fn rendered(metrics: &Metrics) -> Exposition {
    let text = metrics.render();
    parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn value(exposition: &Exposition, sample: &str, labels: &[(&str, &str)]) -> f64 {
    let labels: BTreeMap<_, _> = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let found = exposition.samples.get(&(sample.to_owned(), labels.clone()));
    *found.unwrap_or_else(|| panic!("no {sample}{labels:?} in {:#?}", exposition.samples))
}

fn comes_back(odd: &str) {
    let metrics = Metrics::default();
    let labels = Labels::new().with("target_name", odd.to_owned());
    metrics.http_endpoint(&labels).request();
    let text = rendered(&metrics);
    assert_eq!(value(&text, "request_total", &[("target_name", odd)]), 1.0);
}

#[test]
fn odd_label_values_come_back_as_they_went() {
    for odd in [
        "a\"b", "a\\b", "a\\\\b", "a\nb", "\\n", "\\\"", "é,}{= ", "",
    ] {
        comes_back(odd);
    }
}

proptest::proptest! {
    #[test]
    fn any_label_value_comes_back_as_it_went(odd in "\\PC*[\n\"\\\\]*\\PC*") {
        comes_back(&odd);
    }
}

#[test]
fn responses_are_told_apart_and_latency_is_in_milliseconds() {
    let metrics = Metrics::default();
    let labels = Labels::new().direction(Direction::Outbound);
    let endpoint = metrics.http_endpoint(&labels);
    let same = metrics.http_endpoint(&labels);
    let ms = Duration::from_millis;
    endpoint.request();
    endpoint.response(Some(200), Class::Success, None, "", ms(3));
    same.response(Some(200), Class::Success, None, "", ms(30));
    same.response(Some(200), Class::Failure, Some(14), "", ms(30));
    same.response(Some(200), Class::Failure, Some(99), "", ms(30));
    same.response(None, Class::Failure, None, "reset", ms(1));
    let text = rendered(&metrics);
    let count = |status: &str, class: &str, grpc: &str, error: &str| {
        let mut labels = vec![
            ("direction", "outbound"),
            ("classification", class),
            ("grpc_status", grpc),
            ("error", error),
        ];
        if !status.is_empty() {
            labels.push(("status_code", status));
        }
        value(&text, "response_total", &labels)
    };
    assert_eq!(count("200", "success", "", ""), 2.0);
    assert_eq!(count("200", "failure", "14", ""), 1.0);
    assert_eq!(count("200", "failure", "2", ""), 1.0);
    assert_eq!(count("", "failure", "", "reset"), 1.0);
    let ok = [("direction", "outbound"), ("status_code", "200")];
    assert_eq!(value(&text, "response_latency_ms_sum", &ok), 93.0);
    assert_eq!(value(&text, "response_latency_ms_count", &ok), 4.0);
    let up_to_5 = [ok[0], ok[1], ("le", "5")];
    assert_eq!(value(&text, "response_latency_ms_bucket", &up_to_5), 1.0);
}

#[test]
fn connections_are_open_until_dropped_and_closed_once() {
    let metrics = Metrics::default();
    let tcp = metrics.tcp(Direction::Inbound, Peer::Src, &Labels::new());
    let (first, second, third) = (tcp.opened(), tcp.opened(), tcp.opened());
    tcp.read.increment(10);
    first.close(None);
    let reset = io::Error::from_raw_os_error(rustix::io::Errno::CONNRESET.raw_os_error());
    second.close(Some(&reset));
    let text = rendered(&metrics);
    let labels = [("direction", "inbound"), ("peer", "src")];
    assert_eq!(value(&text, "tcp_open_total", &labels), 3.0);
    assert_eq!(value(&text, "tcp_open_connections", &labels), 1.0);
    assert_eq!(value(&text, "tcp_read_bytes_total", &labels), 10.0);
    let closed = |errno| {
        value(
            &text,
            "tcp_close_total",
            &[labels[0], labels[1], ("errno", errno)],
        )
    };
    assert_eq!(closed(""), 1.0);
    assert_eq!(closed("ECONNRESET"), 1.0);
    drop(third);
    drop(tcp);
    let text = metrics.render();
    assert!(text.contains("tcp_open_total{"), "counters are retained");
    assert!(!text.contains("tcp_open_connections{"), "gauges are not");
}

#[test]
fn a_balancer_shows_its_endpoints_and_its_queue() {
    let metrics = Metrics::default();
    let labels = Labels::new().with("addr", "127.0.0.1:8086");
    let timeout = Duration::from_secs(3);
    let balancer = metrics.balancer(BalancerKind::Destination, &labels, timeout);
    balancer.updated("Reset", 5);
    balancer.ready(3);
    for waiting in [1, 2, 1, 0, 1] {
        balancer.queue(waiting);
    }
    balancer.failfast(true);
    let text = rendered(&metrics);
    let stem = "control_destination_balancer";
    let addr = ("addr", "127.0.0.1:8086");
    let get = |name: &str, label: &[(&str, &str)]| {
        let labels = [&[addr], label].concat();
        value(&text, &format!("{stem}_{name}"), &labels)
    };
    assert_eq!(get("endpoints", &[("endpoint_state", "ready")]), 3.0);
    assert_eq!(get("endpoints", &[("endpoint_state", "pending")]), 2.0);
    assert_eq!(get("p2c_updates_total", &[("op", "Reset")]), 1.0);
    assert_eq!(get("p2c_updates_total", &[("op", "Add")]), 0.0);
    assert_eq!(get("queue_requests_total", &[]), 3.0);
    assert_eq!(get("queue_length", &[]), 1.0);
    assert_eq!(get("queue_gate_timeout_seconds", &[]), 3.0);
    assert_eq!(get("queue_gate_shut_total", &[]), 1.0);
    assert!(get("queue_gate_shut_time_seconds", &[]) > 1e9);
}

#[test]
fn host_names_are_labels_only_when_asked_for() {
    for (hostname_labels, expected) in [(false, ""), (true, "web.shop")] {
        let metrics = Metrics::new(MetricsConfig {
            hostname_labels,
            ..MetricsConfig::default()
        });
        let (parent, route) = (object("Service", "web"), object("default", "http"));
        let routed = metrics.route(RouteProtocol::Grpc, &parent, &route, Some("web.shop"));
        routed.status(Some(14), "LOAD_SHED");
        let text = metrics.render();
        let sample = text
            .lines()
            .find(|line| line.starts_with("outbound_grpc_route_request_statuses_total"));
        let sample = sample.unwrap();
        assert!(
            sample.contains(&format!("hostname=\"{expected}\"")),
            "{sample}"
        );
        assert!(sample.contains("grpc_status=\"14\"") && sample.contains("error=\"LOAD_SHED\""));
    }
}

#[test]
fn overflow_is_told() {
    let metrics = Metrics::new(MetricsConfig {
        max_label_sets: 10,
        ..MetricsConfig::default()
    });
    let labels = |n: usize| Labels::new().with("addr", n.to_string());
    let _held: Vec<_> = (0..12).map(|n| metrics.http_endpoint(&labels(n))).collect();
    let text = rendered(&metrics);
    let family = [("family", "request_total")];
    assert_eq!(value(&text, "proxy_metrics_overflow_total", &family), 2.0);
}

/// `docs/metrics.md` names every family with its type, and none that is not there.
#[test]
fn the_documentation_lists_every_family() {
    let documented = include_str!("../../../docs/metrics.md");
    let row = |line: &str| -> Option<(String, String)> {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().trim_end_matches('`').to_owned();
        Some((name, cells.next()?.trim().to_owned()))
    };
    let documented: BTreeSet<_> = documented.lines().filter_map(row).collect();
    let entry = |family: &&Family| (family.name.to_owned(), family.kind.name().to_owned());
    let balancers = [
        &names::OUTBOUND_HTTP_BALANCER,
        &names::OUTBOUND_TCP_BALANCER,
        &names::OUTBOUND_TLS_BALANCER,
        &names::CONTROL_DESTINATION_BALANCER,
        &names::CONTROL_IDENTITY_BALANCER,
        &names::CONTROL_POLICY_BALANCER,
    ];
    let balancers = balancers.iter().flat_map(|families| families.all());
    let all = names::ALL
        .iter()
        .copied()
        .chain(process::ALL)
        .chain(balancers);
    let families: BTreeSet<_> = all.map(|family| entry(&family)).collect();
    let missing: Vec<_> = families.difference(&documented).collect();
    let stale: Vec<_> = documented.difference(&families).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "missing {missing:#?}, stale {stale:#?}"
    );
}
