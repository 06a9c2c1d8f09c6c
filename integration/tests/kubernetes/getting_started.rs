//! docs/getting-started.md, as somebody reads it: every block of shell, in order, and what the page says that it prints.

use std::path::Path;

use mesh_integration::kubernetes::{Cluster, Scenario, exclusive};

/// What is run.
const PAGE: &str = include_str!("../../../docs/getting-started.md");

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![exclusive(
        "getting_started::works_as_written",
        works_as_written,
    )]
}

/// A block of shell, and the lines that it prints, in which `...` is anything.
#[derive(Debug, Default)]
struct Step {
    shell: String,
    prints: Vec<String>,
}

async fn works_as_written(cluster: Cluster) {
    let space = cluster.space("reader").await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let steps = steps(PAGE);
    assert!(steps.len() > 5, "{steps:#?}");
    for step in steps {
        let lines = format!(
            "cd {}\n{}\n{}",
            root.display(),
            cluster.install_variables(),
            step.shell
        );
        // What is asked a moment too early is asked again, as a reader would.
        space
            .until(&format!("{step:#?}"), async || {
                let said = cluster.sh(&lines).await;
                eprintln!("{said}");
                let said = said.ok();
                let printed = |line: &String| said.lines().any(|each| matches(line, each));
                step.prints.iter().all(printed).then_some(())
            })
            .await;
    }
    assert_eq!(left(&cluster).await, Vec::<String>::new());
}

/// What the mesh has left after the last step.
async fn left(cluster: &Cluster) -> Vec<String> {
    let mut objects = cluster.objects().await;
    objects.retain(|object| {
        object
            .split_whitespace()
            .any(|word| word.starts_with("mesh"))
    });
    objects
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block = "";
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(kind) => {
                block = kind;
                if kind == "sh" {
                    steps.push(Step::default());
                }
            }
            None => {
                let last = steps.last_mut();
                match (block, last) {
                    ("sh", Some(step)) => step.shell += &format!("{line}\n"),
                    ("text", Some(step)) => step.prints.push(line.to_owned()),
                    _ => {}
                }
            }
        }
    }
    steps
}

/// Whether a line is as a pattern says, in which `...` is anything.
fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.trim().split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.trim().strip_prefix(first) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        open = part.is_empty();
    }
    open || rest.is_empty()
}
