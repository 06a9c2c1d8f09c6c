//! The way to a cluster, for each command that asks one something.
//!
//! Commands get at pods by port-forward through the API server: whoever may use
//! `kubectl port-forward` may use them, and no Service, no Ingress and no
//! certificate has to exist for a diagnosis. A forwarded connection arrives on
//! the pod's loopback interface, where the control plane speaks plaintext to
//! whoever is that far in already (`mesh_identity::server::incoming`).
//!
//! kube-rs waits for minutes where a person gives up: every request has
//! [`PATIENCE`]. It also ignores the `as:` of a kubeconfig, which would show the
//! administrator's view where the user asked for somebody else's.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use kube::client::ClientBuilder;
use kube::{Client, Config};
use mesh_identity::kubernetes::{Access, AccessError, explain};
use tower::timeout::TimeoutLayer;

mod error;
mod forward;
mod pods;
pub(crate) mod proxy;
mod resource;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use error::ClusterError;
pub(crate) use pods::{PodName, component, is_ready};
pub(crate) use resource::{Kind, Resource};

/// For one request: until the head of its answer, and for any pause within it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Which cluster, as whom, and where in it the mesh is.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// Kubeconfig, if not those of KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig, if not its current one
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// User to act as
    #[arg(long = "as", value_name = "USER")]
    pub(crate) act_as: Option<String>,
    /// Group to act as; may be given several times
    #[arg(long = "as-group", value_name = "GROUP", requires = "act_as")]
    pub(crate) groups: Vec<String>,
    /// Namespace of the control plane
    #[arg(
        short,
        long,
        env = "MESH_NAMESPACE",
        value_name = "NAME",
        default_value = "mesh"
    )]
    pub(crate) mesh_namespace: String,
}

/// A cluster that was found; cheap to clone.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// Gives each request [`PATIENCE`]. A watch that is silent for that long ends, and is begun anew by `kube::runtime`.
    pub(crate) client: Client,
    /// Namespace of the control plane.
    pub(crate) namespace: String,
    /// Namespace that the kubeconfig's context is set to, for a command whose user names none.
    pub(crate) default_namespace: String,
    /// URL of the API server.
    pub(crate) address: String,
}

impl ClusterArgs {
    /// The cluster, once its API server has answered.
    ///
    /// # Errors
    /// When no kubeconfig leads to an API server, or that does not answer.
    pub(crate) async fn connect(&self) -> Result<Cluster, ClusterError> {
        let cluster = self.open().await?;
        match cluster.client.apiserver_version().await {
            Ok(_) => Ok(cluster),
            Err(error) => Err(cluster.failed(&error, "get", "the path /version")),
        }
    }

    /// The same without a request, for who wants to tell the two failures apart.
    ///
    /// # Errors
    /// When there is no kubeconfig, or one that can't be used.
    pub(crate) async fn open(&self) -> Result<Cluster, ClusterError> {
        let access = Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        };
        let mut config = access.config().await.map_err(|error| match error {
            AccessError::None(_) if !error::has_kubeconfig() => {
                ClusterError::NoKubeconfig(error::tried())
            }
            other => ClusterError::Access(other),
        })?;
        config.read_timeout = Some(PATIENCE);
        let impersonation = self.impersonation(&config)?;
        config.headers.extend(impersonation);
        let (address, default_namespace) = (
            config.cluster_url.to_string(),
            config.default_namespace.clone(),
        );
        let client = ClientBuilder::try_from(config)
            .map_err(AccessError::from)?
            .with_layer(&TimeoutLayer::new(PATIENCE))
            .build();
        Ok(Cluster {
            client,
            namespace: self.mesh_namespace.clone(),
            default_namespace,
            address: address.trim_end_matches('/').to_owned(),
        })
    }

    /// Who to act as: what the flags say, else what the kubeconfig says.
    fn impersonation(&self, config: &Config) -> Result<Vec<Header>, ClusterError> {
        let (user, groups) = match &self.act_as {
            Some(_) => (&self.act_as, Some(&self.groups)),
            None => (
                &config.auth_info.impersonate,
                config.auth_info.impersonate_groups.as_ref(),
            ),
        };
        let user = user.iter().map(|user| ("impersonate-user", user));
        let groups = groups
            .into_iter()
            .flatten()
            .map(|group| ("impersonate-group", group));
        user.chain(groups).map(header).collect()
    }
}

type Header = (HeaderName, HeaderValue);

fn header((name, value): (&'static str, &String)) -> Result<Header, ClusterError> {
    let value = HeaderValue::from_str(value).map_err(|_| ClusterError::User(value.clone()))?;
    Ok((HeaderName::from_static(name), value))
}

impl Cluster {
    /// The error of a request, with what would allow it: `verbs` and `resource` are as a role names them.
    pub(crate) fn failed(&self, error: &kube::Error, verbs: &str, resource: &str) -> ClusterError {
        ClusterError::Request {
            address: self.address.clone(),
            cause: explain(error, verbs, resource),
        }
    }
}
