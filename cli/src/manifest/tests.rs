use super::*;
use serde_json::json;

fn read(text: &str) -> Value {
    mesh_controller::manifests::read(text).unwrap()
}

fn add(text: &str, path: &str, value: Value) -> Changed {
    change(text, &read(text), &[Change::Add(path.to_owned(), value)])
}

fn edited(text: &str, changes: &[Change]) -> String {
    let changed = change(text, &read(text), changes);
    assert!(!changed.rewritten, "in place: {}", changed.text);
    changed.text
}

#[test]
fn members_go_below_the_key_and_nothing_else_moves() {
    for (before, after) in [
        (
            "a: 1 # one\nb: # two\n    # about c\n    c: 'x'  # c\n\n# end\n",
            "a: 1 # one\nb: # two\n    k/l: enabled\n    # about c\n    c: 'x'  # c\n\n# end\n",
        ),
        ("b: {}\n", "b: {\"k/l\": \"enabled\"}\n"),
        ("b: {c: 1} # x\n", "b: {\"k/l\": \"enabled\", c: 1} # x\n"),
        ("b: # none\nd: 1\n", "b: # none\n  k/l: enabled\nd: 1\n"),
        ("b:", "b:\n  k/l: enabled\n"),
        ("b:\n  k/l: 'disabled' # no\n", "b:\n  k/l: enabled # no\n"),
        ("b:\r\n  c: 1\r\n", "b:\r\n  k/l: enabled\r\n  c: 1\r\n"),
        (
            "{\n  \"b\": {\n    \"c\": 1\n  }\n}\n",
            "{\n  \"b\": {\"k/l\": \"enabled\", \n    \"c\": 1\n  }\n}\n",
        ),
        ("- b:\n    c: 1\n", "- b:\n    k/l: enabled\n    c: 1\n"),
    ] {
        let root = if before.starts_with('-') {
            "/0/b"
        } else {
            "/b"
        };
        let parent = read(before).pointer(root).cloned().unwrap_or_default();
        let change = match parent {
            Value::Null => Change::Add(root.to_owned(), json!({"k/l": "enabled"})),
            _ => Change::Add(format!("{root}/k~1l"), json!("enabled")),
        };
        assert_eq!(edited(before, &[change]), after);
    }
}

#[test]
fn items_go_first_or_last() {
    let first = |text: &str| {
        edited(
            text,
            &[Change::Add("/l/0".to_owned(), json!({"i": 1, "o": ["-a"]}))],
        )
    };
    let last = |text: &str| edited(text, &[Change::Add("/l/-".to_owned(), json!({"i": 1}))]);
    assert_eq!(
        first("l: # list\n# two\n- i: 2\n"),
        "l: # list\n- i: 1\n  o:\n  - \"-a\"\n# two\n- i: 2\n"
    );
    assert_eq!(
        first("l:\n    - i: 2\n"),
        "l:\n    - i: 1\n      o:\n      - \"-a\"\n    - i: 2\n"
    );
    assert_eq!(first("l: [2]\n"), "l: [{\"i\":1,\"o\":[\"-a\"]}, 2]\n");
    assert_eq!(
        last("l:\n- i: |\n    two\n    lines\nm: 1\n"),
        "l:\n- i: |\n    two\n    lines\n- i: 1\nm: 1\n"
    );
    assert_eq!(
        last("l:\n  - i: 2 # two\n\nm: 1"),
        "l:\n  - i: 2 # two\n  - i: 1\n\nm: 1"
    );
    assert_eq!(last("l: [2] # x"), "l: [2, {\"i\":1}] # x");
    assert_eq!(last("l: []"), "l: [{\"i\":1}]");
    assert_eq!(last("l:\n- 2"), "l:\n- 2\n- i: 1\n");
}

#[test]
fn what_is_taken_out_takes_empty_parents_along() {
    let without = |text: &str, path: &str| edited(text, &[Change::Remove(path.to_owned())]);
    assert_eq!(
        without("a: 1\nb:\n  c:\n    d: 1 # d\n# e\ne: 2\n", "/b/c/d"),
        "a: 1\n# e\ne: 2\n"
    );
    assert_eq!(
        without("b:\n  c: 1\n  d: |\n    text\n  e: 2\n", "/b/d"),
        "b:\n  c: 1\n  e: 2\n"
    );
    assert_eq!(
        without("l:\n- n: 1\n  o: 2\n- n: 2\n", "/l/0"),
        "l:\n- n: 2\n"
    );
    assert_eq!(
        without("l:\n- n: 1\n  o: 2\n- n: 2\n", "/l/0/n"),
        "l:\n- o: 2\n- n: 2\n"
    );
    assert_eq!(without("b: {c: 1, d: 2}\n", "/b/c"), "b: {d: 2}\n");
    assert_eq!(without("b: {c: 1, d: 2}\n", "/b/d"), "b: {c: 1}\n");
    assert_eq!(without("b: {c: 1}\na: 2\n", "/b/c"), "a: 2\n");
    assert_eq!(without("l: [1, 2, 3]\n", "/l/1"), "l: [1, 3]\n");
    assert_eq!(
        without("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "/a"),
        "{\n  \"b\": 2\n}\n"
    );
    assert_eq!(
        without("{\"a\": 1, \n  \"b\": 2\n}\n", "/a"),
        "{\n  \"b\": 2\n}\n"
    );
}

/// An anchor's other uses would change too, so the document is written anew.
#[test]
fn what_cannot_be_edited_is_written_anew() {
    let text = "a: &x\n  c: 1\nb: *x\n";
    for path in ["/a/d", "/b/d"] {
        let changed = add(text, path, json!(2));
        assert!(changed.rewritten);
        let mut expected = json!({"a": {"c": 1}, "b": {"c": 1}});
        expected[&path[1..2]]["d"] = json!(2);
        assert_eq!(read(&changed.text), expected);
    }
}

#[test]
fn text_is_quoted_where_a_reader_could_be_misled() {
    for plain in ["enabled", "mesh.dev/inject", "mesh/proxy:0.1.0", "/run"] {
        assert_eq!(emit::text(plain), plain);
    }
    for quoted in [
        "true", "No", "8080", "1e3", ".5", "", "a: b", "a:", "-a", "~", "0x1f", "a #b", "é",
        "a\nb", "{a}",
    ] {
        assert_eq!(emit::text(quoted), Value::from(quoted).to_string());
    }
}

proptest::proptest! {
    /// Whatever is emitted reads back as what it was.
    #[test]
    fn documents_round_trip(keys in proptest::collection::btree_map("[ -~\n]{0,6}", "[ -~\n\u{e9}]{0,8}", 1..4), number in -9i64..9) {
        let map: serde_json::Map<_, _> = keys.into_iter().map(|(key, value)| (key, json!([value, {"n": number, "e": {}, "l": [[], [1, "x"]]}]))).collect();
        let value = Value::Object(map);
        proptest::prop_assert_eq!(read(&emit::document(&value)), value);
    }
}
