//! A cluster: one node, a control plane, and what a test puts there. Each test has its own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::control::ControlPlane;
use super::node::Node;
use super::pod::{Pod, PodBuilder};
use super::root;
use super::service::ServiceBuilder;

/// Set to leave a failed test's cluster up.
const KEEP: &str = "MESH_PODS_KEEP";

/// The families of addresses that pods and services have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Families {
    #[default]
    V4,
    V6,
    Dual,
}

/// What a cluster is to be like.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    families: Families,
    lifetime: Duration,
}

impl Builder {
    /// Which addresses there are; IPv4 unless said.
    pub fn families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }

    /// How long certificates are good for; at least 10 s.
    pub fn certificates_live(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Starts it.
    #[must_use]
    pub fn start(self) -> Cluster {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("c{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = PathBuf::from(format!("/run/mesh/{id}"));
        std::fs::create_dir_all(&dir).unwrap();
        let node = Node::create(&id, self.families);
        let control = ControlPlane::start(&node, &id, &dir, self.lifetime);
        let services = Mutex::default();
        let shared = Arc::new(Shared {
            node,
            control,
            id,
            dir,
            services,
        });
        Cluster {
            shared,
            pods: Mutex::default(),
        }
    }
}

/// What pods know of their cluster.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) control: ControlPlane,
    pub(super) node: Node,
    pub(super) id: String,
    pub(super) dir: PathBuf,
    services: Mutex<HashMap<String, Vec<IpAddr>>>,
}

impl Shared {
    /// The addresses of a service, the same each time.
    pub(super) fn service_ips(&self, name: &str) -> Vec<IpAddr> {
        let mut services = self.services.lock();
        let ips = services
            .entry(name.to_owned())
            .or_insert_with(|| self.node.service_ips(self.node.number()));
        ips.clone()
    }
}

/// A running cluster; everything in it ends when it is dropped.
///
/// When that is because the test has failed, it first prints what everyone has said last, and how to get in.
#[derive(Debug)]
pub struct Cluster {
    shared: Arc<Shared>,
    pods: Mutex<Vec<Pod>>,
}

impl Cluster {
    /// One with IPv4 and the control plane's defaults.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// One that is to be different.
    pub fn builder() -> Builder {
        let lifetime = Duration::from_secs(86_400);
        let families = Families::default();
        Builder { families, lifetime }
    }

    /// A pod to be, with a service account of the same name.
    #[must_use]
    pub fn pod(&self, name: &str) -> PodBuilder<'_> {
        PodBuilder::new(self, name)
    }

    /// A service to be.
    #[must_use]
    pub fn service(&self, name: &str) -> ServiceBuilder<'_> {
        ServiceBuilder::new(self, name)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn keep(&self, pod: Pod) {
        self.pods.lock().push(pod);
    }

    fn explain(&self) {
        let mut text = self.shared.control.tails();
        for pod in self.pods.lock().iter() {
            text += &pod.story();
        }
        let enter = root::enter_command();
        let keeping = std::env::var_os(KEEP).is_some();
        let how = if keeping {
            "it is left up until Ctrl-C"
        } else {
            "run again with MESH_PODS_KEEP=1 to leave it up"
        };
        eprintln!(
            "\n=== cluster {}\n{text}--- to look around ({how}), with NAME as in /run/netns:\n{enter} nsenter --net=/run/netns/NAME bash\n",
            self.shared.id
        );
        if keeping {
            loop {
                std::thread::park();
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.explain();
        }
        for pod in self.pods.lock().drain(..) {
            pod.end();
        }
        std::fs::remove_dir_all(&self.shared.dir).ok();
    }
}
