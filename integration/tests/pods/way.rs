//! Who of the two sides is in the mesh, and the pair of pods that most scenarios are about.

use std::env::var_os;

use mesh_integration::pods::{Cluster, Pod, Program, Trial, built};

/// Client and server, meshed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) client_meshed: bool,
    pub(crate) server_meshed: bool,
}

impl Way {
    /// Both in the mesh.
    pub(crate) const MESHED: Self = Self::new(true, true);
    const ALL: [(&'static str, Self); 3] = [
        ("meshed_to_meshed", Self::MESHED),
        ("meshed_to_unmeshed", Self::new(true, false)),
        ("unmeshed_to_meshed", Self::new(false, true)),
    ];

    const fn new(client_meshed: bool, server_meshed: bool) -> Self {
        Self {
            client_meshed,
            server_meshed,
        }
    }

    pub(crate) fn both(self) -> bool {
        self.client_meshed && self.server_meshed
    }
}

/// What is tried, by name, whoever is in the mesh.
pub(crate) type Scenario = (&'static str, fn(Way));

/// A test of its own for each way.
pub(crate) fn each_way(name: &str, scenario: impl Fn(Way) + Send + Copy + 'static) -> Vec<Trial> {
    let ways = Way::ALL.into_iter();
    ways.map(|(way_name, way)| one(&format!("{name}::{way_name}"), move || scenario(way)))
        .collect()
}

/// Leaves out tests of a program that could not be built here; not under CI.
pub(crate) fn unless_built(program: &str, tests: Vec<Trial>) -> Vec<Trial> {
    let left_out = built(program).is_none() && var_os("CI").is_none();
    let tests = tests.into_iter();
    tests.map(|test| test.with_ignored_flag(left_out)).collect()
}

/// One test.
pub(crate) fn one(name: &str, scenario: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        scenario();
        Ok(())
    })
}

/// A cluster with a pod `web`, a service of the same name and ports, and a pod `client`.
pub(crate) struct Two {
    pub(crate) cluster: Cluster,
    pub(crate) web: Pod,
    pub(crate) client: Pod,
}

impl Two {
    /// `web` runs `program`; the service has `ports` with the pod's behind.
    pub(crate) fn start(way: Way, program: Program, ports: &[(u16, u16)]) -> Self {
        Self::in_cluster(Cluster::start(), way, program, ports)
    }

    pub(crate) fn in_cluster(
        cluster: Cluster,
        way: Way,
        program: Program,
        ports: &[(u16, u16)],
    ) -> Self {
        let web = cluster
            .pod("web")
            .meshed_if(way.server_meshed)
            .run(program)
            .start();
        service(&cluster, ports, &[&web]);
        let client = cluster.pod("client").meshed_if(way.client_meshed).start();
        Self {
            cluster,
            web,
            client,
        }
    }

    /// The meshed ones of the two.
    pub(crate) fn proxied(&self, way: Way) -> Vec<&Pod> {
        let sides = [
            (way.client_meshed, &self.client),
            (way.server_meshed, &self.web),
        ];
        sides
            .into_iter()
            .filter_map(|(meshed, pod)| meshed.then_some(pod))
            .collect()
    }
}

/// The service `web`, of these pods.
pub(crate) fn service(cluster: &Cluster, ports: &[(u16, u16)], pods: &[&Pod]) {
    let service = cluster.service("web").of(pods);
    ports
        .iter()
        .fold(service, |service, &(port, target)| {
            service.port(port, target)
        })
        .create();
}
