//! What files say over time.

use super::*;
use tempfile::TempDir;

fn node(name: &str, zone: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{topology.kubernetes.io/zone: '{zone}'}}}}}}\n"
    )
}

struct Files {
    directory: TempDir,
    snapshot: Snapshot,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = Snapshot::new(directory.path().to_owned());
        Self {
            directory,
            snapshot,
        }
    }

    /// A new file each time, as a careful writer makes: never the same stamp.
    fn write(&self, name: &str, text: &str) {
        let new = self.directory.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.directory.path().join(name)).unwrap();
    }

    /// The changes: `+NAME zone` and `-NAME`.
    fn read(&mut self) -> Vec<String> {
        let batch = self.snapshot.read();
        let said = batch.into_iter().map(|change| match change {
            Change::Delete(key) => format!("-{}", key.name),
            Change::Apply(Object::Node(node)) => format!("+{} {}", node.name, node.zone.unwrap()),
            other => panic!("{other:?}"),
        });
        said.collect()
    }

    fn broken(&self) -> usize {
        self.snapshot
            .files
            .values()
            .filter(|file| file.broken)
            .count()
    }
}

#[test]
fn only_changes_are_told() {
    let mut files = Files::new();
    assert!(files.read().is_empty());
    files.write("a.yaml", &format!("{}{}", node("x", "1"), node("y", "1")));
    files.write("notes.txt", "no manifest");
    files.write(".hidden.yaml", "no manifest");
    assert_eq!(files.read(), ["+x 1", "+y 1"]);
    assert!(files.read().is_empty());
    files.write("a.yaml", &format!("{}{}", node("x", "1"), node("y", "2")));
    assert_eq!(files.read(), ["+y 2"]);
    fs::remove_file(files.directory.path().join("a.yaml")).unwrap();
    assert_eq!(files.read(), ["-x", "-y"]);
}

#[test]
fn a_broken_file_keeps_its_last_good_state() {
    let mut files = Files::new();
    files.write("a.yaml", &node("x", "1"));
    files.write("b.yml", &node("y", "1"));
    assert_eq!(files.read().len(), 2);
    files.write("a.yaml", &format!("{}---\nbroken", node("z", "1")));
    files.write("b.yml", &node("y", "2"));
    assert_eq!(files.read(), ["+y 2"], "the other file goes on");
    assert_eq!(files.broken(), 1);
    files.write("a.yaml", &node("z", "1"));
    assert_eq!(files.read(), ["-x", "+z 1"]);
    assert_eq!(files.broken(), 0);
}

#[test]
fn a_file_that_never_was_good_says_nothing() {
    let mut files = Files::new();
    files.write("a.yaml", "broken");
    fs::write(files.directory.path().join("b.yaml"), [0xff, 0xfe]).unwrap();
    std::os::unix::fs::symlink("nowhere", files.directory.path().join("c.yaml")).unwrap();
    assert!(files.read().is_empty());
    assert_eq!(files.broken(), 3);
}

#[test]
fn of_two_definitions_the_last_file_counts() {
    let mut files = Files::new();
    files.write("a.yaml", &node("x", "1"));
    files.write("b.yaml", &node("x", "2"));
    assert_eq!(files.read(), ["+x 2"]);
    fs::remove_file(files.directory.path().join("b.yaml")).unwrap();
    assert_eq!(files.read(), ["+x 1"]);
}

#[test]
fn a_directory_that_vanishes_changes_nothing() {
    let mut files = Files::new();
    files.write("a.yaml", &node("x", "1"));
    files.read();
    fs::remove_dir_all(files.directory.path()).unwrap();
    assert!(files.read().is_empty());
    assert_eq!(files.snapshot.objects.len(), 1);
}
