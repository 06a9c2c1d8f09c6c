//! A pod: a network namespace with programs in it, and a proxy if it is meshed.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::cluster::Shared;
use super::manifests::PodFacts;
use super::netns::Netns;
use super::process::{self, Output, Process};
use super::program::{APP_UID, Program};
use super::proxy::{self, ADMIN, ProxyFacts};
use super::relay::Relay;
use super::wait::until;

mod builder;

pub use builder::PodBuilder;
use builder::Spec;

/// A running pod.
#[derive(Clone, Debug)]
pub struct Pod(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    processes: Mutex<Vec<Arc<Process>>>,
    proxy: Mutex<Option<Arc<Process>>>,
    _relay: Option<Relay>,
    netns: Netns,
    spec: Spec,
    ips: Vec<IpAddr>,
    dir: PathBuf,
    transcript: Mutex<String>,
    shared: Arc<Shared>,
}

impl Pod {
    fn create(shared: Arc<Shared>, spec: Spec) -> Self {
        let number = shared.node.number();
        let netns = Netns::create(&format!("{}-{}-{number}", shared.id, spec.name));
        let within = spec.outside.is_empty();
        let ips = if within {
            shared.node.pod_ips(number)
        } else {
            spec.outside.clone()
        };
        let dir = shared.dir.join(&spec.name);
        std::fs::create_dir_all(dir.join("home")).unwrap();
        std::os::unix::fs::chown(dir.join("home"), Some(APP_UID), Some(APP_UID)).unwrap();
        let mut relay = spec.delay.map(|_| Relay::create(&netns));
        shared
            .node
            .attach(&netns, &ips, relay.as_ref().map(Relay::netns));
        if let (Some(relay), Some(delay)) = (&mut relay, spec.delay) {
            let link = super::node::Node::link(&netns);
            relay.start(delay, [(&shared.node.netns, &link), (&netns, "eth0")], &dir);
        }
        let pod = Self(Arc::new(Inner {
            processes: Mutex::default(),
            proxy: Mutex::default(),
            _relay: relay,
            netns,
            spec,
            ips,
            dir,
            transcript: Mutex::default(),
            shared,
        }));
        if within {
            pod.declare();
        }
        pod
    }

    /// Tells the controller of it.
    fn declare(&self) {
        let Inner {
            spec, ips, shared, ..
        } = &*self.0;
        shared.control.manifests().pod(&PodFacts {
            name: &spec.name,
            account: &spec.name,
            meshed: spec.meshed,
            ips,
            ports: &self.ports(),
            annotations: &spec.annotations,
        });
        shared.control.settle();
    }

    fn ports(&self) -> Vec<u16> {
        let programs = self.0.spec.programs.iter();
        programs.flat_map(|program| program.ports.clone()).collect()
    }

    /// Its name; also its service account's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.spec.name
    }

    /// Its addresses.
    #[must_use]
    pub fn ips(&self) -> &[IpAddr] {
        &self.0.ips
    }

    /// A port of its first address.
    #[must_use]
    pub fn addr(&self, port: u16) -> SocketAddr {
        (self.0.ips[0], port).into()
    }

    /// Its network namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.0.netns
    }

    /// Name of the node's end of its link, for faults.
    pub(super) fn link(&self) -> String {
        super::node::Node::link(&self.0.netns)
    }

    /// Path of a file in the folder of one of its programs; other pods can read it too.
    #[must_use]
    pub fn file(&self, program: &str, name: &str) -> String {
        self.0.dir.join(program).join(name).display().to_string()
    }

    /// Runs a command to its end, as an application would.
    pub fn run<'c>(&self, command: impl IntoIterator<Item = &'c str>) -> Output {
        self.run_as(APP_UID, command)
    }

    /// Runs a command as this uid.
    pub fn run_as<'c>(&self, uid: u32, command: impl IntoIterator<Item = &'c str>) -> Output {
        let command: Vec<&str> = command.into_iter().collect();
        let output = process::run(&command, &self.0.netns, &self.0.dir.join("home"), uid);
        writeln!(self.0.transcript.lock(), "{output}").unwrap();
        output
    }

    /// Runs a line of shell.
    pub fn shell(&self, script: &str) -> Output {
        self.run(["bash", "-c", script])
    }

    /// Starts a program in it and waits until it listens.
    #[expect(clippy::must_use_candidate, reason = "it runs without being looked at")]
    pub fn start(&self, program: &Program) -> Arc<Process> {
        let process = self.launch(program);
        self.listens(program);
        process
    }

    fn launch(&self, program: &Program) -> Arc<Process> {
        let process = Arc::new(program.start(&self.0.netns, &self.0.dir));
        self.0.processes.lock().push(process.clone());
        process
    }

    fn listens(&self, program: &Program) {
        for port in &program.ports {
            let addr = self.addr(*port);
            until(format_args!("{} to listen on {addr}", program.name), || {
                self.0.netns.connect(addr).is_ok()
            });
        }
    }

    /// The first program that it was started with.
    #[must_use]
    pub fn program(&self) -> Arc<Process> {
        self.0.processes.lock()[0].clone()
    }

    /// Its proxy.
    ///
    /// # Panics
    /// When none runs.
    #[must_use]
    pub fn proxy(&self) -> Arc<Process> {
        let proxy = self.0.proxy.lock();
        proxy.clone().expect("the pod has a proxy")
    }

    /// Starts its proxy, if it was left out or has ended, and waits until it is ready.
    pub fn start_proxy(&self) {
        self.launch_proxy();
        self.proxy_ready();
    }

    /// Asks its proxy to stop gracefully, as Kubernetes does.
    pub fn stop_proxy(&self) {
        self.proxy().signal(rustix::process::Signal::TERM);
    }

    fn launch_proxy(&self) {
        let Inner {
            spec,
            ips,
            shared,
            netns,
            dir,
            ..
        } = &*self.0;
        let facts = ProxyFacts {
            pod: &spec.name,
            account: &spec.name,
            ips,
            ports: &self.ports(),
            settings: &spec.settings,
            program: &spec.program,
        };
        let proxy = proxy::start(&facts, &shared.control, netns, dir);
        *self.0.proxy.lock() = Some(Arc::new(proxy));
    }

    fn proxy_ready(&self) {
        let addr = self.addr(ADMIN);
        until(
            format_args!("the proxy of {} to be ready", self.name()),
            || self.0.netns.get(addr, "/ready").is_some(),
        );
    }

    /// The sum of its proxy's metric of this name, over the label sets that have all of `labels` (as in `result="http/1"`).
    #[must_use]
    pub fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let metrics = self.0.netns.get(self.addr(ADMIN), "/metrics");
        let metrics = metrics.expect("a proxy that runs has metrics");
        crate::metrics::sum(&metrics, name, labels)
    }

    /// What its processes and commands have said last.
    pub(super) fn story(&self) -> String {
        let mut text = format!(
            "--- commands in {} ({})\n",
            self.name(),
            self.0.netns.name()
        );
        text += &self.0.transcript.lock();
        let processes = self.0.processes.lock();
        let proxy = self.0.proxy.lock();
        for process in processes.iter().chain(proxy.as_ref()) {
            write!(text, "{}: {}", self.name(), process.tail()).unwrap();
        }
        text
    }

    /// Ends all that runs in it, and that nobody else holds.
    pub fn end(&self) {
        self.0.processes.lock().clear();
        self.0.proxy.lock().take();
    }
}
