//! Lines of shell, as somebody types them who has `mesh`, `kubectl` and a kubeconfig.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::exec::Output;
use crate::{binaries, wait};

/// Longer than any line takes, those that wait for a rollout too.
const PATIENCE: Duration = Duration::from_secs(600);

/// Where lines find their commands and their cluster.
#[derive(Debug)]
pub(super) struct Shell {
    path: OsString,
    kubeconfig: PathBuf,
}

impl Shell {
    /// With the `mesh` of this run, and `kubectl` from a folder, or else the machine's.
    pub(super) fn new(kubeconfig: PathBuf, kubectl: Option<&Path>) -> Result<Self, String> {
        let mesh = binaries::find("mesh", "test-kubernetes")?;
        let before = mesh.parent().into_iter().chain(kubectl);
        let inherited = env::var_os("PATH").unwrap_or_default();
        let folders = before
            .map(PathBuf::from)
            .chain(env::split_paths(&inherited));
        let path = env::join_paths(folders).map_err(|error| error.to_string())?;
        Ok(Self { path, kubeconfig })
    }

    /// Runs some lines in one bash, to the first that fails, also within a pipe.
    pub(super) async fn run(&self, lines: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", lines])
            .env("PATH", &self.path)
            .env("KUBECONFIG", &self.kubeconfig)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = wait::within(PATIENCE, lines, command.output()).await;
        let output = output.expect("bash can be started");
        Output {
            command: lines.to_owned(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            success: output.status.success(),
        }
    }
}
