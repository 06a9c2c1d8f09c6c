//! The Prometheus text format (version 0.0.4).
//!
//! Written here and not by `metrics_exporter_prometheus::formatting`, whose
//! escaping takes two backslashes for one that is escaped already, so that what is
//! parsed back differs from what was counted.

use super::{
    family::Family,
    histogram::Buckets,
    labels::Labels,
    registry::{Cell, Snapshot},
};
use std::fmt::Write;

/// Appends one family, or nothing when it has no label set.
pub(super) fn family(out: &mut String, (family, sets): &Snapshot) {
    if sets.is_empty() {
        return;
    }
    header(out, family);
    for (labels, cell) in sets {
        match cell {
            Cell::Counter(cell) => sample(out, family.name, labels, None, Cell::load(cell)),
            Cell::Gauge(cell) => {
                let value = f64::from_bits(Cell::load(cell));
                sample(out, family.name, labels, None, value);
            }
            Cell::Histogram(cell) => buckets(out, family.name, labels, cell),
        }
    }
}

/// Appends `# HELP` and `# TYPE`.
pub(super) fn header(out: &mut String, family: &Family) {
    let Family { name, help, kind } = family;
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    put(out, format_args!("# HELP {name} {help}\n"));
    put(out, format_args!("# TYPE {name} {}\n", kind.name()));
}

fn buckets(out: &mut String, name: &str, labels: &Labels, cell: &Buckets) {
    let (mut count, point) = (0, cell.bounds().point);
    for (bound, up_to) in cell.cumulative() {
        let bound = match bound {
            f64::INFINITY => "+Inf".to_owned(),
            _ if point => format!("{bound:?}"),
            _ => bound.to_string(),
        };
        count = up_to;
        sample(out, &format!("{name}_bucket"), labels, Some(&bound), up_to);
    }
    sample(out, &format!("{name}_sum"), labels, None, cell.sum());
    sample(out, &format!("{name}_count"), labels, None, count);
}

/// Appends one line.
pub(super) fn sample(
    out: &mut String,
    name: &str,
    labels: &Labels,
    le: Option<&str>,
    value: impl std::fmt::Display,
) {
    out.push_str(name);
    let mut open = '{';
    for (name, value) in labels.iter().chain(le.map(|le| ("le", le))) {
        out.push(open);
        out.push_str(name);
        out.push_str("=\"");
        escape(out, value);
        out.push('"');
        open = ',';
    }
    if open == ',' {
        out.push('}');
    }
    put(out, format_args!(" {value}\n"));
}

fn escape(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("a String takes what is written to it");
}
