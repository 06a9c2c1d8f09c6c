//! The objects of a snapshot, each kind listed once.

use std::fmt::Debug;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, Node, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use mesh_controller::injector::TRUST_BUNDLE;
use mesh_identity::kubernetes::explain;
use serde::de::DeserializeOwned;

use super::super::Plan;
use super::{Read, Scope, Unread, failed};
use crate::check::checks::expected;
use crate::install::CONTROL_PLANE;

/// Where kubelets say that they are alive.
const NODE_LEASES: &str = "kube-node-lease";

macro_rules! objects {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// Objects, by kind. Those of the control plane are of its namespace alone.
        #[derive(Clone, Debug)]
        pub(crate) struct Objects {
            $($(#[$doc])* pub(crate) $name: Read<$type>,)*
        }

        impl Default for Objects {
            fn default() -> Self {
                Self { $($name: Err(Unread::NotAsked),)* }
            }
        }

        impl Objects {
            /// What could not be read.
            pub(super) fn unread(&self) -> impl Iterator<Item = (&'static str, &str)> {
                [$(failed(&self.$name)),*].into_iter().flatten()
            }
        }
    };
}

objects! {
    namespaces: Vec<Namespace>,
    nodes: Vec<Node>,
    /// Of nodes.
    leases: Vec<Lease>,
    /// Of all namespaces.
    pods: Vec<Pod>,
    /// Of all namespaces.
    services: Vec<Service>,
    /// `mesh-trust-bundle` of all namespaces.
    bundles: Vec<ConfigMap>,
    /// Of all namespaces with proxies to check, else of the control plane.
    replica_sets: Vec<ReplicaSet>,
    webhook: Option<MutatingWebhookConfiguration>,
    /// Those labelled as of this mesh.
    cluster_roles: Vec<ClusterRole>,
    /// Those labelled as of this mesh.
    cluster_role_bindings: Vec<ClusterRoleBinding>,
    /// `mesh-config`.
    config: Option<ConfigMap>,
    /// `mesh-identity-issuer`.
    issuer: Option<Secret>,
    service_accounts: Vec<ServiceAccount>,
    deployments: Vec<Deployment>,
    /// Of the control plane.
    slices: Vec<EndpointSlice>,
    budgets: Vec<PodDisruptionBudget>,
}

/// Reads what the checks of a plan look at.
pub(super) async fn read(client: &Client, plan: Plan, scope: &Scope) -> Objects {
    match plan {
        Plan::Pre => read_before_install(client, scope).await,
        Plan::ControlPlane | Plan::Proxies => read_all(client, plan, scope).await,
    }
}

async fn read_before_install(client: &Client, scope: &Scope) -> Objects {
    let from = From { client, scope };
    let (all, ours) = (ListParams::default(), from.labelled());
    let (namespaces, nodes, leases, webhook, cluster_roles) = tokio::join!(
        from.cluster(&all, "namespaces"),
        from.cluster(&all, "nodes"),
        list(
            Api::namespaced(client.clone(), NODE_LEASES),
            &all,
            "leases.coordination.k8s.io in kube-node-lease",
        ),
        from.webhook(),
        from.cluster(&ours, "clusterroles.rbac.authorization.k8s.io"),
    );
    Objects {
        namespaces,
        nodes,
        leases,
        webhook,
        cluster_roles,
        ..Objects::default()
    }
}

async fn read_all(client: &Client, plan: Plan, scope: &Scope) -> Objects {
    let (cluster, rights, control_plane) = tokio::join!(
        read_cluster(client, plan, scope),
        read_rights_of_mesh(client, scope),
        read_control_plane(client, scope),
    );
    Objects {
        cluster_roles: rights.cluster_roles,
        cluster_role_bindings: rights.cluster_role_bindings,
        config: control_plane.config,
        issuer: control_plane.issuer,
        service_accounts: control_plane.service_accounts,
        deployments: control_plane.deployments,
        slices: control_plane.slices,
        budgets: control_plane.budgets,
        ..cluster
    }
}

async fn read_cluster(client: &Client, plan: Plan, scope: &Scope) -> Objects {
    let from = From { client, scope };
    let all = ListParams::default();
    let bundle = all.clone().fields(&format!("metadata.name={TRUST_BUNDLE}"));
    let replica_sets = match plan {
        Plan::Proxies => Api::all(client.clone()),
        _ => Api::namespaced(client.clone(), &scope.mesh),
    };
    let (namespaces, nodes, pods, services, bundles, replica_sets, webhook) = tokio::join!(
        from.cluster(&all, "namespaces"),
        from.cluster(&all, "nodes"),
        from.cluster(&all, "pods"),
        from.cluster(&all, "services"),
        from.cluster(&bundle, "configmaps"),
        list(replica_sets, &all, "replicasets.apps"),
        from.webhook(),
    );
    Objects {
        namespaces,
        nodes,
        pods,
        services,
        bundles,
        replica_sets,
        webhook,
        ..Objects::default()
    }
}

async fn read_rights_of_mesh(client: &Client, scope: &Scope) -> Objects {
    let from = From { client, scope };
    let ours = from.labelled();
    let (cluster_roles, cluster_role_bindings) = tokio::join!(
        from.cluster(&ours, "clusterroles.rbac.authorization.k8s.io"),
        from.cluster(&ours, "clusterrolebindings.rbac.authorization.k8s.io"),
    );
    Objects {
        cluster_roles,
        cluster_role_bindings,
        ..Objects::default()
    }
}

async fn read_control_plane(client: &Client, scope: &Scope) -> Objects {
    let from = From { client, scope };
    let own = scope.mesh.as_str();
    let (config, issuer, service_accounts, deployments, slices, budgets) = tokio::join!(
        get(
            Api::namespaced(client.clone(), own),
            expected::CONFIG,
            "configmaps"
        ),
        get(
            Api::namespaced(client.clone(), own),
            expected::ISSUER,
            "secrets"
        ),
        from.mesh("serviceaccounts"),
        from.mesh("deployments.apps"),
        from.mesh("endpointslices.discovery.k8s.io"),
        from.mesh("poddisruptionbudgets.policy"),
    );
    Objects {
        config,
        issuer,
        service_accounts,
        deployments,
        slices,
        budgets,
        ..Objects::default()
    }
}

/// Where objects come from.
#[derive(Clone, Copy)]
struct From<'a> {
    client: &'a Client,
    scope: &'a Scope,
}

