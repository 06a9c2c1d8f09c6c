//! HTTP/2 by h2spec, which breaks the rules of RFC 9113 one by one.

use std::env::var_os;

use mesh_integration::pods::{Trial, programs};

use crate::way::{Two, Way, each_way};

/// Where the ring puts it; made from its Go module, see the Makefile.
const H2SPEC: &str = "/mesh/bin/h2spec";
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
    let built = var_os("MESH_PODS_H2SPEC").is_some_and(|path| !path.is_empty());
    let tests = each_way("h2spec", h2spec).into_iter();
    tests
        .map(|test| test.with_ignored_flag(!built && var_os("CI").is_none()))
        .collect()
}

/// In strict mode: also what the RFC only recommends.
fn h2spec(way: Way) {
    let two = Two::start(way, programs::nginx(), &[(81, 8081)]);
    let host = two.web.ips()[0].to_string();
    let run = format!("{H2SPEC} --strict -h {host} -p 8081 -j report.xml > said; cat report.xml");
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
            None => assert!(result.passed, "{result:?}"),
            Some(exception) => {
                let why = exception.why;
                assert!(!result.passed, "no exception any more ({why}): {result:?}");
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
