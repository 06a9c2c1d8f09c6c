//! What Debian has packaged: installed when missing, since the ring is root anyway.
//!
//! Where systemd runs, Debian's packages also start an etcd and a containerd of their own. Ours don't meet them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache;

/// A file of each package, and the package.
const NEEDED: &[(&str, &str)] = &[
    ("/usr/bin/etcd", "etcd-server"),
    ("/usr/bin/containerd", "containerd"),
    ("/usr/sbin/runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/sbin/conntrack", "conntrack"),
    ("/sbin/ip", "iproute2"),
    ("/usr/bin/unshare", "util-linux"),
];

/// Installs what is missing.
pub(super) fn install() -> Result<(), String> {
    let missing = NEEDED.iter().filter(|(file, _)| !Path::new(file).exists());
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("kubernetes: installing {}", missing.join(" "));
    apt(&["update"], &missing)?;
    let mut install = vec!["install", "--no-install-recommends"];
    install.extend(&missing);
    apt(&install, &missing)
}

/// A folder with Debian's static busybox at its place. Not installed: that would remove the busybox which a machine may have.
pub(super) fn busybox() -> Result<PathBuf, String> {
    let name = Path::new("busybox-static");
    cache::filled(name, |folder| {
        fs::create_dir_all(folder).map_err(|error| format!("{} ({error})", folder.display()))?;
        let download = format!(
            "cd {} && (apt-get -q download busybox-static || (apt-get -q update && apt-get -q download busybox-static)) \
             && dpkg-deb --extract busybox-static_*.deb .",
            folder.display()
        );
        let output = Command::new("sh").args(["-c", &download]).output();
        let output = output.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let failed = || format!("Debian's busybox-static can't be had: {}", said.trim());
        output.status.success().then(String::new).ok_or_else(failed)
    })
}

fn apt(arguments: &[&str], wanted: &[&str]) -> Result<(), String> {
    let failed = |why: String| {
        let wanted = wanted.join(" ");
        format!("`apt-get {}` {why}; install {wanted}", arguments[0])
    };
    let output = Command::new("apt-get")
        .args(["--yes", "--quiet"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(format!("({error})")))?;
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    output
        .status
        .success()
        .then_some(())
        .ok_or_else(|| failed(format!("failed: {}", said().trim())))
}
