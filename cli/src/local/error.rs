//! What can end a mesh on this machine early. Each text says what, where, and what to do.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;

use super::ports::Owner;

/// Lines of a log that are shown.
const TAIL_LINES: usize = 10;

/// Why it ended.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the text of each says what it is")]
pub enum LocalError {
    #[error("{}", taken(addr, purpose, owner.as_ref()))]
    PortTaken {
        addr: SocketAddr,
        purpose: String,
        owner: Option<Owner>,
    },
    #[error(
        "cannot listen on {addr} ({purpose}): {source}. The demo needs Linux, which answers on all of 127.0.0.0/8"
    )]
    Port {
        addr: SocketAddr,
        purpose: String,
        source: io::Error,
    },
    #[error("cannot write {}: {source}{}", path.display(), disk_hint(source))]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot start {name} ({}): {source}", program.display())]
    Start {
        name: String,
        program: PathBuf,
        source: io::Error,
    },
    #[error("cannot watch {name}: {source}")]
    Watch { name: String, source: io::Error },
    #[error("{name} ended too early ({status}){}", log_end(log))]
    Exited {
        name: String,
        status: ExitStatus,
        log: PathBuf,
    },
    #[error(
        "{name} was not ready within {} s ({addr} said: {last}){}",
        after.as_secs(),
        log_end(log)
    )]
    NotReady {
        name: String,
        addr: SocketAddr,
        after: Duration,
        last: String,
        log: PathBuf,
    },
    #[error("{name} has not stopped within {} s{}", after.as_secs(), log_end(log))]
    NotStopped {
        name: String,
        after: Duration,
        log: PathBuf,
    },
    #[error("cannot read the metrics of {name} at http://{addr}/metrics: {cause}")]
    Metrics {
        name: String,
        addr: SocketAddr,
        cause: String,
    },
    #[error(
        "{name} does not balance by {policy} {} s after the Service asked for it; the logs of the controller and of this \
         proxy may say why", after.as_secs()
    )]
    Policy {
        name: String,
        policy: &'static str,
        after: Duration,
    },
    #[error("cannot make the identities: {0}")]
    Identity(String),
    #[error("no thread for the load: {0}")]
    Load(io::Error),
    #[error("cannot listen for Ctrl-C: {0}")]
    Signal(io::Error),
    #[error("interrupted; everything has been stopped and removed")]
    Interrupted,
}

impl LocalError {
    /// The logs of the processes help to understand it.
    pub(crate) fn needs_logs(&self) -> bool {
        matches!(
            self,
            Self::Exited { .. }
                | Self::NotReady { .. }
                | Self::NotStopped { .. }
                | Self::Metrics { .. }
                | Self::Policy { .. }
        )
    }
}

fn taken(addr: &SocketAddr, purpose: &str, owner: Option<&Owner>) -> String {
    let (ip, port) = (addr.ip(), addr.port());
    let who = match owner {
        Some(Owner {
            addr,
            process: Some((pid, name)),
        }) => {
            format!("Process {pid} ({name}) listens on {addr}: stop it (kill {pid})")
        }
        Some(Owner {
            addr,
            process: None,
        }) => {
            format!(
                "Another user's process listens on {addr}: find it with `sudo ss -ltnp 'sport = :{port}'` and stop it"
            )
        }
        None => format!("Find the process with `ss -ltnp 'sport = :{port}'` and stop it"),
    };
    // A listener on all addresses is in the way on every network.
    let everywhere = owner.is_some_and(|owner| owner.addr.ip().is_unspecified());
    let instead = if everywhere {
        ""
    } else {
        ", or choose other addresses with --network 127.0.77"
    };
    format!("port {port} on {ip} is taken, and the demo needs it for {purpose}. {who}{instead}")
}

fn disk_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ". Free some space, or name another folder with TMPDIR=/path"
        }
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotFound => ". Name a folder that can be written to with TMPDIR=/path",
        _ => "",
    }
}

/// The last lines of a log and where the rest is, to follow a statement.
fn log_end(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    let whole = format!("Whole log: {}", path.display());
    if tail.is_empty() {
        return format!(", with nothing in its log. {whole}");
    }
    let tail: String = tail.iter().map(|line| format!("    {line}\n")).collect();
    format!(". The end of its log:\n{tail}{whole}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_taken_port_names_port_process_and_remedy() {
        let error = LocalError::PortTaken {
            addr: "127.0.1.1:4143".parse().unwrap(),
            purpose: "the inbound listener of client-proxy".to_owned(),
            owner: Some(Owner {
                addr: "127.0.1.1:4143".parse().unwrap(),
                process: Some((42, "nginx".to_owned())),
            }),
        };
        assert_eq!(
            error.to_string(),
            "port 4143 on 127.0.1.1 is taken, and the demo needs it for the inbound listener of client-proxy. \
             Process 42 (nginx) listens on 127.0.1.1:4143: stop it (kill 42), or choose other addresses with --network 127.0.77"
        );
    }

    #[test]
    fn a_full_disk_says_what_to_do() {
        let source = io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let text = LocalError::Write {
            path: "/tmp/x".into(),
            source,
        }
        .to_string();
        assert!(
            text.starts_with("cannot write /tmp/x: No space left on device"),
            "{text}"
        );
        assert!(
            text.ends_with("Free some space, or name another folder with TMPDIR=/path"),
            "{text}"
        );
    }

    #[test]
    fn a_dead_child_shows_the_end_of_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("web-1-proxy.log");
        std::fs::write(&log, "one\ntwo\n").unwrap();
        let (name, status) = ("web-1-proxy".to_owned(), ExitStatus::from_raw(9));
        let text = LocalError::Exited {
            name,
            status,
            log: log.clone(),
        }
        .to_string();
        let expected = format!(
            "web-1-proxy ended too early (signal: 9 (SIGKILL)). The end of its log:\n    one\n    two\nWhole log: {}",
            log.display()
        );
        assert_eq!(text, expected);
    }
}
