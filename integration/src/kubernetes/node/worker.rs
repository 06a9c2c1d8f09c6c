//! Command lines and files of containerd, kubelet and kube-proxy.

use std::path::Path;
use std::process::Command;

use super::super::isolation::{NODE_IP, STATE};
use super::super::tools::Tools;
use super::{Credentials, NAME, write};

/// Address of containerd.
const SOCKET: &str = "/run/mesh-kubernetes/containerd.sock";

pub(super) fn containerd() -> Result<Command, String> {
    let config = include_str!("worker/containerd.toml").replace("$STATE", STATE);
    let config = write("containerd.toml", &config)?;
    write("cni/10-bridge.conflist", include_str!("worker/cni.json"))?;
    let mut command = Command::new("containerd");
    command.arg("--config").arg(config);
    Ok(command)
}

pub(super) fn kubelet(
    tools: &Tools,
    credentials: &Credentials,
    cgroup: &str,
) -> Result<Command, String> {
    write("resolv.conf", "")?;
    let config = include_str!("worker/kubelet.yaml")
        .replace("$STATE", STATE)
        .replace("$CGROUP", cgroup);
    let config = write("kubelet.yaml", &config)?;
    let mut command = Command::new(tools.kubernetes("kubelet"));
    command
        .arg(format!("--config={}", config.display()))
        .arg(format!("--kubeconfig={}", credentials.file("node.conf")))
        .arg(format!("--hostname-override={NAME}"))
        // Or it looks its host name up in DNS, and is late for the rest of its start.
        .arg(format!("--node-ip={NODE_IP}"));
    Ok(command)
}

pub(super) fn proxy(tools: &Tools, credentials: &Credentials) -> Command {
    let mut command = Command::new(tools.kubernetes("kube-proxy"));
    command
        .arg(format!("--kubeconfig={}", credentials.file("admin.conf")))
        .arg(format!("--hostname-override={NAME}"))
        .arg("--proxy-mode=nftables")
        // Settings of the whole machine; 0 leaves them alone.
        .args([
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
        ])
        .arg("--conntrack-tcp-timeout-close-wait=0");
    command
}

/// A command of containerd's client, in the namespace of Kubernetes' images.
pub(super) fn ctr(arguments: &[&str]) -> Command {
    let mut command = Command::new("ctr");
    command.args(["--address", SOCKET, "--namespace", "k8s.io"]);
    command.args(arguments);
    command
}

/// Makes the images of a docker-archive known to kubelet.
pub(in super::super) fn import(archive: &Path) -> Result<(), String> {
    super::containerd_is_up()?;
    let path = archive.display().to_string();
    let output = ctr(&["images", "import", &path]).output();
    let output = output.map_err(|error| format!("ctr ({error})"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let failed = || format!("{path} can't be imported: {}", said.trim());
    output.status.success().then_some(()).ok_or_else(failed)
}
