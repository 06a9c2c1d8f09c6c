//! Namespaces as the webhook sees them: their annotations, from memory.
//!
//! A watch is some milliseconds behind, and `kubectl apply` sends a new namespace and
//! the pods in it within as many. An injector that answers at once would leave those
//! pods without a proxy (under `failurePolicy: Ignore`, without a word), so a
//! namespace that is not known is waited for, but for less than the webhook's timeout.
//!
//! Also says which namespaces are *meshed*, so that they get a trust bundle: those
//! that ask for proxies, and those in which a pod asked for itself.

use super::{Annotations, CONFIG_PREFIX, INJECT};
use crate::{
    controller::readiness::Readiness,
    metrics,
    model::object::Kind,
    source::kubernetes::{Events, Failure, Freshness, Kubernetes, Mirror, Seen},
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt as _, core::PartialObjectMeta, runtime::watcher::Event};
use parking_lot::RwLock;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::watch;

#[cfg(test)]
mod tests;

/// For a namespace to become known. API servers wait 10 s for a webhook.
const PATIENCE: Duration = Duration::from_secs(3);
/// What readiness waits for.
pub(crate) const PART: &str = "namespaces";

/// What is known of namespaces. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespaces(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: RwLock<Known>,
    /// Told of each change of `known`.
    changed: watch::Sender<()>,
    meshed: watch::Sender<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Annotations with our prefixes.
    annotations: Mirror<Annotations>,
    /// Namespaces with a pod that has a proxy though nobody asked for it there.
    asked: BTreeSet<String>,
}

impl Namespaces {
    /// Follows the cluster's.
    pub(crate) async fn run(self, kubernetes: Kubernetes, readiness: Readiness) {
        let api = Api::<PartialObjectMeta<Namespace>>::all(kubernetes.client());
        let events = Events::new(api, "", "namespaces");
        self.follow(events, kubernetes.freshness(), &readiness)
            .await;
    }

    async fn follow(
        self,
        mut events: Events<PartialObjectMeta<Namespace>>,
        freshness: &Freshness,
        readiness: &Readiness,
    ) {
        loop {
            match events.next().await {
                Ok(event) => {
                    if self.take(event) == Seen::Listed {
                        freshness.listed(Kind::Namespace);
                        readiness.done(PART);
                    }
                }
                Err(Failure::Expired) => {}
                Err(Failure::Failed(why)) => {
                    metrics::source_error("kubernetes");
                    freshness.failed(Kind::Namespace, why);
                }
            }
        }
    }

    fn take(&self, event: Event<PartialObjectMeta<Namespace>>) -> Seen<Annotations> {
        let seen = self.0.known.write().annotations.take(event, ours);
        if seen != Seen::Nothing {
            self.note();
        }
        seen
    }

    /// Tells whoever waits.
    fn note(&self) {
        let mut known = self.0.known.write();
        let known = &mut *known;
        let annotations = &known.annotations;
        known.asked.retain(|name| annotations.get(name).is_some());
        let asking = annotations.iter().filter(|(_, each)| asks(each));
        let meshed: BTreeSet<_> = asking
            .map(|(name, _)| name)
            .chain(&known.asked)
            .cloned()
            .collect();
        self.0.meshed.send_if_modified(|before| {
            let changed = *before != meshed;
            *before = meshed;
            changed
        });
        self.0.changed.send_replace(());
    }

    /// A namespace's annotations, if it is known.
    pub(crate) fn annotations(&self, namespace: &str) -> Option<Annotations> {
        self.0.known.read().annotations.get(namespace).cloned()
    }

    /// Waits until a namespace is known, for a while. Who asks finds out by itself
    /// whether it is.
    pub(crate) async fn known(&self, namespace: &str) {
        let mut changed = self.0.changed.subscribe();
        let known = async {
            while self.annotations(namespace).is_none() && changed.changed().await.is_ok() {}
        };
        let _ = tokio::time::timeout(PATIENCE, known).await;
    }

    /// A pod with our proxy was made there.
    pub(crate) fn mesh(&self, namespace: &str) {
        if !self.0.meshed.borrow().contains(namespace) {
            self.0.known.write().asked.insert(namespace.to_owned());
            self.note();
        }
    }

    /// Namespaces with pods that have our proxy, or will have it.
    pub(crate) fn meshed(&self) -> watch::Receiver<BTreeSet<String>> {
        self.0.meshed.subscribe()
    }
}

/// The name, and the annotations that an injection may depend on.
fn ours(namespace: PartialObjectMeta<Namespace>) -> (String, Annotations) {
    let name = namespace.name_any();
    let mut annotations = namespace.metadata.annotations.unwrap_or_default();
    annotations.retain(|key, _| key == INJECT || key.starts_with(CONFIG_PREFIX));
    (name, annotations)
}

/// Whether it asks for proxies.
fn asks(annotations: &Annotations) -> bool {
    let value = annotations.get(INJECT).map(|value| value.trim());
    matches!(value, Some("enabled" | "ingress"))
}
