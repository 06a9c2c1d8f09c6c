//! The trust bundle in every meshed namespace.
//!
//! Pods mount ConfigMaps of their own namespace only, so the bundle that proxies
//! verify each other by has to be in each: in the ConfigMap `mesh-trust-bundle`,
//! under `ca-bundle.crt`; that is what the injector mounts. Proxies follow the
//! mounted file, so an anchor added here reaches all of them, without a restart, once
//! their kubelets have looked again (about a minute).
//!
//! What others change is put right, but two controllers whose own files differ, for a
//! moment in the middle of a rotation or for good, must not fight: each time that
//! right is changed to wrong the pause before the next attempt doubles, up to five
//! minutes.
//!
//! Writing is a server-side apply, which makes and changes by one verb that a role
//! can limit to this name. A ConfigMap is left where it is when its namespace leaves
//! the mesh, and kept up to date there: pods that still run mount it.

mod quarrel;

use self::quarrel::{PAUSE, Quarrel};
use crate::{
    controller::readiness::Readiness,
    injector::{TRUST_BUNDLE as NAME, TRUST_BUNDLE_KEY as KEY},
    metrics,
    source::kubernetes::{Events, Failure, Mirror, Seen},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::watcher::Event,
};
use mesh_identity::{TrustBundle, kubernetes::explain};
use serde_json::json;
use std::collections::BTreeSet;
use tokio::{sync::watch, time::Instant};

#[cfg(test)]
mod tests;

/// Who owns the fields that we set.
const MANAGER: &str = "mesh-controller";
/// A label of ours, whose value is [`MANAGER`].
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// As roles name it.
const RESOURCE: &str = "configmaps, only those named mesh-trust-bundle";
/// Under what name `/ready` tells of it.
const PART: &str = "trust bundles of namespaces";

/// Keeps the ConfigMaps as they should be.
pub(crate) struct Keeper {
    client: Client,
    anchors: TrustBundle,
    /// Namespace of the control plane, which has its bundle from elsewhere.
    own_namespace: String,
    meshed: watch::Receiver<BTreeSet<String>>,
    /// What is there, by namespace.
    present: Mirror<Bundle>,
    quarrel: Quarrel,
    readiness: Readiness,
    /// The failure that the log has.
    told: Option<String>,
}

/// A ConfigMap.
#[derive(Debug, PartialEq)]
struct Bundle {
    text: String,
    /// Whether it was made by a controller.
    ours: bool,
}

impl Keeper {
    pub(crate) fn new(
        client: Client,
        anchors: TrustBundle,
        own_namespace: String,
        meshed: watch::Receiver<BTreeSet<String>>,
        readiness: Readiness,
    ) -> Self {
        Self {
            client,
            anchors,
            own_namespace,
            meshed,
            present: Mirror::default(),
            quarrel: Quarrel::default(),
            readiness,
            told: None,
        }
    }

    /// Keeps them until dropped.
    pub(crate) async fn run(mut self) {
        let api = Api::<ConfigMap>::all(self.client.clone());
        let mut events = Events::new(api, &format!("metadata.name={NAME}"), RESOURCE);
        let mut anchors = self.anchors.changed();
        let mut meshed = self.meshed.clone();
        let mut again = Instant::now();
        loop {
            let outdated = self.outdated();
            let complete = self.present.is_complete();
            if complete && outdated.is_empty() {
                self.readiness.done(PART);
            }
            let due = outdated.iter().map(|name| self.quarrel.until(name));
            let due = due.map(|until| until.map_or(again, |until| until.max(again)));
            let due = due.min().filter(|_| complete);
            let wanted = tokio::select! {
                event = events.next() => self.note(event),
                Ok(()) = anchors.changed() => {
                    self.quarrel.forget();
                    true
                }
                Ok(()) = meshed.changed() => true,
                () = tokio::time::sleep_until(due.unwrap_or(again)), if due.is_some() => true,
            };
            if wanted && self.present.is_complete() {
                self.put_right().await;
                again = Instant::now() + PAUSE;
            }
        }
    }

