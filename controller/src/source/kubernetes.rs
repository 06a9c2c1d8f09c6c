//! Objects from the Kubernetes API server.
//!
//! Each kind is listed once and watched from there on, by kube-rs. What matters
//! here is what happens when that goes wrong:
//!
//! - Nothing is forgotten on the way: while a watch is down, or a list is being read
//!   anew, all objects stay. What a new list no longer has is deleted once the list
//!   is complete.
//! - What is old is called old: each kind knows since when it has had no working
//!   watch ([`freshness`]), and says so in a metric, in the log and on `/ready`.
//! - The first batch waits for all kinds. A controller that knows Services but no
//!   Pods would tell proxies to speak plaintext to meshed pods.
//!
//! Only names are kept here, to find what a list lacks; objects are turned into the
//! model's at once, and the model drops those that say nothing new. Namespaces and
//! Nodes come as metadata alone, Pods without those that have ended.
//! ServiceAccounts are not watched: no answer depends on more than their name,
//! which Pods have. What is wrong with an object is told on it, as an Event.

mod collect;
mod events;
mod faults;
mod follow;
mod freshness;
mod last_good;
mod mirror;
mod share;

#[cfg(test)]
mod tests;

pub(crate) use events::{Events, Failure};
pub(crate) use faults::Faults;
pub(crate) use freshness::Freshness;
pub(crate) use mirror::{Mirror, Seen};

use super::{Batch, Source, convert::Convert};
use crate::{events::Recorder, model::object::Kind};
use follow::Follower;
use k8s_openapi::api::{
    core::v1::{Namespace, Node, Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{Api, Client, Resource, client::ClientBuilder, core::PartialObjectMeta};
use mesh_identity::kubernetes::{Access, AccessError};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use tokio::{sync::mpsc, task::JoinSet};

/// Changes that may wait to be put into a batch.
const WAITING: usize = 1024;
/// Ended pods stay in the API for long (finished Jobs), and have no address.
const NOT_ENDED: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// The objects of one cluster.
#[derive(Clone)]
pub(crate) struct Kubernetes {
    client: Client,
    freshness: Freshness,
}

impl Kubernetes {
    /// Finds the way to the API server, but does not ask it anything yet: it may
    /// come up later than we.
    pub(crate) async fn open(access: &Access) -> Result<Self, AccessError> {
        let freshness = Freshness::default();
        let builder = ClientBuilder::try_from(access.config().await?)?;
        Ok(Self {
            client: builder.with_layer(&freshness).build(),
            freshness,
        })
    }

    /// For other parts that ask the API server.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(crate) fn freshness(&self) -> &Freshness {
        &self.freshness
    }
}

impl Source for Kubernetes {
    async fn run(self, batches: mpsc::Sender<Batch>) {
        let (changes, received) = mpsc::channel(WAITING);
        let mut tasks = JoinSet::new();
        let (events, writer) = Recorder::new(self.client.clone(), "mesh-destination");
        tasks.spawn(writer.run());
        let mut watches = Watches {
            client: self.client,
            freshness: self.freshness,
            changes,
            events,
            tasks,
        };
        watches.start::<PartialObjectMeta<Namespace>>(Kind::Namespace, "");
        watches.start::<PartialObjectMeta<Node>>(Kind::Node, "");
        watches.start::<Pod>(Kind::Pod, NOT_ENDED);
        watches.start::<Service>(Kind::Service, "");
        watches.start::<EndpointSlice>(Kind::EndpointSlice, "");
        // The watches end with the tasks, when this is dropped.
        let Watches { tasks, changes, .. } = watches;
        drop(changes);
        collect::run(received, batches).await;
        drop(tasks);
    }
}

impl Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes")
            .field("freshness", &self.freshness)
            .finish_non_exhaustive()
    }
}

/// All watches, being started.
struct Watches {
    client: Client,
    freshness: Freshness,
    changes: mpsc::Sender<collect::Update>,
    events: Recorder,
    tasks: JoinSet<()>,
}

impl Watches {
    fn start<K>(&mut self, kind: Kind, fields: &str)
    where
        K: Convert + Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + 'static,
    {
        let events = Events::new(Api::<K>::all(self.client.clone()), fields, resource(kind));
        let (freshness, changes) = (self.freshness.clone(), self.changes.clone());
        let follower = Follower::new(kind, freshness, changes, self.events.clone());
        self.tasks.spawn(follower.run(events));
    }
}

/// The kinds, and their names in roles.
const RESOURCES: [(Kind, &str, &str); 5] = [
    (Kind::Namespace, "/api/v1/namespaces", "namespaces"),
    (Kind::Node, "/api/v1/nodes", "nodes"),
    (Kind::Pod, "/api/v1/pods", "pods"),
    (Kind::Service, "/api/v1/services", "services"),
    (
        Kind::EndpointSlice,
        "/apis/discovery.k8s.io/v1/endpointslices",
        "endpointslices.discovery.k8s.io",
    ),
];

fn resource(kind: Kind) -> &'static str {
    let found = RESOURCES.iter().find(|(each, ..)| *each == kind);
    found.map_or("", |(_, _, resource)| resource)
}

/// Which kind a path of the API is for.
fn kind_at(path: &str) -> Option<Kind> {
    let found = RESOURCES.iter().find(|(_, each, _)| *each == path);
    found.map(|(kind, ..)| *kind)
}
