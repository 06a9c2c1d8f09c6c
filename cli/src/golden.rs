//! Recorded output for tests: `UPDATE_GOLDEN=1 cargo test -p mesh` writes it anew, and the change shows in the diff.

use std::path::Path;

/// Compares with `tests/golden/NAME`.
#[track_caller]
pub(crate) fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text,
        recorded,
        "differs from {}; UPDATE_GOLDEN=1 records it",
        path.display()
    );
}
