//! The report for people. Someone who has never heard of a mesh should understand it, so every block says in words what it shows,
//! and the sentences are drawn from the figures: a run that went the other way says so.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::BinaryBytes;

use super::{PolicyReport, Report};
use crate::demo::{FAILING_REPLICA, SLOW_REPLICA};
use crate::local::{progress::millis, replica_name};

/// How the demo was run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Time for each policy.
    pub(crate) duration: Duration,
    pub(crate) rps: u32,
    /// What the slow replica adds to every answer.
    pub(crate) slow_by: Duration,
    /// Fraction of requests that the failing replica fails.
    pub(crate) failure_rate: f64,
}

/// The whole report.
pub(crate) fn render(report: &Report, setting: Setting) -> String {
    let mut text = intro(setting);
    text += &latencies(report);
    text += &shares(report, setting);
    text += &encryption(report);
    text += &memory(report);
    text += &conclusion(report);
    text
}

fn intro(setting: Setting) -> String {
    format!(
        "\nA client called the service \"web\" ({} requests a second, half HTTP/1.1 and half gRPC, {} for each policy).\n\
         Client and replicas are plain programs; all traffic went through the proxies beside them.\n\n",
        setting.rps,
        humantime::format_duration(setting.duration),
    )
}

/// A line of the table: what, one value per policy, a remark.
fn row(text: &mut String, what: &str, values: impl Iterator<Item = String>, remark: &str) {
    let mut line = format!("  {what:<18}");
    for value in values {
        let _ = write!(line, "{value:>14}");
    }
    if !remark.is_empty() {
        let _ = write!(line, "   {remark}");
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

fn latencies(report: &Report) -> String {
    type Quantile = (&'static str, fn(&PolicyReport) -> f64, &'static str);
    const QUANTILES: [Quantile; 3] = [
        (
            "p50",
            |policy| policy.p50_ms,
            "half of all requests took at most this long",
        ),
        ("p99", |policy| policy.p99_ms, "99 of 100"),
        ("p99.9", |policy| policy.p999_ms, "999 of 1000"),
    ];
    let mut text = String::new();
    let policies = || report.policies.iter();
    row(
        &mut text,
        "",
        policies().map(|policy| policy.name.to_owned()),
        "",
    );
    row(
        &mut text,
        "success",
        policies().map(|policy| percent(policy.success_rate, 2)),
        "",
    );
    for (what, ms, remark) in QUANTILES {
        let values = policies().map(|policy| millis(Duration::from_secs_f64(ms(policy) / 1e3)));
        row(&mut text, what, values, remark);
    }
    text
}

fn shares(report: &Report, setting: Setting) -> String {
    let (slow, failing) = (replica_name(SLOW_REPLICA), replica_name(FAILING_REPLICA));
    let mut text = "\nWho answered\n".to_owned();
    let names = report
        .policies
        .first()
        .map(|policy| policy.share.keys())
        .into_iter()
        .flatten();
    for name in names {
        let remark = match name {
            name if *name == slow => format!(
                "slow: {} later than the others",
                humantime::format_duration(setting.slow_by)
            ),
            name if *name == failing => format!(
                "failing: {} of its answers are errors",
                percent(setting.failure_rate, 0)
            ),
            _ => String::new(),
        };
        let values = report
            .policies
            .iter()
            .map(|policy| percent(policy.share.get(name).copied().unwrap_or(0.0), 1));
        row(&mut text, name, values, &remark);
    }
    text
}

fn encryption(report: &Report) -> String {
    format!(
        "\nEncryption: {} went between the proxies under mutual TLS 1.3, each side having proved who it is\n  \
         client  {}\n  server  {}\n",
        BinaryBytes(report.mtls_bytes),
        report.identities.client,
        report.identities.server,
    )
}

fn memory(report: &Report) -> String {
    let mut text = "\nMemory of the proxies (resident)\n".to_owned();
    for proxy in &report.proxies {
        let _ = writeln!(
            text,
            "  {:<18}{:>14}",
            proxy.name,
            BinaryBytes(proxy.rss_bytes).to_string()
        );
    }
    text
}

fn conclusion(report: &Report) -> String {
    let mut text = String::new();
    if let [ewma, robin] = &report.policies[..] {
        text += "\nWhat this shows\n";
        text += &tail(ewma, robin);
        text += &errors(ewma, robin);
    }
    for policy in &report.policies {
        let causes: Vec<_> = policy
            .causes
            .iter()
            .map(|(cause, count)| format!("{count} x {cause}"))
            .collect();
        if !causes.is_empty() {
            let _ = writeln!(
                text,
                "  Failures under {}: {}.",
                policy.name,
                causes.join(", ")
            );
        }
    }
    text
}

fn tail(ewma: &PolicyReport, robin: &PolicyReport) -> String {
    let factor = robin.p99_ms / ewma.p99_ms.max(f64::MIN_POSITIVE);
    if factor > 1.1 {
        format!(
            "  {} sees that one replica is slow and sends it little: the p99 is {factor:.1} times lower than with {}.\n",
            ewma.name, robin.name
        )
    } else {
        format!(
            "  In this run {} was no faster at p99 than {}.\n",
            ewma.name, robin.name
        )
    }
}

fn errors(ewma: &PolicyReport, robin: &PolicyReport) -> String {
    let failing = replica_name(FAILING_REPLICA);
    let share = |policy: &PolicyReport| policy.share.get(&failing).copied().unwrap_or(0.0);
    if share(ewma) < share(robin) {
        format!(
            "  It does not mistake fast failures for speed: {failing} got {} of the requests.\n",
            percent(share(ewma), 1)
        )
    } else {
        format!("  In this run it did not send less to {failing}, which fails some requests.\n")
    }
}

fn percent(fraction: f64, digits: usize) -> String {
    format!("{:.digits$} %", fraction * 100.0)
}
