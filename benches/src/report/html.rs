//! One file to look at: the tables, and charts of the same figures. Nothing is loaded from elsewhere.

use super::chart::{self, Bar, Curve};
use super::{Report, Row, markdown};
use crate::case::Case;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:1150px;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;font-size:13px;margin:1em 0}td,th{padding:.2em .6em;border-bottom:1px solid #ddd;text-align:right}\
td:first-child,th:first-child{text-align:left}.charts{display:flex;flex-wrap:wrap;gap:1.5em}strong{color:#b00}\
svg{font:12px system-ui,sans-serif}";

/// The page.
pub(super) fn page(report: &Report<'_>) -> String {
    let mut body = String::new();
    let tables = markdown::page(report);
    let mut sections = tables.split("\n## ");
    body += &section(sections.next().unwrap_or_default());
    for text in sections {
        body += &section(&format!("## {text}"));
        let named = text.lines().next().unwrap_or_default();
        let mut cases = report.settings.cases.iter().enumerate();
        if let Some((index, case)) = cases.find(|(_, case)| case.to_string() == named) {
            let rows: Vec<&Row> = report
                .rows
                .iter()
                .filter(|row| row.index == index)
                .collect();
            body += &charts(case, &rows);
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>What two hops cost</title>\n\
         <style>{STYLE}</style>\n<body>\n{body}</body></html>\n"
    )
}

fn charts(case: &Case, rows: &[&Row]) -> String {
    let bars = |figure: fn(&Row) -> Option<f64>| {
        let bars = rows.iter().filter_map(|row| {
            let value = figure(row)?;
            Some(Bar {
                name: row.peer,
                value,
            })
        });
        bars.collect::<Vec<_>>()
    };
    let mut text = String::from("<div class=\"charts\">\n");
    if !case.is_bulk() {
        let curves: Vec<Curve<'_>> = rows
            .iter()
            .map(|row| Curve {
                name: row.peer,
                latency: &row.latency,
            })
            .collect();
        text += &chart::percentiles("Latency, ms, by percentile", &curves);
    }
    if case.rps.is_none() {
        let title = if case.is_bulk() {
            "MB/s"
        } else {
            "Requests per second"
        };
        text += &chart::bars(title, &bars(|row| Some(row.rps)));
    }
    text += &chart::bars(
        "CPU of both proxies, us per request",
        &bars(|row| row.cpu_us_per_request),
    );
    text + "</div>\n"
}

/// What `markdown` writes, and no more: headings, paragraphs, lists, tables, bold.
fn section(markdown: &str) -> String {
    let mut html = String::new();
    let mut in_table = false;
    for line in markdown.lines() {
        let is_row = line.starts_with('|');
        if in_table && !is_row {
            html += "</table>\n";
        }
        let text = inline(line);
        if is_row {
            html += &row(&text, !in_table);
        } else if let Some(title) = text.strip_prefix("## ") {
            html += &format!("<h2>{title}</h2>\n");
        } else if let Some(title) = text.strip_prefix("# ") {
            html += &format!("<h1>{title}</h1>\n");
        } else if let Some(item) = text.strip_prefix("- ") {
            html += &format!("<li>{item}</li>\n");
        } else if !text.is_empty() {
            html += &format!("<p>{text}</p>\n");
        }
        in_table = is_row;
    }
    html + if in_table { "</table>\n" } else { "" }
}

fn row(line: &str, first: bool) -> String {
    if line.starts_with("|---") {
        return String::new();
    }
    let (start, cell) = if first {
        ("<table>\n", "th")
    } else {
        ("", "td")
    };
    let line = line.trim_start_matches('|').trim_end();
    let cells = line.strip_suffix('|').unwrap_or(line).split('|');
    let cells: String = cells
        .map(|text| format!("<{cell}>{}</{cell}>", text.trim()))
        .collect();
    format!("{start}<tr>{cells}</tr>\n")
}

fn inline(line: &str) -> String {
    let escaped = line
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    match escaped
        .strip_prefix("**")
        .and_then(|rest| rest.strip_suffix("**"))
    {
        Some(bold) => format!("<strong>{bold}</strong>"),
        None => escaped.replace('`', ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_markdown_becomes_html() {
        let html = section("# T\n\n**bad & <b>**\n\n| a | b |\n|---|---|\n| 1 |  |\n\n- x\n");
        let wanted = "<h1>T</h1>\n<p><strong>bad &amp; &lt;b&gt;</strong></p>\n<table>\n<tr><th>a</th><th>b</th></tr>\n\
                      <tr><td>1</td><td></td></tr>\n</table>\n<li>x</li>\n";
        assert_eq!(html, wanted);
    }
}
