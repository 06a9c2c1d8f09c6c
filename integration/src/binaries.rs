//! The binaries under test: those that cargo has put where the tests are, or beside a program that is none.

use std::env;
use std::path::{Path, PathBuf};

/// Path of a binary; `make` names the target that builds it.
pub(crate) fn find(name: &str, make: &str) -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let beside = own.parent().unwrap_or(Path::new("/"));
    let folder = beside.parent().filter(|_| beside.ends_with("deps"));
    let path = folder.unwrap_or(beside).join(name);
    let missing = || format!("{} is not built; run `make {make}`", path.display());
    path.is_file().then(|| path.clone()).ok_or_else(missing)
}
