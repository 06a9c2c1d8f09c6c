//! The processes of a mesh on this machine: this same binary again, each with a log file.
//!
//! They must never outlive the command that started them, below called the demo. On the way out it asks them to stop and then makes them; if it is killed itself, the kernel does so
//! (each child asks for a signal at its parent's death, see [`die_with_parent`]). They are process groups of their own, because a Ctrl-C
//! in the terminal would otherwise reach them at the same time as the demo and look like thirteen crashes.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use super::error::LocalError;

/// How long a process may take to stop when asked.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// The variable by which a child knows whose death to watch for.
const PARENT_VARIABLE: &str = "MESH_DEMO_PARENT";

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(&'static str, String)>,
}

/// A running child.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts `program` with its output in `NAME.log` under `logs`.
    ///
    /// # Errors
    /// When the log cannot be created or the program not started.
    pub(crate) fn start(program: &Path, spec: &Spec, logs: &Path) -> Result<Self, LocalError> {
        let log = logs.join(format!("{}.log", spec.name));
        let write_error = |source| LocalError::Write {
            path: log.clone(),
            source,
        };
        // A part that is started again goes on in its log.
        let stdout = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(write_error)?;
        let stderr = stdout.try_clone().map_err(write_error)?;
        let child = Command::new(program)
            .args(&spec.args)
            .envs(spec.env.iter().map(|(key, value)| (key, value)))
            .env(PARENT_VARIABLE, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| LocalError::Start {
                name: spec.name.clone(),
                program: program.to_owned(),
                source,
            })?;
        Ok(Self {
            name: spec.name.clone(),
            log,
            child,
        })
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Process id; `None` once it has ended.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end, which is always an error while the demo runs.
    async fn failure(&mut self) -> LocalError {
        match self.child.wait().await {
            Ok(status) => self.exited(status),
            Err(source) => LocalError::Watch {
                name: self.name.clone(),
                source,
            },
        }
    }

    fn exited(&self, status: ExitStatus) -> LocalError {
        LocalError::Exited {
            name: self.name.clone(),
            status,
            log: self.log.clone(),
        }
    }

    /// Asks it to stop and waits until it has.
    async fn stop(mut self, timeout: Duration) -> Result<(), LocalError> {
        self.ask_to_stop();
        match tokio::time::timeout(timeout, self.child.wait()).await {
            Ok(Ok(status))
                if status.success() || status.signal() == Some(Signal::TERM.as_raw()) =>
            {
                Ok(())
            }
            Ok(Ok(status)) => Err(self.exited(status)),
            Ok(Err(source)) => Err(LocalError::Watch {
                name: self.name,
                source,
            }),
            Err(_) => Err(LocalError::NotStopped {
                name: self.name,
                after: timeout,
                log: self.log,
            }),
        }
    }

    fn ask_to_stop(&self) {
        let pid = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            // It may have ended in this moment, which is what is wanted.
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
    }
}

/// All children.
#[derive(Debug, Default)]
pub(crate) struct Processes(Vec<Process>);

impl Processes {
    pub(crate) fn push(&mut self, process: Process) {
        self.0.push(process);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Process> {
        self.0.iter().find(|process| process.name == name)
    }

    /// Asks one to stop and waits until it has.
    ///
    /// # Errors
    /// When it has not in time, or ended with a failure.
    pub(crate) async fn stop_one(
        &mut self,
        name: &str,
        timeout: Duration,
    ) -> Result<(), LocalError> {
        match self.take(name) {
            Some(process) => process.stop(timeout).await,
            None => Ok(()),
        }
    }

    /// Kills one, without a chance to do anything about it.
    ///
    /// # Errors
    /// When the system does not let us.
    pub(crate) async fn kill_one(&mut self, name: &str) -> Result<(), LocalError> {
        let Some(mut process) = self.take(name) else {
            return Ok(());
        };
        process
            .child
            .kill()
            .await
            .map_err(|source| LocalError::Watch {
                name: process.name,
                source,
            })
    }

    fn take(&mut self, name: &str) -> Option<Process> {
        let index = self.0.iter().position(|process| process.name == name)?;
        Some(self.0.swap_remove(index))
    }

    /// Waits until the first of them ends; cancel safe.
    pub(crate) async fn first_failure(&mut self) -> LocalError {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let ends = self.0.iter_mut().map(|process| Box::pin(process.failure()));
        futures::future::select_all(ends).await.0
    }

    /// Asks all to stop, then kills those that did not in time.
    pub(crate) async fn stop(mut self) {
        self.0.iter().for_each(Process::ask_to_stop);
        let ends = self.0.iter_mut().map(|process| process.child.wait());
        // What is left is killed when the children are dropped.
        let _ = tokio::time::timeout(STOP_TIMEOUT, futures::future::join_all(ends)).await;
    }
}

/// Called first thing in a child: end when the demo ends, however it ends.
///
/// # Errors
/// Text for the log when the demo is gone already.
pub(crate) fn die_with_parent() -> Result<(), String> {
    let Some(parent) = std::env::var(PARENT_VARIABLE)
        .ok()
        .and_then(|id| id.parse::<u32>().ok())
    else {
        return Ok(());
    };
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| error.to_string())?;
    // The parent may have died before the line above; then this process has a new parent.
    if std::os::unix::process::parent_id() == parent {
        Ok(())
    } else {
        Err("the demo has ended".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &str, script: &str) -> Spec {
        Spec {
            name: name.to_owned(),
            args: vec!["-c".into(), script.into()],
            env: vec![("GREETING", "hello".to_owned())],
        }
    }

    fn start(spec: &Spec, dir: &Path) -> Process {
        Process::start(Path::new("/bin/sh"), spec, dir).unwrap()
    }

    #[tokio::test]
    async fn an_early_end_is_told_with_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut processes = Processes::default();
        processes.push(start(&shell("steady", "sleep 60"), dir.path()));
        processes.push(start(
            &shell("broken", "seq 1 20; echo $GREETING >&2; exit 3"),
            dir.path(),
        ));
        let text = processes.first_failure().await.to_string();
        assert!(
            text.starts_with("broken ended too early (exit status: 3)"),
            "{text}"
        );
        assert!(
            text.contains("    12\n") && !text.contains("    11\n"),
            "{text}"
        );
        assert!(text.contains("    hello\n"), "{text}");
        processes.stop().await;
    }

    #[tokio::test]
    async fn stopping_ends_them_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut processes = Processes::default();
        processes.push(start(&shell("one", "exec sleep 60"), dir.path()));
        let pid = processes.get("one").unwrap().pid().unwrap();
        processes.stop().await;
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error =
            Process::start(Path::new("/no/such"), &shell("one", ""), dir.path()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot start one (/no/such): No such file"),
            "{error}"
        );
    }
}
