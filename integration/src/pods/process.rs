//! Processes: those that stay, and commands that end.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::netns::Netns;
use super::wait::{until, until_some};

/// Lines of a log that a failure shows.
const TAIL: usize = 40;

/// Starts a command whose output is kept in `dir`.
pub(super) fn start(
    name: &str,
    mut command: Command,
    uid: u32,
    netns: &Netns,
    dir: &Path,
) -> Process {
    let log = dir.join(format!("{name}.log"));
    let output = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .unwrap();
    command
        .env("PATH", "/usr/sbin:/usr/bin:/mesh/bin")
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .uid(uid)
        .gid(uid)
        .process_group(0);
    let child = netns.within(|| command.spawn());
    let child = child.unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
    Process {
        name: name.to_owned(),
        pid: Pid::from_child(&child),
        child: Mutex::new(child),
        log,
    }
}

/// A process that runs; killed with all that it has started when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    child: Mutex<Child>,
    log: PathBuf,
}

impl Process {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> Pid {
        self.pid
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().try_wait().unwrap()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn wait(&self) -> ExitStatus {
        until_some(format_args!("the end of {}", self.name), || self.ended())
    }

    /// Sends a signal to this process.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Ends it and all that it has started, at once.
    pub fn kill(&self) {
        kill_process_group(self.pid, Signal::KILL).ok();
        self.wait();
    }

    /// Stops it and all that it has started, until [`Process::resume`].
    pub fn pause(&self) {
        kill_process_group(self.pid, Signal::STOP).unwrap();
    }

    /// After [`Process::pause`].
    pub fn resume(&self) {
        kill_process_group(self.pid, Signal::CONT).unwrap();
    }

    /// The most memory it has had resident so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|text| text.trim().strip_suffix(" kB"));
        kilobytes.unwrap().parse::<u64>().unwrap() * 1024
    }

    /// All that it has said.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until it has said `text`.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn says(&self, text: &str) {
        until(format_args!("{} to say {text:?}", self.name), || {
            self.log().contains(text)
        });
    }

    /// The end of what it has said, under its name.
    pub(super) fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(TAIL);
        format!("--- {}\n{}\n", self.name, lines[from..].join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        kill_process_group(self.pid, Signal::KILL).ok();
        self.child.lock().wait().ok();
    }
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
