//! What a scenario sees of the cluster.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Node as KubernetesNode};
use kube::api::DeleteParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::exec::Output;
use super::images::{self, Registry};
use super::isolation::STATE;
use super::mesh::Mesh;
use super::node::{self, Node};
use super::shell::Shell;
use super::space::{self, Space};
use super::tools::Tools;
use super::{manifests, report};

mod faults;

/// A cluster, of which every scenario has a view of its own.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
    /// The spaces of this scenario.
    spaces: Arc<Mutex<Vec<Space>>>,
}

struct Shared {
    client: Client,
    registry: Registry,
    shell: Shell,
    /// None for somebody else's cluster.
    node: Option<Node>,
    keep: bool,
    /// Installed by whoever wants it first; what there was before.
    mesh: OnceCell<Result<Vec<String>, String>>,
}

impl Cluster {
    /// Our own: started in the namespaces that this process is in.
    pub(super) async fn start(tools: &Tools, cgroup: &str, keep: bool) -> Result<Self, String> {
        let dir = Path::new(STATE);
        let importing = tools.clone();
        let imported = tokio::task::spawn_blocking(move || images::import_all(&importing, dir));
        let (node, client) = Node::start(tools, cgroup).await?;
        imported.await.map_err(|error| error.to_string())??;
        let registry = Registry::local();
        let dns = include_str!("cluster/coredns.yaml")
            .replace("$IMAGE", &registry.image(images::COREDNS));
        manifests::apply(&client, "kube-system", &dns).await?;
        let nodes = Api::<KubernetesNode>::all(client.clone());
        node.until("the node to be ready", async || {
            let found = nodes.get_opt(node::NAME).await;
            found.is_ok_and(|found| found.is_some_and(|node| is_ready(&node)))
        })
        .await?;
        let system = Api::<Deployment>::namespaced(client.clone(), "kube-system");
        node.until("CoreDNS", async || {
            let found = system.get("coredns").await;
            found.is_ok_and(|found| space::is_rolled_out(&found))
        })
        .await?;
        let kubeconfig = node.credentials().kubeconfig();
        let shell = Shell::new(kubeconfig, Some(tools.kubernetes_folder()))?;
        Ok(Self::new(client, registry, shell, Some(node), keep))
    }

    /// Somebody else's.
    pub(super) async fn connect(kubeconfig: &Path, registry: Registry) -> Result<Self, String> {
        let client = node::client(kubeconfig).await?;
        let version = client.apiserver_version().await;
        let version = version.map_err(|error| format!("{} ({error})", kubeconfig.display()))?;
        eprintln!(
            "kubernetes: {} is {}",
            kubeconfig.display(),
            version.git_version
        );
        let shell = Shell::new(kubeconfig.to_owned(), None)?;
        Ok(Self::new(client, registry, shell, None, false))
    }

    fn new(
        client: Client,
        registry: Registry,
        shell: Shell,
        node: Option<Node>,
        keep: bool,
    ) -> Self {
        let shared = Shared {
            client,
            registry,
            shell,
            node,
            keep,
            mesh: OnceCell::new(),
        };
        Self {
            shared: Arc::new(shared),
            spaces: Arc::default(),
        }
    }

