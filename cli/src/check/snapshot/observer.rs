//! Takes snapshots of a cluster.

use k8s_openapi::jiff::Timestamp;
use mesh_identity::kubernetes::explain;

use super::super::runner::Observe;
use super::super::{Options, Plan};
use super::{Scope, Snapshot, Unread, objects, probe, rights};
use crate::cluster::{Cluster, ClusterArgs};

/// Looks at a cluster, or knows why it can't.
pub(crate) struct Observer {
    cluster: Result<Cluster, String>,
    plan: Plan,
    scope: Scope,
}

impl Observer {
    /// Reads the kubeconfig; connects to nothing yet.
    pub(crate) async fn new(cluster: &ClusterArgs, options: &Options) -> Self {
        Self {
            cluster: cluster.open().await.map_err(|error| error.to_string()),
            plan: options.plan,
            scope: options.scope.clone(),
        }
    }
}

impl Observe for Observer {
    /// All kinds at once, then the pods that were found.
    async fn look(&mut self) -> Snapshot {
        let cluster = match &self.cluster {
            Ok(cluster) => cluster,
            Err(why) => return Snapshot::without_client(&self.scope, why),
        };
        let mut snapshot = Snapshot::empty(&self.scope, Timestamp::now());
        snapshot.version = match cluster.client.apiserver_version().await {
            Ok(version) => Ok(version.git_version),
            Err(error) => Err(Unread::Failed {
                resource: "the version of the API server",
                why: format!(
                    "{} (the API server is {})",
                    explain(&error, "get", "the path /version"),
                    cluster.address
                ),
            }),
        };
        // Each of the requests to come would have to wait as long.
        if snapshot.version.is_err() {
            return snapshot;
        }
        snapshot.objects = objects::read(&cluster.client, self.plan, &self.scope).await;
        if self.plan == Plan::Pre {
            snapshot.rights = rights::read(&cluster.client, &self.scope).await;
        }
        snapshot.probes = probe::read(cluster, self.plan, &self.scope, &snapshot.objects).await;
        snapshot
    }
}

#[cfg(test)]
mod tests;