    /// Takes in what is there; true when that is complete for the first time.
    fn note(&mut self, event: Result<Event<ConfigMap>, Failure>) -> bool {
        let first = !self.present.is_complete();
        let event = match event {
            Ok(event) => event,
            Err(Failure::Expired) => return false,
            Err(Failure::Failed(why)) => {
                // Later nothing would say that the watch stands again; but then
                // nothing is known to be wrong either.
                if first {
                    self.readiness.trouble(PART, &why);
                }
                self.report(why);
                return false;
            }
        };
        match self.present.take(event, content) {
            Seen::Listed => return first,
            Seen::Object(namespace, Some(before)) => {
                let right = self.anchors.to_pem();
                // One that is gone most likely goes with its namespace.
                let now = self.present.get(&namespace);
                if before.text == right && now.is_some_and(|now| now.text != right) {
                    self.quarrel.undone(namespace);
                }
            }
            Seen::Object(..) | Seen::Nothing => {}
        }
        false
    }

    /// Namespaces that are to have the bundle: not the control plane's.
    fn others(&self) -> BTreeSet<String> {
        let ours = self.present.iter().filter(|(_, bundle)| bundle.ours);
        let mut others = self.meshed.borrow().clone();
        others.extend(ours.map(|(namespace, _)| namespace.clone()));
        others.remove(&self.own_namespace);
        others
    }

    /// Those whose bundle is missing or another.
    fn outdated(&self) -> Vec<String> {
        let wanted = self.anchors.to_pem();
        let outdated = |namespace: &String| {
            let bundle = self.present.get(namespace);
            bundle.is_none_or(|bundle| bundle.text != wanted)
        };
        self.others().into_iter().filter(outdated).collect()
    }

    async fn put_right(&mut self) {
        let wanted = self.anchors.to_pem();
        let mut written = 0;
        let now = Instant::now();
        let mut due = self.outdated();
        due.retain(|name| self.quarrel.until(name).is_none_or(|until| until <= now));
        for namespace in due {
            match self.write(&namespace, &wanted).await {
                Ok(()) => {
                    let text = wanted.clone();
                    let bundle = Bundle { text, ours: true };
                    self.present.insert(namespace, bundle);
                    written += 1;
                }
                Err(error) if is_leaving(&error) => {
                    tracing::debug!(%namespace, "No trust bundle for a namespace that is being deleted");
                }
                Err(error) => {
                    let why = explain(&error, "create, patch", RESOURCE);
                    self.readiness.trouble(PART, &why);
                    self.report(why);
                }
            }
        }
        let outdated = self.outdated().len();
        let all = self.others().len();
        if written > 0 {
            tracing::info!(namespaces = written, "Trust bundle written");
        }
        if outdated == 0 {
            self.told = None;
        }
        metrics::trust_bundles(all.saturating_sub(outdated), outdated);
    }

    async fn write(&self, namespace: &str, text: &str) -> kube::Result<()> {
        let map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "labels": {
                MANAGED_BY: MANAGER,
                "app.kubernetes.io/part-of": "mesh",
            }},
            "data": {KEY: text},
        });
        let api = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
        let params = PatchParams::apply(MANAGER).force();
        api.patch(NAME, &params, &Patch::Apply(&map)).await?;
        Ok(())
    }

    /// Logs a failure, when it is a new one.
    fn report(&mut self, why: String) {
        metrics::source_error("trust-bundle");
        if self.told.as_ref() != Some(&why) {
            tracing::warn!("Can't keep the trust bundle of all namespaces: {why}");
            self.told = Some(why);
        }
    }
}

fn content(map: ConfigMap) -> (String, Bundle) {
    let namespace = map.namespace().unwrap_or_default();
    let ours = map.labels().get(MANAGED_BY).is_some_and(|by| by == MANAGER);
    let text = map.data.and_then(|mut data| data.remove(KEY));
    let text = text.unwrap_or_default();
    (namespace, Bundle { text, ours })
}

/// Nothing can be made in a namespace that is being deleted, or is gone.
fn is_leaving(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else {
        return false;
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let terminating = causes
        .into_iter()
        .any(|cause| cause.reason == "NamespaceTerminating");
    terminating || status.code == 404
}
