//! HTTP/2 by h2spec, which breaks the rules of RFC 9113 one by one.

use mesh_integration::pods::{Trial, built, programs};

use crate::way::{Two, Way, each_way, unless_built};

/// All of it, so that nobody leaves out a part unseen.
const CASES: usize = 146;

/// A case that a proxy can't pass, and why.
struct Exception {
    section: &'static str,
    case: &'static str,
    why: &'static str,
}

const EXCEPTIONS: [Exception; 0] = [];

pub(crate) fn tests() -> Vec<Trial> {
    unless_built("h2spec", each_way("h2spec", h2spec))
}

/// In strict mode: also what the RFC only recommends.
fn h2spec(way: Way) {
    let two = Two::start(way, programs::nginx(), &[(81, 8081)]);
    let host = two.web.ips()[0].to_string();
    let h2spec = built("h2spec").expect("tests() looked");
    let run = format!("{h2spec} --strict -h {host} -p 8081 -j report.xml > said; cat report.xml");
    let report = two.client.shell(&run).ok();
    let results = results(&report);
    assert_eq!(results.len(), CASES, "{report}");
    for pod in two.proxied(way) {
        assert!(pod.metric("request_total", &[]) > 50, "{}", pod.name());
    }
    for result in results {
        let exception = EXCEPTIONS
            .iter()
            .find(|exception| (exception.section, exception.case) == (result.section, result.case));
        match exception {
            None => assert!(result.passed, "{}", result.text),
            Some(exception) => {
                let why = exception.why;
                assert!(
                    !result.passed,
                    "no exception any more ({why}): {}",
                    result.text
                );
            }
        }
    }
}

#[derive(Debug)]
struct CaseResult<'a> {
    section: &'a str,
    case: &'a str,
    passed: bool,
    text: &'a str,
}

/// The cases of a JUnit report, as h2spec writes it.
fn results(report: &str) -> Vec<CaseResult<'_>> {
    let cases = report.split("<testcase ").skip(1);
    cases
        .map(|text| CaseResult {
            section: attribute(text, "package"),
            case: attribute(text, "classname"),
            passed: !["<failure", "<error", "<skipped"]
                .iter()
                .any(|tag| text.contains(tag)),
            text,
        })
        .collect()
}

fn attribute<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, value) = text.split_once(&format!("{name}=\"")).unwrap();
    value.split('"').next().unwrap()
}
