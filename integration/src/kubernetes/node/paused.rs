//! Processes of pods that see nothing for a while.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Processes that are stopped until this is dropped.
#[derive(Debug)]
#[must_use = "they run again when it is dropped"]
pub struct Paused {
    pids: Vec<Pid>,
}

impl Paused {
    /// All whose command line has this argument. Processes of pods are in the pid namespace of the node, or in one below.
    pub(in super::super) fn with(argument: &str) -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let has = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0)
                .any(|each| each == argument.as_bytes())
        };
        let pids: Vec<Pid> = pids.filter(has).filter_map(Pid::from_raw).collect();
        assert!(!pids.is_empty(), "nothing runs with {argument}");
        let paused = Self { pids };
        paused.signal(Signal::STOP);
        paused
    }

    fn signal(&self, signal: Signal) {
        for pid in &self.pids {
            // One that has ended meanwhile is another test's concern.
            kill_process(*pid, signal).ok();
        }
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
    }
}
