//! The tables for people.

use std::fmt::Write as _;

use super::{Report, Row};
use crate::footprint::Footprint;
use crate::peers::Peer;

/// A page of tables: one for each case, and one for what proxies take beside requests.
pub(super) fn page(report: &Report<'_>) -> String {
    let mut page = "# What two hops cost\n\n".to_owned();
    for line in report.preface() {
        page += &format!("{line}\n\n");
    }
    page += &warnings(report);
    for (index, case) in report.settings.cases.iter().enumerate() {
        let rows: Vec<&Row> = report
            .rows
            .iter()
            .filter(|row| row.index == index)
            .collect();
        if !rows.is_empty() {
            page += &format!("## {case}\n\n{}\n", table(&rows));
        }
    }
    page += &footprints(&report.findings.footprints);
    page += &instructions(report);
    page
}

fn warnings(report: &Report<'_>) -> String {
    let mut text = String::new();
    if !report.noise.is_empty() {
        let noise = report.noise.join("; ");
        text +=
            &format!("**A noisy machine: {noise}. These figures are not to be relied on.**\n\n");
    }
    for failure in &report.findings.failures {
        text += &format!("- failed: {failure}\n");
    }
    if !report.findings.failures.is_empty() {
        text.push('\n');
    }
    text
}

fn table(rows: &[&Row]) -> String {
    let find = |peer| rows.iter().find(|row| row.who == peer).copied();
    let (none, mesh) = (find(Peer::None), find(Peer::Mesh));
    let bulk = rows[0].asked.is_bulk();
    let unit = if bulk { "MB/s" } else { "rps" };
    let cpu = if bulk { "CPU us/MB" } else { "CPU us/req" };
    let mut text = format!(
        "| peer | {unit} | p50 ms | p90 | p99 | p99.9 | max | p50 added | p99 added | {cpu} | RSS MB | spread | mesh: {unit} | mesh: p50 | mesh: p99 | mesh: CPU |\n"
    );
    text += &format!("|{}\n", "---|".repeat(16));
    for row in rows {
        let added = |figure: fn(&Row) -> Option<f64>| {
            let none = none.filter(|_| row.who != Peer::None)?;
            Some(figure(row)? - figure(none)?)
        };
        let ratio = |figure: fn(&Row) -> Option<f64>| {
            let mesh = mesh.filter(|_| row.who != Peer::Mesh)?;
            Some(figure(mesh)? / figure(row)?)
        };
        let cells = [
            format!("{}{}", row.peer, if row.failed > 0 { " (!)" } else { "" }),
            format!("{:.0}", row.rps),
            millis(row.p50_us),
            millis(row.p90_us),
            millis(row.p99_us),
            millis(row.p999_us),
            millis(row.max_us),
            millis(added(|row| row.p50_us)),
            millis(added(|row| row.p99_us)),
            number(row.cpu_us_per_request, 1),
            megabytes(row.rss_bytes),
            format!("{:.0} %", row.spread * 100.0),
            times(ratio(|row| Some(row.rps))),
            times(ratio(|row| row.p50_us)),
            times(ratio(|row| row.p99_us)),
            times(ratio(|row| row.cpu_us_per_request)),
        ];
        writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes all");
    }
    text
}

fn footprints(footprints: &[Footprint]) -> String {
    let Some(first) = footprints.first() else {
        return String::new();
    };
    let busy = first.busy_bytes.iter();
    let busy: String = busy
        .map(|(count, _)| format!(" RSS MB at {count} |"))
        .collect();
    let mut text = "## Beside requests\n\n".to_owned();
    text += &format!(
        "| peer | start-up ms | RSS MB idle |{busy} KB per idle connection | binary MB |\n|{}\n",
        "---|".repeat(5 + first.busy_bytes.len())
    );
    for it in footprints {
        let busy = it.busy_bytes.iter();
        let busy: String = busy
            .map(|(_, bytes)| format!(" {} |", megabytes(Some(*bytes))))
            .collect();
        let cells = [
            it.peer.to_owned(),
            number(it.start_up_ms, 0),
            format!(
                "{} |{}",
                megabytes(Some(it.idle_bytes)),
                busy.trim_end_matches('|')
            ),
            number(it.idle_connection_bytes.map(|bytes| bytes / 1e3), 1),
            megabytes(Some(it.binary_bytes)),
        ];
        writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes all");
    }
    text + "\n"
}

fn instructions(report: &Report<'_>) -> String {
    let counts = &report.findings.instructions;
    if counts.is_empty() {
        return String::new();
    }
    let mut text =
        "## Instructions per request\n\n| peer | client's proxy | server's proxy |\n|---|---|---|\n".to_owned();
    for it in counts {
        writeln!(
            text,
            "| {} | {:.0} | {:.0} |",
            it.peer, it.client, it.server
        )
        .expect("a string takes all");
    }
    text + "\n"
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.digits$}"))
}

fn millis(micros: Option<f64>) -> String {
    number(micros.map(|micros| micros / 1e3), 3)
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 bytes")]
fn megabytes(bytes: Option<u64>) -> String {
    number(bytes.map(|bytes| bytes as f64 / 1e6), 1)
}

fn times(ratio: Option<f64>) -> String {
    ratio.map_or_else(String::new, |ratio| format!("{ratio:.2} x"))
}
