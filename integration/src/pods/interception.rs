//! Interception as in a cluster: `mesh-proxy init`, as root, before anything else runs in the pod.

use std::path::Path;

use super::netns::Netns;
use super::process::run;
use super::root::binary;

/// Redirects the connections of a pod to its proxy, and proves that it works.
pub(super) fn intercept(netns: &Netns, dir: &Path, flags: &[String]) {
    let program = binary("mesh-proxy");
    let mut command = vec![program.as_str(), "init"];
    command.extend(flags.iter().map(String::as_str));
    run(&command, netns, dir, 0).ok();
}
