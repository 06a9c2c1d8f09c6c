//! What namespaces don't take away with them: cgroups, and the folder that tells outsiders how to get in.
//!
//! Both have the pid of the outer process in their names. So a run can tell what a dead one has left from what belongs to one that runs
//! beside it.

use std::fs;
use std::path::{Path, PathBuf};

use super::isolation::cgroup_hierarchies;

/// What the names begin with; the pid follows.
const PREFIX: &str = "mesh-kubernetes-";

/// Name of this run's cgroups.
pub(super) fn cgroup(pid: u32) -> String {
    format!("{PREFIX}{pid}")
}

/// Folder for what people outside need: the kubeconfig of a cluster that is kept.
pub(super) fn folder(pid: u32) -> PathBuf {
    std::env::temp_dir().join(format!("{PREFIX}{pid}"))
}

/// Removes all of the run with this pid.
pub(super) fn remove(pid: u32) {
    for hierarchy in cgroup_hierarchies() {
        remove_cgroup(&hierarchy.join(cgroup(pid)));
    }
    fs::remove_dir_all(folder(pid)).ok();
}

/// Removes what runs that are dead have left.
pub(super) fn sweep() {
    let mut places = cgroup_hierarchies();
    places.push(std::env::temp_dir());
    let entries = places.iter().flat_map(fs::read_dir).flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut pids: Vec<u32> = names
        .filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok())
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids.retain(|pid| !Path::new("/proc").join(pid.to_string()).exists());
    for pid in pids {
        eprintln!("kubernetes: removing what run {pid} has left");
        remove(pid);
    }
}

/// Innermost first. A group that is still in use stays.
fn remove_cgroup(path: &Path) {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_cgroup(&entry.path());
    }
    fs::remove_dir(path).ok();
}
