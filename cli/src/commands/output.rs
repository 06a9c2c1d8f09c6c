//! Forms of output that commands share: a table for people, JSON and YAML for programs.

use clap::ValueEnum;
use serde::Serialize;

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    Json,
    Yaml,
}

impl Format {
    /// The value as JSON or YAML, else what people read.
    pub(crate) fn print<T: Serialize>(
        self,
        value: &T,
        people: impl FnOnce(&T) -> String,
    ) -> String {
        match self {
            Self::Table => people(value),
            Self::Json => json(value),
            Self::Yaml => serde_saphyr::to_string(value).expect("answers have string keys only"),
        }
    }
}

pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("answers have string keys only") + "\n"
}

/// Prints; that a reader has seen enough (`| head`) is no failure.
pub(crate) fn print(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Columns two spaces apart, each as wide as its widest cell; an empty cell is a dash.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let cell = |text: &str| match text.is_empty() {
        true => "-".to_owned(),
        false => text.to_owned(),
    };
    let rows = rows.iter().map(|row| row.each_ref().map(|text| cell(text)));
    let lines: Vec<[String; N]> = std::iter::once(header.map(str::to_owned))
        .chain(rows)
        .collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or_default()
    });
    let line = |line: &[String; N]| {
        let cells = line.iter().zip(widths);
        let padded: String = cells
            .map(|(text, width)| format!("{text:<width$}  "))
            .collect();
        padded.trim_end().to_owned() + "\n"
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_is_shown_as_a_dash() {
        let rows = [
            ["web".to_owned(), "10.0.0.1".to_owned()],
            ["backend".to_owned(), String::new()],
        ];
        assert_eq!(
            table(["NAME", "IP"], &rows),
            "NAME     IP\nweb      10.0.0.1\nbackend  -\n"
        );
    }
}
