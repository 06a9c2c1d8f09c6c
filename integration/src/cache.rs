//! What is fetched or built once for a user, outside of checkouts: `$XDG_CACHE_HOME/mesh`, or `~/.cache/mesh`.
//!
//! The name of a folder says all that its content depends on. So nothing in it is ever updated, and two checkouts that need different
//! versions do not take them from each other.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The folder of this name, relative to the cache, after `fill` has filled it: once, and whoever comes second waits for the first.
///
/// `fill` may find what an earlier attempt has left; it returns which versions it has taken, for people to look up in `complete`.
///
/// # Errors
/// Those of `fill`, and why the folder can't be made.
pub fn filled(
    name: &Path,
    fill: impl FnOnce(&Path) -> Result<String, String>,
) -> Result<PathBuf, String> {
    let folder = root()?.join(name);
    let parent = folder.parent().unwrap_or(&folder);
    let failed = |what: &str, error: io::Error| format!("{what} in {} ({error})", parent.display());
    fs::create_dir_all(parent).map_err(|error| failed("can't make a folder", error))?;
    let lock = folder.with_added_extension("lock");
    let lock = File::create(lock).map_err(|error| failed("can't lock", error))?;
    lock.lock().map_err(|error| failed("can't lock", error))?;
    let complete = folder.join("complete");
    if !complete.exists() {
        let versions = fill(&folder)?;
        fs::write(&complete, versions).map_err(|error| failed("can't write", error))?;
    }
    Ok(folder)
}

fn root() -> Result<PathBuf, String> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let home = || Some(PathBuf::from(set("HOME")?).join(".cache"));
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let cache = cache.ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(cache.join("mesh"))
}
