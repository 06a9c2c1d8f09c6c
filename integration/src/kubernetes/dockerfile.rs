//! The images that ship, as the `Dockerfile` at the root of the repository says, without its release builds: the stages that build a
//! binary are replaced by folders that have it (`--build-context`). So what a stage adds to the binary is tested too: user and entry point.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::archive::stripped;

/// Whether there is a builder.
pub(super) fn has_builder() -> bool {
    let mut version = Command::new("buildah");
    version.arg("--version").stdout(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// Writes the docker-archive of image `mesh-NAME` to `path`, under the name `tag`.
pub(super) fn write(name: &str, binary: &Path, tag: &str, path: &Path) -> Result<(), String> {
    let failed = |why: String| format!("the Dockerfile's {name} can't be built ({why})");
    let stage = name.trim_start_matches("mesh-");
    let dir = path.with_added_extension("buildah");
    let built = dir.join("built");
    fs::create_dir_all(&built).map_err(|error| failed(error.to_string()))?;
    stripped(binary, &built.join(name)).map_err(|error| failed(error.to_string()))?;

    let dockerfile = concat!(env!("CARGO_MANIFEST_DIR"), "/../Dockerfile");
    let mut build = buildah(&dir, "bud");
    build
        .args(["--isolation", "chroot", "--target", stage, "--tag", tag])
        .arg("--build-context")
        .arg(format!("build-{stage}={}", built.display()))
        .args(["--file", dockerfile])
        .arg(&built);
    run(build).map_err(failed)?;
    let mut push = buildah(&dir, "push");
    push.args(["--disable-compression", tag]);
    push.arg(format!("docker-archive:{}:{tag}", path.display()));
    run(push).map_err(failed)?;
    fs::remove_dir_all(&dir).map_err(|error| failed(error.to_string()))
}

/// With a storage of its own, that nothing else sees.
fn buildah(dir: &Path, command: &str) -> Command {
    let mut buildah = Command::new("buildah");
    buildah.args(["--storage-driver", "vfs"]);
    buildah.arg("--root").arg(dir.join("root"));
    buildah.arg("--runroot").arg(dir.join("run"));
    buildah.arg(command);
    buildah
}

fn run(mut command: Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    output.status.success().then_some(()).ok_or_else(said)
}
