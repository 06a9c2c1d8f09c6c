//! Commands in pods: those that stay, and those that end.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use super::netns::Netns;

pub use crate::process::Process;

/// Starts a command whose output is kept in `dir`.
pub(super) fn start(
    name: &str,
    mut command: Command,
    uid: u32,
    netns: &Netns,
    dir: &Path,
) -> Process {
    command
        .env("PATH", "/usr/sbin:/usr/bin:/mesh/bin")
        .uid(uid)
        .gid(uid);
    netns.within(|| Process::start(name, command, dir))
}

/// What a command said, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command.
    pub command: String,
    /// How it ended; 124 when that took more than a minute.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output of a command that must succeed.
    ///
    /// # Panics
    /// When it did not.
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{self}");
        self.stdout
    }

    /// Standard output and error of a command that must fail.
    ///
    /// # Panics
    /// When it did not.
    pub fn fails(self) -> String {
        assert!(!self.status.success(), "{self}");
        self.stdout + &self.stderr
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            command,
            status,
            stdout,
            stderr,
        } = self;
        let shown: String = stdout.chars().take(4000).collect();
        write!(f, "$ {command}\n{shown}{stderr}[{status}]")
    }
}

/// Runs a command to its end, for at most a minute.
pub(super) fn run(arguments: &[&str], netns: &Netns, folder: &Path, uid: u32) -> Output {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=1", "60"]).args(arguments);
    command
        .env("PATH", "/usr/sbin:/usr/bin")
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .uid(uid)
        .gid(uid);
    let output = netns.within(|| command.output()).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output {
        command: arguments.join(" "),
        status: output.status,
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}