impl From<'_> {
    /// Objects of this control plane, wherever they are.
    fn labelled(self) -> ListParams {
        ListParams::default().labels(&format!("{CONTROL_PLANE}={}", self.scope.mesh))
    }

    /// Objects of the whole cluster.
    async fn cluster<K>(self, params: &ListParams, resource: &'static str) -> Read<Vec<K>>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        list(Api::all(self.client.clone()), params, resource).await
    }

    /// Objects in the control plane's namespace.
    async fn mesh<K>(self, resource: &'static str) -> Read<Vec<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api = Api::namespaced(self.client.clone(), &self.scope.mesh);
        list(api, &ListParams::default(), resource).await
    }

    async fn webhook(self) -> Read<Option<MutatingWebhookConfiguration>> {
        get(
            Api::all(self.client.clone()),
            expected::WEBHOOK_CONFIGURATION,
            "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        )
        .await
    }
}

async fn get<K>(api: Api<K>, name: &str, resource: &'static str) -> Read<Option<K>>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let got = api.get_opt(name).await;
    got.map_err(|error| Unread::Failed {
        resource,
        why: explain(&error, "get", resource),
    })
}

async fn list<K>(api: Api<K>, params: &ListParams, resource: &'static str) -> Read<Vec<K>>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let listed = api.list(params).await;
    listed
        .map(|list| list.items)
        .map_err(|error| Unread::Failed {
            resource,
            why: explain(&error, "list", resource),
        })
}
