//! One run of the demo: its folder, its processes, and how they end.
//!
//! Whatever the demo does, it does under [`Session::guard`], so that a Ctrl-C or a process that dies ends it at once, with everything
//! stopped and, when the logs explain what happened, the folder kept.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

use futures::future::try_join_all;
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Options;
use super::error::DemoError;
use super::identities::Identities;
use super::manifests::Manifests;
use super::measure::{Measurement, measure};
use super::policy::Policy;
use super::process::{Process, Processes, Spec};
use super::ready::{Probe, wait_until_ready};
use super::report::Report;
use super::topology::{Topology, port};
use super::{progress, specs};

/// A running demo.
#[derive(Debug)]
pub(crate) struct Session {
    topology: Topology,
    program: PathBuf,
    folder: TempDir,
    manifests: Manifests,
    identities: Identities,
    processes: Processes,
    interrupts: Interrupts,
}

impl Session {
    /// Makes the folder with identities and manifests; starts nothing yet.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn create(topology: Topology) -> Result<Self, DemoError> {
        let program = std::env::current_exe().map_err(|source| DemoError::Start {
            name: "mesh".to_owned(),
            program: "/proc/self/exe".into(),
            source,
        })?;
        let folder = tempfile::Builder::new()
            .prefix("mesh-demo-")
            .tempdir()
            .map_err(|source| DemoError::Write {
                path: std::env::temp_dir(),
                source,
            })?;
        let part = |name| subfolder(folder.path(), name);
        part("logs")?;
        let manifests = Manifests::create(&part("manifests")?, topology, Policy::ALL[0])?;
        let identities = Identities::create(&part("identity")?, topology)?;
        let interrupts = Interrupts::listen().map_err(DemoError::Signal)?;
        let processes = Processes::default();
        Ok(Self {
            topology,
            program,
            folder,
            manifests,
            identities,
            processes,
            interrupts,
        })
    }

    pub(crate) fn topology(&self) -> Topology {
        self.topology
    }

    /// The binary that every process is.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Where `identity`, `manifests` and `logs` are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn manifests(&self) -> PathBuf {
        self.folder().join("manifests")
    }

    fn logs(&self) -> PathBuf {
        self.folder().join("logs")
    }

    /// Starts every process and waits until each serves.
    ///
    /// # Errors
    /// A process that does not start, ends early, or is not ready in time.
    pub(crate) async fn start(&mut self) -> Result<(), DemoError> {
        progress::step("Starting the control plane and five replicas of the service web");
        self.start_all(self.below_the_proxies()).await?;
        progress::step(
            "Starting six proxies; each makes a key and gets a certificate for its workload",
        );
        self.start_all(self.proxies()).await
    }

    fn below_the_proxies(&self) -> Vec<(Spec, Probe)> {
        let control_plane = |port| self.topology.control_plane(port);
        let mut specs = vec![
            (
                specs::identity(self.topology, &self.identities),
                Probe::Accepts(control_plane(port::IDENTITY)),
            ),
            (
                specs::controller(self.topology, &self.manifests()),
                Probe::Accepts(control_plane(port::DESTINATION)),
            ),
        ];
        let replicas = (0..).zip(self.topology.replicas());
        specs.extend(replicas.map(|(index, replica)| {
            (
                specs::app(index, &replica),
                Probe::Accepts(replica.addr(port::APP_GRPC)),
            )
        }));
        specs
    }

    fn proxies(&self) -> Vec<(Spec, Probe)> {
        let proxy = |workload| {
            (
                specs::proxy(self.topology, &workload, &self.identities),
                Probe::Ready(workload.addr(port::ADMIN)),
            )
        };
        self.topology.workloads().map(proxy).collect()
    }

    async fn start_all(&mut self, specs: Vec<(Spec, Probe)>) -> Result<(), DemoError> {
        let mut waits = Vec::new();
        for (spec, probe) in specs {
            let process = Process::start(&self.program, &spec, &self.logs())?;
            waits.push((spec.name, probe, process.log().to_owned()));
            self.processes.push(process);
        }
        let waits = waits
            .into_iter()
            .map(|(name, probe, log)| async move { wait_until_ready(&name, probe, log).await });
        self.guard(try_join_all(waits)).await.map(drop)
    }

    /// Puts the client's load on the service under each policy.
    ///
    /// # Errors
    /// A process that ends early, or metrics that cannot be read.
    pub(crate) async fn measure(&mut self, options: &Options) -> Result<Report, DemoError> {
        let proxies = self.topology.workloads().filter_map(|workload| {
            let name = workload.proxy_name();
            let pid = self.processes.get(&name)?.pid()?;
            Some((name, pid))
        });
        let measurement = Measurement {
            topology: self.topology,
            manifests: self.manifests.clone(),
            proxies: proxies.collect(),
            duration: options.duration,
            rps: options.rps,
        };
        self.guard(measure(measurement)).await
    }

    /// Waits for Ctrl-C, which is a good end here.
    ///
    /// # Errors
    /// A process that ends before.
    pub(crate) async fn wait_for_interrupt(&mut self) -> Result<(), DemoError> {
        match self.guard(std::future::pending::<Result<(), _>>()).await {
            Err(DemoError::Interrupted) => Ok(()),
            result => result,
        }
    }

    /// Stops every process and removes the folder, unless its logs are needed to understand `result`, which is handed on.
    pub(crate) async fn close(self, result: Result<(), DemoError>) -> Result<(), DemoError> {
        self.processes.stop().await;
        if result.as_ref().is_err_and(DemoError::needs_logs) {
            let _kept: PathBuf = self.folder.keep();
        }
        result
    }

    async fn guard<T>(
        &mut self,
        work: impl Future<Output = Result<T, DemoError>>,
    ) -> Result<T, DemoError> {
        tokio::select! {
            biased;
            () = self.interrupts.next() => Err(DemoError::Interrupted),
            failure = self.processes.first_failure() => Err(failure),
            result = work => result,
        }
    }
}

fn subfolder(parent: &Path, name: &str) -> Result<PathBuf, DemoError> {
    let path = parent.join(name);
    match std::fs::create_dir(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(DemoError::Write { path, source }),
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
