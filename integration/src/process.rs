//! Processes that a ring starts, watches and ends.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait::blocking::{until, until_some};

/// Lines of a log that a failure shows.
const TAIL: usize = 40;

/// A process that runs; killed with all that it has started when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    child: Mutex<Child>,
    log: PathBuf,
}

impl Process {
    /// Starts a command; what it says is kept in `dir`, as `name.log`.
    pub(crate) fn start(name: &str, mut command: Command, dir: &Path) -> Self {
        let log = dir.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log);
        let output = output.unwrap();
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0);
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
        Self {
            name: name.to_owned(),
            pid: Pid::from_child(&child),
            child: Mutex::new(child),
            log,
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> Pid {
        self.pid
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
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
    pub(crate) fn tail(&self) -> String {
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
