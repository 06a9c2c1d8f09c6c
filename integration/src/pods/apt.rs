//! Real programs, without root and without installing: packages of Debian, unpacked into a folder of the user's cache.
//!
//! apt is told that nothing is installed, so what it names is complete, down to libc, and the folder works as a root folder whatever
//! the machine has. Maintainer scripts don't run. The folder's name has the suite and a hash of the package list in it: another list is
//! another folder, and both stay whole while two checkouts use them.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache;

/// What tests ask for by name; apt adds what these need.
pub(super) const PACKAGES: &[&str] = &[
    "bash",
    "coreutils",
    "curl",
    "ethtool",
    "grep",
    "iproute2",
    "mariadb-client-core",
    "mariadb-server-core",
    "memcached",
    "nftables",
    "nghttp2-client",
    "nginx",
    "openssh-client",
    "openssh-server",
    "openssl",
    "postgresql-15",
    "procps",
    "python3",
    "python3-grpcio",
    "python3-websockets",
    "redis-server",
    "util-linux",
    "wrk",
];
/// Nobody reads these.
const LEFT_OUT: &[&str] = &[
    "./usr/share/doc",
    "./usr/share/man",
    "./usr/share/locale",
    "./usr/share/fonts",
    "*/bitcode",
];
/// The suite that the list is for; the machine's own apt has to have it.
const SUITE: &str = "bookworm";

/// The folder with these packages, made if it isn't there yet. Whoever comes second waits for the first.
pub(super) fn programs(packages: &[&str]) -> Result<PathBuf, String> {
    let mut hash = DefaultHasher::new();
    (packages, LEFT_OUT).hash(&mut hash);
    let name = format!("{SUITE}-{:08x}", hash.finish() as u32);
    cache::filled(&Path::new("pods").join(name), |folder| {
        fetch(folder, packages)
    })
}

/// Returns the packages with their versions, one a line.
fn fetch(folder: &Path, packages: &[&str]) -> Result<String, String> {
    eprintln!(
        "pods: fetching Debian's programs into {}, once",
        folder.display()
    );
    let write = |error: io::Error| format!("can't write {} ({error})", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(write)?;
    }
    fs::create_dir_all(folder.join("archives/partial")).map_err(write)?;
    fs::create_dir_all(folder.join("lists/partial")).map_err(write)?;
    fs::write(folder.join("status"), "").map_err(write)?;
    let root = folder.join("root");
    prepare(&root).map_err(write)?;
    apt(folder, &["update"])?;
    let mut install = vec!["--no-install-recommends", "--download-only", "install"];
    install.extend(packages);
    apt(folder, &install)?;
    let versions = unpack_all(&folder.join("archives"), &root)?;
    fs::remove_dir_all(folder.join("archives")).map_err(write)?;
    fs::remove_dir_all(folder.join("lists")).map_err(write)?;
    Ok(versions)
}

/// Returns the names of the packages, in which their versions are.
fn unpack_all(archives: &Path, root: &Path) -> Result<String, String> {
    let entries = fs::read_dir(archives);
    let entries =
        entries.map_err(|error| format!("can't read {} ({error})", archives.display()))?;
    let mut archives: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    archives.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    archives.sort();
    let mut versions = String::new();
    for (done, archive) in archives.iter().enumerate() {
        if done % 20 == 0 {
            eprintln!("pods: unpacking {} of {}", done + 1, archives.len());
        }
        unpack(archive, root)?;
        let name = archive.file_stem().unwrap_or_default();
        versions += &format!("{}\n", name.display());
    }
    Ok(versions)
}

/// The folders that packages expect to be links since Debian merged them into /usr.
fn prepare(root: &Path) -> io::Result<()> {
    for name in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(root.join("usr").join(name))?;
        symlink(format!("usr/{name}"), root.join(name))?;
    }
    Ok(())
}

/// Runs apt-get on state of its own, as whoever we are.
fn apt(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let option = |name: &str, value: &Path| format!("{name}={}", value.display());
    let options = [
        option("Dir::State::status", &folder.join("status")),
        option("Dir::State::lists", &folder.join("lists")),
        option("Dir::Cache::archives", &folder.join("archives")),
        option("Dir::Cache::pkgcache", Path::new("")),
        option("Dir::Cache::srcpkgcache", Path::new("")),
        "Debug::NoLocking=true".to_owned(),
        // Dropping privileges to _apt would hide the folders from it.
        "APT::Sandbox::User=".to_owned(),
    ];
    let options = options.iter().flat_map(|option| ["-o", option]);
    let status = Command::new("apt-get")
        .args(options)
        .args(["--yes", "--quiet"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::from(io::stderr()))
        .status()
        .map_err(|error| format!("apt-get ({error}); it takes Debian or a relative"))?;
    let tried = arguments.first().copied().unwrap_or_default();
    status.success().then_some(()).ok_or_else(|| {
        format!("apt-get {tried} failed, see above; the programs are those of Debian {SUITE}")
    })
}

fn unpack(archive: &Path, root: &Path) -> Result<(), String> {
    let failed = |why: String| format!("can't unpack {} ({why})", archive.display());
    let mut reader = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(archive)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("dpkg-deb: {error}")))?;
    let content = reader.stdout.take().expect("its output is a pipe");
    let unpacked = Command::new("tar")
        .args(["--extract", "--no-same-owner", "--keep-directory-symlink"])
        .args(
            LEFT_OUT
                .iter()
                .map(|pattern| format!("--exclude={pattern}")),
        )
        .arg("--directory")
        .arg(root)
        .stdin(content)
        .status();
    let read = reader.wait();
    match (read, unpacked) {
        (Ok(read), Ok(unpacked)) if read.success() && unpacked.success() => Ok(()),
        (read, unpacked) => Err(failed(format!("{read:?}, {unpacked:?}"))),
    }
}
