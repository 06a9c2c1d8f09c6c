//! A pod to be.

use std::net::IpAddr;
use std::time::Duration;

use super::super::cluster::Cluster;
use super::super::interception::intercept;
use super::super::program::Program;
use super::super::proxy::ProxyProgram;
use super::Pod;

/// What a builder has been told.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) meshed: bool,
    pub(super) programs: Vec<Program>,
    pub(super) annotations: Vec<(String, String)>,
    pub(super) settings: Vec<(String, String)>,
    pub(super) interception: Vec<String>,
    pub(super) outside: Vec<IpAddr>,
    pub(super) delay: Option<Duration>,
    pub(super) program: ProxyProgram,
}

/// A pod to be; [`PodBuilder::start`] makes it.
#[derive(Debug)]
pub struct PodBuilder<'a> {
    cluster: &'a Cluster,
    spec: Spec,
    proxy_later: bool,
}

impl<'a> PodBuilder<'a> {
    pub(in crate::pods) fn new(cluster: &'a Cluster, name: &str) -> Self {
        let spec = Spec {
            name: name.to_owned(),
            meshed: false,
            programs: Vec::new(),
            annotations: Vec::new(),
            settings: Vec::new(),
            interception: Vec::new(),
            outside: Vec::new(),
            delay: None,
            program: ProxyProgram::default(),
        };
        Self {
            cluster,
            spec,
            proxy_later: false,
        }
    }

    /// With a proxy and interception.
    #[must_use]
    pub fn meshed(self) -> Self {
        self.meshed_if(true)
    }

    /// [`PodBuilder::meshed`], or not.
    #[must_use]
    pub fn meshed_if(mut self, meshed: bool) -> Self {
        self.spec.meshed = meshed;
        self
    }

    /// A program that runs in it; there may be several.
    #[must_use]
    pub fn run(mut self, program: Program) -> Self {
        self.spec.programs.push(program);
        self
    }

    /// `config.mesh.dev/NAME: VALUE`.
    #[must_use]
    pub fn config(mut self, name: &str, value: &str) -> Self {
        self.spec
            .annotations
            .push((format!("config.mesh.dev/{name}"), value.to_owned()));
        self
    }

    /// A setting of its proxy, without `MESH_PROXY_`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.spec.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another program as its proxy, told the same.
    #[must_use]
    pub fn proxy(mut self, program: ProxyProgram) -> Self {
        self.spec.program = program;
        self
    }

    /// A flag of `mesh-proxy init`.
    #[must_use]
    pub fn interception(mut self, flag: &str) -> Self {
        self.spec.interception.push(flag.to_owned());
        self
    }

    /// Not of the cluster: a machine somewhere else, at this address, that no manifest tells of.
    #[must_use]
    pub fn outside(mut self, ip: IpAddr) -> Self {
        self.spec.outside.push(ip);
        self
    }

    /// Far away: every packet to and from it takes so much longer.
    #[must_use]
    pub fn far(mut self, delay: Duration) -> Self {
        self.spec.delay = Some(delay);
        self
    }

    /// Its proxy is not started until [`Pod::start_proxy`]; interception is on from the beginning.
    #[must_use]
    pub fn proxy_later(mut self) -> Self {
        self.proxy_later = true;
        self
    }

    /// Starts it, and waits until its programs and its proxy are ready.
    #[must_use]
    pub fn start(self) -> Pod {
        let pod = Pod::create(self.cluster.shared().clone(), self.spec);
        self.cluster.keep(pod.clone());
        if pod.0.spec.meshed {
            intercept(&pod.0.netns, &pod.0.dir, &pod.0.spec.interception);
            if !self.proxy_later {
                pod.launch_proxy();
            }
        }
        for program in &pod.0.spec.programs {
            pod.launch(program);
        }
        for program in &pod.0.spec.programs {
            pod.listens(program);
        }
        if pod.0.spec.meshed && !self.proxy_later {
            pod.proxy_ready();
        }
        pod
    }
}
