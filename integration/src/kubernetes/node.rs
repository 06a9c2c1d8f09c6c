//! The processes of the node, in the order in which they need each other.

mod control_plane;
mod credentials;
mod worker;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use parking_lot::Mutex;

use super::isolation::STATE;
use super::tools::Tools;
use crate::process::Process;
use crate::wait::blocking::until_some_within;

pub(super) use credentials::Credentials;
pub(super) use worker::import;

const API_SERVER: &str = "kube-apiserver";
/// What the node is called.
pub(super) const NAME: &str = "node";
/// Cold caches and a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running node. Nothing stops it: it ends with the namespaces that it is in.
#[derive(Debug)]
pub(super) struct Node {
    processes: Mutex<Vec<Process>>,
    credentials: Credentials,
    tools: Tools,
}

impl Node {
    /// Starts everything; the API server answers, and the node registers soon.
    pub(super) async fn start(tools: &Tools, cgroup: &str) -> Result<(Self, Client), String> {
        let credentials = Credentials::create(Path::new(STATE))?;
        let node = Self {
            processes: Mutex::default(),
            credentials,
            tools: tools.clone(),
        };
        node.run("etcd", control_plane::etcd());
        node.run("containerd", worker::containerd()?);
        let server = control_plane::api_server(tools, &node.credentials);
        node.run(API_SERVER, server);
        let client = client(&node.credentials.kubeconfig()).await?;
        node.until("the API server", async || {
            client.request_text(get("/readyz")).await.is_ok()
        })
        .await?;
        let credentials = &node.credentials;
        let rest = [
            (
                "kube-controller-manager",
                control_plane::controller_manager(tools, credentials),
            ),
            (
                "kube-scheduler",
                control_plane::scheduler(tools, credentials),
            ),
            ("kube-proxy", worker::proxy(tools, credentials)),
            ("kubelet", worker::kubelet(tools, credentials, cgroup)?),
        ];
        for (name, command) in rest {
            node.run(name, command);
        }
        Ok((node, client))
    }

    fn run(&self, name: &str, command: Command) {
        let process = Process::start(name, command, &logs());
        self.processes.lock().push(process);
    }

    /// Kills the API server, and starts another that has the same state.
    pub(super) fn restart_api_server(&self) {
        // Killed when dropped.
        self.processes
            .lock()
            .retain(|process| process.name() != API_SERVER);
        self.run(
            API_SERVER,
            control_plane::api_server(&self.tools, &self.credentials),
        );
    }

    /// Waits for something that these processes make happen.
    pub(super) async fn until(
        &self,
        what: &str,
        mut holds: impl AsyncFnMut() -> bool,
    ) -> Result<(), String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds().await {
            if let Some(ended) = self.ended() {
                return Err(ended);
            }
            if tokio::time::Instant::now() > deadline {
                return Err(format!("waited in vain for {what}\n{}", self.tails()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// A process that should run and does not.
    fn ended(&self) -> Option<String> {
        let processes = self.processes.lock();
        let ended = processes.iter().find(|process| process.ended().is_some())?;
        Some(format!("{} has ended\n{}", ended.name(), ended.tail()))
    }

    /// What each process has said last.
    pub(super) fn tails(&self) -> String {
        self.processes.lock().iter().map(Process::tail).collect()
    }

    /// Name and peak memory, in bytes, of each process.
    pub(super) fn memory(&self) -> Vec<(String, u64)> {
        let processes = self.processes.lock();
        let running = processes.iter().filter(|process| process.ended().is_none());
        running
            .map(|process| (process.name().to_owned(), process.peak_memory()))
            .collect()
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}

/// Where the processes' logs are.
pub(super) fn logs() -> PathBuf {
    PathBuf::from(STATE)
}

/// A client for the cluster of a kubeconfig file.
pub(super) async fn client(kubeconfig: &Path) -> Result<Client, String> {
    let failed = |why: String| format!("{} can't be used ({why})", kubeconfig.display());
    let parsed = Kubeconfig::read_from(kubeconfig).map_err(|error| failed(error.to_string()))?;
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(parsed, &options);
    let config = config.await.map_err(|error| failed(error.to_string()))?;
    Client::try_from(config).map_err(|error| failed(error.to_string()))
}

fn get(path: &str) -> http::Request<Vec<u8>> {
    let request = http::Request::get(path).body(Vec::new());
    request.expect("a path makes a request")
}

/// Writes a file below [`STATE`].
fn write(name: &str, text: &str) -> Result<PathBuf, String> {
    let path = Path::new(STATE).join(name);
    let folder = path.parent().unwrap_or(Path::new(STATE));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, text))
        .map_err(|error| format!("can't write {} ({error})", path.display()))?;
    Ok(path)
}

/// Waits until containerd answers.
fn containerd_is_up() -> Result<(), String> {
    until_some_within(PATIENCE, || {
        let answer = worker::ctr(&["version"]).output().ok()?;
        answer.status.success().then_some(())
    })
    .ok_or_else(|| "waited in vain for containerd".to_owned())
}