    /// The same cluster, for another scenario.
    pub(super) fn for_scenario(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            spaces: Arc::default(),
        }
    }

    /// For all that has no helper here.
    #[must_use]
    pub fn client(&self) -> Client {
        self.shared.client.clone()
    }

    /// Full name of one of our images: `mesh-proxy`, `mesh-controller`, `mesh-identity`, `mesh-test-pod`.
    #[must_use]
    pub fn image(&self, name: &str) -> String {
        self.shared.registry.image(name)
    }

    /// Flags of `mesh install` for the images under test.
    #[must_use]
    pub fn install_flags(&self) -> String {
        let Registry { prefix, tag } = &self.shared.registry;
        let policy = match self.shared.node {
            Some(_) => "Never",
            None => "IfNotPresent",
        };
        format!("--registry {prefix} --tag {tag} --image-pull-policy {policy}")
    }

    /// The same as lines of shell that export them as variables.
    #[must_use]
    pub fn install_variables(&self) -> String {
        let flags = self.install_flags();
        let mut words = flags.split(' ');
        let mut lines = String::new();
        while let (Some(flag), Some(value)) = (words.next(), words.next()) {
            let name = flag
                .trim_start_matches('-')
                .replace('-', "_")
                .to_uppercase();
            writeln!(lines, "export MESH_{name}={value}").expect("a string takes it");
        }
        lines
    }

    /// The installed mesh, which is one for all scenarios.
    ///
    /// # Panics
    /// When it can't be installed.
    pub async fn mesh(&self) -> Mesh {
        let mesh = Mesh::of(self);
        let installed = self.shared.mesh.get_or_init(|| mesh.install()).await;
        installed.as_ref().unwrap_or_else(|error| panic!("{error}"));
        mesh
    }

    /// All objects, as `KIND NAMESPACE NAME`, but events and Kubernetes' own Leases.
    ///
    /// # Panics
    /// When they can't be listed.
    pub async fn objects(&self) -> Vec<String> {
        let listed = self.sh(include_str!("cluster/objects.sh")).await.ok();
        listed.lines().map(str::to_owned).collect()
    }

    /// Those of [`Cluster::objects`] that there were when the mesh was installed; none when it never was.
    #[must_use]
    pub fn objects_before_mesh(&self) -> Option<&[String]> {
        let installed = self.shared.mesh.get()?.as_ref();
        installed.ok().map(Vec::as_slice)
    }

    /// Runs lines of bash with `mesh`, `kubectl` and `KUBECONFIG` for this cluster.
    ///
    /// # Panics
    /// When they take longer than ten minutes.
    pub async fn sh(&self, lines: &str) -> Output {
        self.shared.shell.run(lines, &[]).await
    }

    /// As [`Cluster::sh`], with more variables.
    pub(super) async fn sh_with(&self, lines: &str, variables: &[(&str, &str)]) -> Output {
        self.shared.shell.run(lines, variables).await
    }

    /// A new namespace, whose name begins with `name`; deleted after the scenario.
    ///
    /// # Panics
    /// When the API server refuses it.
    pub async fn space(&self, name: &str) -> Space {
        let space = Space::create(self, name).await;
        self.spaces.lock().push(space.clone());
        space
    }

    /// What happened in the spaces of this scenario.
    pub(super) async fn story(&self) -> String {
        let mut spaces = self.spaces.lock().clone();
        if self.shared.mesh.initialized() {
            spaces.push(Mesh::of(self).control_plane().clone());
        }
        let mut story = String::new();
        for space in spaces {
            story += &report::story(&space).await;
        }
        if let Some(node) = &self.shared.node {
            story += &node.tails();
        }
        story
    }

    /// Deletes the spaces of this scenario, without waiting for that; those of a failed one stay when the cluster does.
    pub(super) async fn clean_up(&self, failed: bool) {
        if failed && self.shared.keep {
            return;
        }
        let spaces = std::mem::take(&mut *self.spaces.lock());
        let namespaces = Api::<Namespace>::all(self.client());
        for space in spaces {
            let params = DeleteParams::background();
            match namespaces.delete(space.name(), &params).await {
                Ok(_) => {}
                // Scenarios may do it themselves.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => eprintln!("namespace {} can't be deleted ({error})", space.name()),
            }
        }
    }

    /// The administrator's kubeconfig for another port of this machine; none for somebody else's cluster.
    pub(super) fn kubeconfig_at(&self, port: u16) -> Option<String> {
        let node = self.shared.node.as_ref()?;
        Some(node.credentials().kubeconfig_at(port))
    }

    /// What each process of the node has had resident at most.
    pub(super) fn memory(&self) -> String {
        let parts = self.shared.node.iter().flat_map(Node::memory);
        let (mut text, mut total) = (String::new(), 0);
        for (name, bytes) in parts {
            total += bytes;
            write!(text, "{name} {}, ", bytes / 1_000_000).expect("a string takes it");
        }
        format!("peak memory in MB: {text}together {}", total / 1_000_000)
    }
}

fn is_ready(node: &KubernetesNode) -> bool {
    let conditions = node.status.iter().flat_map(|status| &status.conditions);
    let mut ready = conditions.flatten().filter(|each| each.type_ == "Ready");
    ready.any(|each| each.status == "True")
}
