use super::*;
use crate::check::checks::KUBERNETES;
use crate::golden::assert_golden;

/// A run with a check of each level, whatever they are called.
fn printed(format: Format, colours: bool) -> String {
    let mut out = Vec::new();
    let mut report = Report::new(&mut out, format, colours, Progress::Hidden);
    let checks = KUBERNETES[0].checks;
    let outcomes = [
        ("kubernetes", checks[0], Level::Passed, vec![]),
        (
            "kubernetes",
            checks[2],
            Level::Skipped,
            vec!["no node has a podCIDR".to_owned()],
        ),
        ("data-plane", checks[1], Level::Passed, vec![]),
        (
            "injection",
            checks[2],
            Level::Warning,
            vec!["pod shop/web-1: first\nand second line".to_owned()],
        ),
        (
            "injection",
            checks[3],
            Level::Failed,
            (1..=22)
                .map(|n| format!("pod shop/web-{n}: refused"))
                .collect(),
        ),
    ];
    report.reading();
    let mut category = "";
    for (name, check, level, lines) in outcomes {
        if category != name {
            report.category(name);
            category = name;
        }
        report.ended(&Outcome {
            check,
            category: name,
            level,
            lines,
        });
    }
    let summary = Summary {
        passed: 2,
        skipped: 1,
        warnings: 1,
        failed: 1,
        cut_short: false,
    };
    report.end(&summary).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_forms_are_as_recorded() {
    assert_golden("check.txt", &printed(Format::Table, false));
    assert_golden("check-short.txt", &printed(Format::Short, false));
    assert_golden("check.json", &printed(Format::Json, false));
}

#[test]
fn colours_are_only_added() {
    let coloured = printed(Format::Table, true);
    assert!(coloured.contains("\x1b[31m×\x1b[0m all that"), "{coloured}");
    let mut plain = coloured;
    for code in ["\x1b[0m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[90m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, printed(Format::Table, false));
}

#[test]
fn all_is_well_in_one_line_when_short() {
    let mut out = Vec::new();
    let mut report = Report::new(&mut out, Format::Short, false, Progress::Hidden);
    report.category("kubernetes");
    let check = KUBERNETES[0].checks[0];
    report.ended(&Outcome {
        check,
        category: "kubernetes",
        level: Level::Passed,
        lines: vec![],
    });
    report
        .end(&Summary {
            passed: 1,
            ..Summary::default()
        })
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(
        text,
        "Status check results are √ (1 passed, 0 skipped, 0 with warnings, 0 failed)\n"
    );
}

#[test]
fn a_run_that_was_cut_short_says_so() {
    let summary = Summary {
        failed: 1,
        cut_short: true,
        ..Summary::default()
    };
    let text = Text { colours: false }.summary(&summary, false);
    assert!(text.ends_with("1 failed, the rest not run)\n"), "{text}");
}

/// Standard output that is closed.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_output_is_an_error_at_the_end() {
    let mut report = Report::new(Closed, Format::Table, false, Progress::Hidden);
    report.category("kubernetes");
    assert!(report.end(&Summary::default()).is_err());
}
