use std::time::Duration;

use super::*;
use crate::golden::assert_golden;

fn policy(name: &'static str, p99_ms: f64, shares: [f64; 5]) -> PolicyReport {
    let share = shares
        .into_iter()
        .enumerate()
        .map(|(index, share)| (format!("web-{index}"), share))
        .collect();
    let causes = BTreeMap::from([
        ("HTTP 503".to_owned(), 17),
        ("gRPC Unavailable".to_owned(), 19),
    ]);
    PolicyReport {
        name,
        success_rate: 0.994,
        p50_ms: 2.41,
        p99_ms,
        p999_ms: 118.4,
        share,
        causes,
    }
}

fn report() -> Report {
    Report {
        requests: 12_000,
        failures: 72,
        policies: vec![
            policy("peak-ewma", 11.2, [0.32, 0.31, 0.31, 0.02, 0.04]),
            policy("round-robin", 46.9, [0.2; 5]),
        ],
        identities: Identities {
            client: "client.demo.serviceaccount.identity.mesh.cluster.local".to_owned(),
            server: "web.demo.serviceaccount.identity.mesh.cluster.local".to_owned(),
        },
        mtls_bytes: 5_300_000,
        proxies: vec![ProxyMemory {
            name: "client-proxy".to_owned(),
            rss_bytes: 8_500_000,
        }],
    }
}

fn setting() -> Setting {
    Setting {
        duration: Duration::from_secs(15),
        rps: 400,
        slow_by: Duration::from_millis(40),
        failure_rate: 0.04,
    }
}

#[test]
fn the_table_is_as_recorded() {
    assert_golden("report.txt", &render(&report(), setting()));
}

#[test]
fn a_run_that_went_the_other_way_says_so() {
    let mut report = report();
    report.policies[0].p99_ms = 60.0;
    report.policies[0].share.insert("web-4".to_owned(), 0.3);
    let text = render(&report, setting());
    assert!(
        text.contains("no faster at p99") && text.contains("did not send less to web-4"),
        "{text}"
    );
}

#[test]
fn the_json_has_the_promised_fields() {
    assert_golden(
        "report.json",
        &(serde_json::to_string_pretty(&report()).unwrap() + "\n"),
    );
}

#[test]
fn a_replica_without_requests_has_a_share_of_zero() {
    let report = PolicyReport::new(
        Policy::PeakEwma,
        &Stats::default(),
        ["web-0".to_owned()].into_iter(),
    );
    assert_eq!(report.share["web-0"], 0.0);
    assert_eq!(report.success_rate, 1.0);
}
