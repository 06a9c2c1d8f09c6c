//! A running mesh: its folder, its processes, and how they end.
//!
//! Whatever is done with it is done under [`Session::guard`], so that a Ctrl-C or a process that dies ends it at once, with everything
//! stopped and, when the logs explain what happened, the folder kept.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::try_join_all;
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::LocalError;
use super::identities::Identities;
use super::manifests::Manifests;
use super::process::{Process, Processes};
use super::ready::wait_until_ready;
use super::settings::Settings;
use super::specs::{Folders, Part};
use super::topology::{REPLICAS, Topology};
use super::{ports, progress};

/// How much longer than its grace period a process may take to stop.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// A running mesh.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    folder: TempDir,
    manifests: Manifests,
    identities: Identities,
    processes: Processes,
    interrupts: Interrupts,
}

impl Session {
    /// Checks the addresses and makes the folder with identities and manifests; starts nothing yet.
    ///
    /// # Errors
    /// When an address is taken or the folder cannot be written.
    pub fn create(settings: Settings) -> Result<Self, LocalError> {
        let topology = settings.topology;
        ports::check(topology)?;
        let folder = tempfile::Builder::new()
            .prefix("mesh-demo-")
            .tempdir()
            .map_err(|source| LocalError::Write {
                path: std::env::temp_dir(),
                source,
            })?;
        let part = |name| subfolder(folder.path(), name);
        part("logs")?;
        let manifests = Manifests::create(&part("manifests")?, topology, settings.policy)?;
        let identities = Identities::create(&part("identity")?, topology)?;
        let interrupts = Interrupts::listen().map_err(LocalError::Signal)?;
        Ok(Self {
            settings,
            folder,
            manifests,
            identities,
            processes: Processes::default(),
            interrupts,
        })
    }

    /// Its addresses.
    pub fn topology(&self) -> Topology {
        self.settings.topology
    }

    /// How it was to be.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where `identity`, `manifests` and `logs` are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Process id of a part; `None` when it does not run.
    pub fn pid(&self, part: Part) -> Option<u32> {
        self.processes.get(&part.name())?.pid()
    }

    /// Starts every process and waits until each serves.
    ///
    /// # Errors
    /// A process that does not start, ends early, or is not ready in time.
    pub async fn start(&mut self) -> Result<(), LocalError> {
        progress::step("Starting the control plane and five replicas of the service web");
        let apps = (0..REPLICAS).map(Part::App);
        let below: Vec<_> = [Part::Identity, Part::Controller]
            .into_iter()
            .chain(apps)
            .collect();
        self.launch(&below).await?;
        progress::step(
            "Starting six proxies; each makes a key and gets a certificate for its workload",
        );
        self.launch(&Self::proxies().collect::<Vec<_>>()).await
    }

    /// Every proxy, the client's first.
    pub fn proxies() -> impl Iterator<Item = Part> {
        std::iter::once(Part::ClientProxy).chain((0..REPLICAS).map(Part::Proxy))
    }

    /// Starts these and waits until each serves.
    ///
    /// # Errors
    /// As [`Session::start`].
    pub async fn launch(&mut self, parts: &[Part]) -> Result<(), LocalError> {
        let (logs, manifests) = (self.folder().join("logs"), self.folder().join("manifests"));
        let mut waits = Vec::new();
        for part in parts {
            let folders = Folders {
                identities: &self.identities,
                manifests: &manifests,
            };
            let spec = part.spec(&self.settings, &folders);
            let process = Process::start(&self.settings.program, &spec, &logs)?;
            let (probe, log) = (part.probe(self.topology()), process.log().to_owned());
            waits.push(async move { wait_until_ready(&spec.name, probe, log).await });
            self.processes.push(process);
        }
        self.guard(try_join_all(waits)).await.map(drop)
    }

    /// Asks a part to stop (SIGTERM) and waits until it has; a proxy drains first.
    ///
    /// # Errors
    /// When it has not stopped a little after its grace period, or ended with a failure.
    pub async fn stop(&mut self, part: Part) -> Result<(), LocalError> {
        let timeout = self.settings.grace_period + STOP_MARGIN;
        self.processes.stop_one(&part.name(), timeout).await
    }

    /// Kills a part (SIGKILL).
    ///
    /// # Errors
    /// When the system does not let us.
    pub async fn kill(&mut self, part: Part) -> Result<(), LocalError> {
        self.processes.kill_one(&part.name()).await
    }

    pub(crate) fn manifests(&self) -> &Manifests {
        &self.manifests
    }

    /// Says in the EndpointSlice which replicas there are, by their numbers.
    ///
    /// # Errors
    /// When the manifest cannot be written.
    pub fn set_replicas(&self, listed: impl Fn(u8) -> bool) -> Result<(), LocalError> {
        self.manifests.set_replicas(listed)
    }

    /// Waits for Ctrl-C, which is a good end here.
    ///
    /// # Errors
    /// A process that ends before.
    pub async fn wait_for_interrupt(&mut self) -> Result<(), LocalError> {
        match self.guard(std::future::pending::<Result<(), _>>()).await {
            Err(LocalError::Interrupted) => Ok(()),
            result => result,
        }
    }

    /// Stops every process and removes the folder, unless its logs are needed to understand `result`, which is handed on.
    ///
    /// # Errors
    /// That of `result`.
    pub async fn close<T>(self, result: Result<T, LocalError>) -> Result<T, LocalError> {
        self.processes.stop().await;
        if result.as_ref().is_err_and(LocalError::needs_logs) {
            let _kept: PathBuf = self.folder.keep();
        }
        result
    }

    /// Does `work` unless it is interrupted, or a process ends.
    ///
    /// # Errors
    /// What ended it early, or its own.
    pub async fn guard<T>(
        &mut self,
        work: impl Future<Output = Result<T, LocalError>>,
    ) -> Result<T, LocalError> {
        tokio::select! {
            biased;
            () = self.interrupts.next() => Err(LocalError::Interrupted),
            failure = self.processes.first_failure() => Err(failure),
            result = work => result,
        }
    }
}

fn subfolder(parent: &Path, name: &str) -> Result<PathBuf, LocalError> {
    let path = parent.join(name);
    match std::fs::create_dir(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(LocalError::Write { path, source }),
    }
}

/// Ctrl-C, `kill`, and a terminal that closes.
#[derive(Debug)]
struct Interrupts([Signal; 3]);

impl Interrupts {
    fn listen() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    /// Cancel safe.
    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
