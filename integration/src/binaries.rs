//! The binaries under test: those that cargo has put where the tests are.

use std::env;
use std::path::{Path, PathBuf};

/// Path of a binary; `make` names the target that builds it.
pub(crate) fn find(name: &str, make: &str) -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let folder = own.parent().and_then(Path::parent);
    let path = folder.unwrap_or(Path::new("/")).join(name);
    let missing = || format!("{} is not built; run `make {make}`", path.display());
    path.is_file().then(|| path.clone()).ok_or_else(missing)
}
