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

use crate::{
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
use std::{collections::BTreeSet, time::Duration};
use tokio::{sync::watch, time::Instant};

#[cfg(test)]
mod tests;

/// Who owns the fields that we set.
const MANAGER: &str = "mesh-controller";
/// A label of ours, whose value is [`MANAGER`].
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Between putting right what others changed, and between attempts.
const PAUSE: Duration = Duration::from_secs(5);
/// The same when somebody else insists.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Nobody has insisted for so long: the next change is put right soon again.
const PEACE: Duration = Duration::from_secs(1800);

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

/// Somebody who undoes what we do.
#[derive(Debug)]
struct Quarrel {
    pause: Duration,
    last: Option<Instant>,
}

impl Quarrel {
    /// It happened again; when to put it right.
    fn undone(&mut self) -> Instant {
        let now = Instant::now();
        let insists = self.last.is_some_and(|last| now - last < PEACE);
        self.pause = match insists {
            true => (self.pause * 2).min(LONGEST_PAUSE),
            false => PAUSE,
        };
        if insists && self.pause == LONGEST_PAUSE {
            tracing::warn!(
                "Somebody else keeps changing the trust bundle: does another controller have other trust anchors?"
            );
        }
        self.last = Some(now);
        now + self.pause
    }
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
            present: Mirror::default(),
            quarrel: Quarrel {
                pause: PAUSE,
                last: None,
            },
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
            let late = self.present.is_complete() && !self.outdated().is_empty();
            let wanted = tokio::select! {
                event = events.next() => match self.note(event) {
                    Noted::Nothing => false,
                    Noted::Known => true,
                    Noted::Undone(until) => {
                        again = again.max(until);
                        false
                    }
                },
                Ok(()) = anchors.changed() => true,
                Ok(()) = meshed.changed() => true,
                () = tokio::time::sleep_until(again), if late => true,
            };
            if wanted && self.present.is_complete() {
                self.put_right().await;
                again = Instant::now() + PAUSE;
            }
        }
    }

    /// Takes in what is there.
    fn note(&mut self, event: Result<Event<ConfigMap>, Failure>) -> Noted {
        let first = !self.present.is_complete();
        let event = match event {
            Ok(event) => event,
            Err(Failure::Expired) => return Noted::Nothing,
            Err(Failure::Failed(why)) => {
                self.report(why);
                return Noted::Nothing;
            }
        };
        match self.present.take(event, content) {
            Seen::Listed if first => Noted::Known,
            Seen::Object(namespace, Some(before)) => {
                let right = self.anchors.to_pem();
                // One that is gone most likely goes with its namespace.
                let now = self.present.get(&namespace);
                match before.text == right && now.is_some_and(|now| now.text != right) {
                    true => Noted::Undone(self.quarrel.undone()),
                    false => Noted::Nothing,
                }
            }
            _ => Noted::Nothing,
        }
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
        for namespace in self.outdated() {
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

/// What an event means for us.
enum Noted {
    Nothing,
    /// All that is there is known, for the first time.
    Known,
    /// Somebody changed what was right; it may be put right from then on.
    Undone(Instant),
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
