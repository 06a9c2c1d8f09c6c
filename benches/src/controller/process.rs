//! The controller's process, from the outside.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mesh::local::get;
use rustix::process::Pid;
use thiserror::Error;
use tokio::time::Instant;

use super::api_server::ApiServer;
use crate::cost;

/// A start that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between looks at a process that starts.
const LOOK: Duration = Duration::from_millis(5);

/// Why there is no controller.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The binary.
    #[error("{} can't be started ({cause}); run `make bench-controller`", path.display())]
    Start {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It never was.
    #[error("the controller was not ready within {PATIENCE:?}; it said: {0}")]
    NotReady(String),
    /// Folders and ports.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What a process is for.
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// Tells proxies.
    Destination,
    /// Gives pods their proxies.
    Injector,
}

/// A controller that serves on loopback; killed when dropped.
#[derive(Debug)]
pub struct Controller {
    child: Child,
    /// From starting the process until it said that it is ready.
    pub start: Duration,
    /// Of `Destination` and `Balancing`.
    pub destination: SocketAddr,
    /// Of the policies.
    pub policy: SocketAddr,
    /// Of the injection webhook.
    pub injector: SocketAddr,
    /// Of `/metrics`.
    pub admin: SocketAddr,
}

impl Controller {
    /// Starts one on a cluster and waits until it is ready; files go to `folder`.
    ///
    /// # Errors
    /// When it can't be started, or is not ready in time.
    pub async fn start(
        program: &Path,
        role: Role,
        api: &ApiServer,
        folder: &Path,
    ) -> Result<Self, ProcessError> {
        let [destination, policy, injector, admin] = free_ports()?;
        let serve = match role {
            Role::Destination => "destination",
            Role::Injector => "injector",
        };
        let (kubeconfig, log) = (folder.join("kubeconfig"), folder.join("controller.log"));
        fs::write(&kubeconfig, api.kubeconfig())?;
        let mut command = Command::new(program);
        command
            .args(["--source", "kubernetes", "--log", "warn", "--kubeconfig"])
            .arg(kubeconfig)
            .args(["--serve", serve])
            .args(["--destination-addr", &destination.to_string()])
            .args(["--policy-addr", &policy.to_string()])
            .args(["--injector-addr", &injector.to_string()])
            .args(["--admin-addr", &admin.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        let started = Instant::now();
        let child = command.spawn().map_err(|cause| ProcessError::Start {
            path: program.to_owned(),
            cause,
        })?;
        let mut controller = Self {
            child,
            start: Duration::ZERO,
            destination,
            policy,
            injector,
            admin,
        };
        while !controller.is_ready().await {
            let ended = controller.child.try_wait()?.is_some();
            if ended || started.elapsed() > PATIENCE {
                return Err(ProcessError::NotReady(fs::read_to_string(log)?));
            }
            tokio::time::sleep(LOOK).await;
        }
        controller.start = started.elapsed();
        Ok(controller)
    }

    async fn is_ready(&self) -> bool {
        let answer = get(self.admin, "/ready").await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Time on a processor so far.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        cost::cpu(&[self.pid()])
    }

    /// Resident bytes.
    #[must_use]
    pub fn resident(&self) -> u64 {
        cost::resident(&[self.pid()])
    }

    /// The most that was ever resident, in bytes.
    #[must_use]
    pub fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Ports that were free a moment ago: the process takes numbers, and tells those that it found only in its log.
fn free_ports() -> io::Result<[SocketAddr; 4]> {
    let listeners = [
        TcpListener::bind(("127.0.0.1", 0))?,
        TcpListener::bind(("127.0.0.1", 0))?,
        TcpListener::bind(("127.0.0.1", 0))?,
        TcpListener::bind(("127.0.0.1", 0))?,
    ];
    let [a, b, c, d] = &listeners;
    Ok([
        a.local_addr()?,
        b.local_addr()?,
        c.local_addr()?,
        d.local_addr()?,
    ])
}
