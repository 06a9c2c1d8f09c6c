//! The node inside: what a machine has once, and a cluster would share with its host or with another run.
//!
//! Called by process 1 of new network, mount and pid namespaces. `/sys` stays the host's: a new one would have no cgroups in it,
//! which is why `ip netns exec` is of no use here.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::mount::{MountFlags, mount, mount_bind};

/// State and logs of the run.
pub(super) const STATE: &str = "/run/mesh-kubernetes";
/// Address of the node.
pub(super) const NODE_IP: &str = "10.200.0.1";
/// Folders whose paths Kubernetes, containerd and CNI have built in.
const FOLDERS: [&str; 7] = [
    STATE,
    "/run/containerd",
    "/run/netns",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
];
/// Settings of the whole machine that kubelet wants to change.
const TUNABLES: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// Makes the node; `cgroup` is the name of its own part of each cgroup hierarchy.
pub(super) fn enter(cgroup: &str) -> Result<(), String> {
    for folder in FOLDERS {
        memory(Path::new(folder)).map_err(|error| format!("can't mount {folder} ({error})"))?;
    }
    for tunable in TUNABLES {
        shield(tunable).map_err(|error| format!("can't cover {tunable} ({error})"))?;
    }
    network()?;
    for hierarchy in cgroup_hierarchies() {
        let path = hierarchy.join(cgroup);
        delegate(&hierarchy);
        fs::create_dir_all(&path)
            .map_err(|error| format!("can't make {} ({error})", path.display()))?;
    }
    Ok(())
}

/// Gone with the mount namespace, however that ends.
fn memory(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    Ok(mount(
        "tmpfs",
        folder,
        "tmpfs",
        MountFlags::empty(),
        c"mode=0755",
    )?)
}

/// Puts a copy over a setting, for kubelet to write.
fn shield(tunable: &str) -> io::Result<()> {
    let setting = Path::new("/proc/sys").join(tunable);
    let copy = Path::new(STATE).join(tunable.replace('/', "."));
    fs::write(&copy, fs::read(&setting)?)?;
    Ok(mount_bind(&copy, &setting)?)
}

/// One address and a default route: kubelet and the API server look for both. The other end of the pair is for nobody; a dummy
/// device would do, if every kernel had them.
fn network() -> Result<(), String> {
    let lines = format!(
        "link set lo up\n\
         link add eth0 type veth peer name outside\n\
         addr add {NODE_IP}/24 dev eth0\n\
         link set eth0 up\n\
         link set outside up\n\
         route add default dev eth0\n"
    );
    let failed = |why: String| format!("can't set up the network ({why})");
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut input = ip.stdin.take().expect("its standard input is a pipe");
    let written = input.write_all(lines.as_bytes());
    drop(input);
    let status = ip.wait().map_err(|error| failed(error.to_string()))?;
    match (written, status.success()) {
        (Ok(()), true) => {}
        (written, _) => return Err(failed(format!("{written:?}, ip: {status}"))),
    }
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(|error| failed(error.to_string()))
}

/// The folders in which a cgroup has to be made: one with cgroup v2, one for each controller with v1.
pub(super) fn cgroup_hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let fields = mounts.lines().map(|line| line.split(' '));
    let cgroups = fields.filter_map(|mut fields| {
        let (path, kind) = (fields.nth(1)?, fields.next()?);
        matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(path))
    });
    cgroups.collect()
}

/// With cgroup v2, lets groups in it have the controllers that it has. What can't be delegated, kubelet names when it misses it.
fn delegate(hierarchy: &Path) {
    let controllers = fs::read_to_string(hierarchy.join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        fs::write(
            hierarchy.join("cgroup.subtree_control"),
            format!("+{controller}"),
        )
        .ok();
    }
}
