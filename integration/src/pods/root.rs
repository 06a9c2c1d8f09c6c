//! The root folder inside: Debian's programs below, a writable layer in memory above, and our binaries.

use std::env;
use std::ffi::{CString, OsString};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};

use crate::binaries;

/// The binaries under test, as they ship.
const BINARIES: [&str; 3] = ["mesh-proxy", "mesh-controller", "mesh-identity"];
/// Paths of programs that are built and no packages, with colons between; see the Makefile.
const TOOLS: &str = "MESH_PODS_TOOLS";
/// Where they are inside.
const BIN: &str = "/mesh/bin";
/// Devices that programs open.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Accounts inside; uids as Debian's packages and Linkerd's proxy have them, or near.
const ACCOUNTS: &str = "\
root:x:0:0:root:/root:/bin/bash
www-data:x:33:33::/:/bin/false
sshd:x:101:65534::/run/sshd:/bin/false
postgres:x:102:102::/tmp:/bin/bash
mysql:x:103:103::/tmp:/bin/bash
app:x:1000:1000::/tmp:/bin/bash
proxy:x:2102:2102::/:/bin/false
nobody:x:65534:65534::/:/bin/false
";

static OUTER_PID: OnceLock<String> = OnceLock::new();

/// Path of one of our binaries, inside.
pub(super) fn binary(name: &str) -> String {
    format!("{BIN}/{name}")
}

/// What to type outside to get in.
pub(super) fn enter_command() -> String {
    let pid = OUTER_PID.get().map_or("PID", String::as_str);
    format!("nsenter --target {pid} --user --mount --net --pid --root --wd=/")
}

/// The binaries under test, by name.
pub(super) fn binaries() -> Result<Vec<(OsString, PathBuf)>, String> {
    let find = |name| Ok((OsString::from(name), binaries::find(name, "test-pods")?));
    let tools = tools().into_iter().map(Ok);
    BINARIES.into_iter().map(find).chain(tools).collect()
}

/// The programs that were built for this run, by name.
fn tools() -> Vec<(OsString, PathBuf)> {
    let paths = env::var_os(TOOLS).unwrap_or_default();
    let named = |path: PathBuf| Some((path.file_name()?.to_owned(), path));
    env::split_paths(&paths).filter_map(named).collect()
}

/// Path inside of a program that is built and no package, if it was built for this run.
#[must_use]
pub fn built(name: &str) -> Option<String> {
    let there = tools().iter().any(|(tool, _)| tool == name);
    there.then(|| binary(name))
}

/// Makes the root folder, with `files` from outside bound into it, and changes into it.
pub(super) fn enter(programs: &Path, files: &[(PathBuf, PathBuf)]) -> Result<(), String> {
    // The outer /proc still tells the pid that this process has outside.
    if let Ok(pid) = fs::read_link("/proc/self") {
        OUTER_PID.get_or_init(|| pid.display().to_string());
    }
    let binaries = binaries()?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .map_err(|error| format!("mounts can't be made private ({error})"))?;
    let root = layers(programs)?;
    let steps = fill(&root, &binaries).and_then(|()| {
        files.iter().try_for_each(|(from, to)| {
            let to = root.join(to.strip_prefix("/").unwrap_or(to));
            bind(from, &to)
        })
    });
    steps.map_err(|error| format!("the root folder can't be made ({error})"))?;
    rustix::process::chroot(&root)
        .and_then(|()| rustix::process::chdir("/"))
        .map_err(|error| format!("can't change into the root folder ({error})"))
}

/// `PROGRAMS/root` with a layer over it that vanishes.
fn layers(programs: &Path) -> Result<PathBuf, String> {
    let failed = |what, error| format!("{what} can't be mounted ({error})");
    let memory = programs.join("mount");
    fs::create_dir_all(&memory).map_err(|error| failed("memory", error))?;
    tmpfs(&memory, "mode=0755").map_err(|error| failed("memory", error))?;
    let [upper, work, root] = ["upper", "work", "root"].map(|name| memory.join(name));
    for folder in [&upper, &work, &root] {
        fs::create_dir(folder).map_err(|error| failed("memory", error))?;
    }
    let options = format!(
        "lowerdir={},upperdir={},workdir={},userxattr",
        programs.join("root").display(),
        upper.display(),
        work.display()
    );
    let options = CString::new(options).map_err(|error| error.to_string())?;
    mount("overlay", &root, "overlay", MountFlags::empty(), &*options)
        .map_err(|error| failed("an overlay", error.into()))?;
    Ok(root)
}

fn tmpfs(path: &Path, options: &str) -> io::Result<()> {
    let options = CString::new(options)?;
    Ok(mount(
        "tmpfs",
        path,
        "tmpfs",
        MountFlags::empty(),
        &*options,
    )?)
}

fn fill(root: &Path, binaries: &[(OsString, PathBuf)]) -> io::Result<()> {
    let at = |path: &str| root.join(path);
    // Stays in memory whole, so that watching files works as on any file system.
    tmpfs(&at("run"), "mode=0755")?;
    for folder in ["run/netns", "run/sshd", "dev/shm", "mesh/bin", "tmp"] {
        fs::create_dir_all(at(folder))?;
    }
    for open in ["dev/shm", "tmp"] {
        fs::set_permissions(at(open), Permissions::from_mode(0o1777))?;
    }
    mount("proc", at("proc"), "proc", MountFlags::empty(), None)?;
    // Not to be had where another mount covers part of it; nothing here needs it.
    mount("sysfs", at("sys"), "sysfs", MountFlags::empty(), None).ok();
    for device in DEVICES {
        bind(&Path::new("/dev").join(device), &at("dev").join(device))?;
    }
    symlink("/proc/self/fd", at("dev/fd"))?;
    // Which shell this is, a maintainer script would have decided.
    if !at("usr/bin/sh").exists() {
        symlink("bash", at("usr/bin/sh"))?;
    }
    for (name, path) in binaries {
        bind(path, &at("mesh/bin").join(name))?;
    }
    fs::write(at("etc/passwd"), ACCOUNTS)?;
    let groups = ACCOUNTS.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        Some(format!("{}:x:{}:\n", fields.first()?, fields.get(3)?))
    });
    fs::write(at("etc/group"), groups.collect::<String>())?;
    fs::write(at("etc/resolv.conf"), super::dns::RESOLV_CONF)?;
    fs::write(
        at("etc/nsswitch.conf"),
        "passwd: files\ngroup: files\nhosts: files dns\n",
    )?;
    fs::write(at("etc/hosts"), "127.0.0.1 localhost\n::1 localhost\n")
}

fn bind(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
    } else {
        File::create(to)?;
    }
    Ok(mount_bind(from, to)?)
}
