//! The trust bundle in every meshed namespace.
//!
//! Pods mount ConfigMaps of their own namespace only, so the bundle that proxies
//! verify each other by has to be in each: in the ConfigMap `mesh-trust-bundle`,
//! under `ca-bundle.crt`; that is what the injector mounts. Proxies follow the mounted file, so an anchor added here reaches
//! all of them, without a restart, once their kubelets have looked again (about a
//! minute). What others change is put right, but with a pause: two controllers whose
//! own files differ for a moment, in the middle of a rotation, must not fight.
//!
//! Writing is a server-side apply, which makes and changes by one verb that a role
//! can limit to this name. A ConfigMap is left where it is when its namespace leaves
//! the mesh: pods that still run mount it.

use crate::{
    injector::{TRUST_BUNDLE as NAME, TRUST_BUNDLE_KEY as KEY},
    metrics,
    source::kubernetes::{Events, Failure},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::watcher::Event,
};
use mesh_identity::{TrustBundle, kubernetes::explain};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

#[cfg(test)]
mod tests;

/// Who owns the fields that we set.
const MANAGER: &str = "mesh-controller";
/// Between putting right what others changed, and between attempts.
const PAUSE: Duration = Duration::from_secs(5);

/// Keeps the ConfigMaps as they should be.
pub(crate) struct Keeper {
    client: Client,
    anchors: TrustBundle,
    /// Namespace of the control plane, which has its bundle from elsewhere.
    own_namespace: String,
    meshed: watch::Receiver<BTreeSet<String>>,
    /// What is there, by namespace.
    present: BTreeMap<String, String>,
    listed: Option<BTreeMap<String, String>>,
    /// Until all that is there has been listed, nothing is known to be missing.
    ready: bool,
    /// The failure that the log has.
    told: Option<String>,
}

impl Keeper {
    pub(crate) fn new(
        client: Client,
        anchors: TrustBundle,
        own_namespace: String,
        meshed: watch::Receiver<BTreeSet<String>>,
    ) -> Self {
        Self {
            client,
            anchors,
            own_namespace,
            meshed,
            present: BTreeMap::new(),
            listed: None,
            ready: false,
            told: None,
        }
    }

    /// Keeps them until dropped.
    pub(crate) async fn run(mut self) {
        let api = Api::<ConfigMap>::all(self.client.clone());
        let mut events = Events::new(api, &format!("metadata.name={NAME}"), "configmaps");
        let mut anchors = self.anchors.changed();
        let mut meshed = self.meshed.clone();
        let mut again = Instant::now();
        loop {
            let wanted = tokio::select! {
                event = events.next() => self.note(event),
                Ok(()) = anchors.changed() => true,
                Ok(()) = meshed.changed() => true,
                () = tokio::time::sleep_until(again), if self.ready && !self.outdated().is_empty() => true,
            };
            if self.ready && wanted {
                self.put_right().await;
                again = Instant::now() + PAUSE;
            }
        }
    }

    /// Takes in what is there; true when that is complete for the first time.
    fn note(&mut self, event: Result<Event<ConfigMap>, Failure>) -> bool {
        match event {
            Ok(Event::Init) => self.listed = Some(BTreeMap::new()),
            Ok(Event::InitApply(map)) => {
                let (namespace, text) = content(map);
                self.listed.get_or_insert_default().insert(namespace, text);
            }
            Ok(Event::InitDone) => {
                self.present = self.listed.take().unwrap_or_default();
                return !std::mem::replace(&mut self.ready, true);
            }
            Ok(Event::Apply(map)) => {
                let (namespace, text) = content(map);
                self.present.insert(namespace, text);
            }
            Ok(Event::Delete(map)) => {
                self.present.remove(&content(map).0);
            }
            Err(Failure::Expired) => {}
            Err(Failure::Failed(why)) => self.report(why),
        }
        false
    }

    /// Meshed namespaces but the control plane's.
    fn others(&self) -> Vec<String> {
        let meshed = self.meshed.borrow();
        let others = meshed.iter().filter(|name| **name != self.own_namespace);
        others.cloned().collect()
    }

    /// Those whose bundle is missing or another.
    fn outdated(&self) -> Vec<String> {
        let wanted = self.anchors.to_pem();
        let mut others = self.others();
        others.retain(|namespace| self.present.get(namespace) != Some(&wanted));
        others
    }

    async fn put_right(&mut self) {
        let wanted = self.anchors.to_pem();
        let mut written = 0;
        for namespace in self.outdated() {
            match self.write(&namespace, &wanted).await {
                Ok(()) => {
                    self.present.insert(namespace, wanted.clone());
                    written += 1;
                }
                Err(error) if is_leaving(&error) => {
                    tracing::debug!(%namespace, "No trust bundle for a namespace that is being deleted");
                }
                Err(error) => self.report(explain(
                    &error,
                    "create, patch",
                    "configmaps named mesh-trust-bundle",
                )),
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
                "app.kubernetes.io/managed-by": MANAGER,
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

fn content(map: ConfigMap) -> (String, String) {
    let namespace = map.namespace().unwrap_or_default();
    let text = map.data.and_then(|mut data| data.remove(KEY));
    (namespace, text.unwrap_or_default())
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
