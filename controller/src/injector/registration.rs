//! The webhook configuration trusts our roots: `caBundle` is kept as it should be.
//!
//! Each replica makes roots of its own ([`super::certificate`]), so the bundle has
//! those of all, and nobody knows the others. What a replica does about that:
//!
//! - Its own roots are put in when they are missing, and an annotation says when each
//!   root was last claimed by its owner. Others' stay, until they have not been claimed
//!   for an hour: then their replica is gone. A root that has no such time (somebody
//!   wiped the annotation) is given the present one. So restarts can't make the
//!   bundle grow without end, and no clock has to be right to better than that.
//! - The change is a patch with the version that was read. Of two replicas that write at
//!   once one is refused, looks again and adds its roots to the other's.
//! - It looks every few seconds. A watch would see a wiped bundle sooner, but needs more
//!   rights, and a read by name costs the API server next to nothing.
//!
//! Not a Secret with one CA for all: it would have to be renewed, guarded and waited for.

mod roots;

use self::roots::Claims;
use crate::{controller::readiness::Readiness, metrics};
use k8s_openapi::{
    ByteString, api::admissionregistration::v1::MutatingWebhookConfiguration, jiff::Timestamp,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams},
};
use mesh_identity::kubernetes::explain;
use rand::Rng as _;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;

#[cfg(test)]
mod tests;

/// The webhook's Service; the webhook configuration has the same name.
pub(crate) const SERVICE: &str = "mesh-injector";
/// The webhook in it.
const WEBHOOK: &str = "injector.mesh.dev";
/// When each root was last claimed by its owner: JSON.
const CLAIMS: &str = "mesh.dev/injector-roots";
/// As roles name it.
const RESOURCE: &str =
    "mutatingwebhookconfigurations.admissionregistration.k8s.io, only the one named mesh-injector";
/// What readiness waits for.
const PART: &str = "the injector's roots in MutatingWebhookConfiguration mesh-injector";

/// Between looks.
const INTERVAL: Duration = Duration::from_secs(5);
/// After somebody else wrote at the same time, and after a first failure. Doubled with
/// each that follows, up to the interval.
const AGAIN: Duration = Duration::from_millis(500);
/// Before the first request is welcome: API servers hear of a change by a watch.
const HEARD: Duration = Duration::from_secs(1);

/// Keeps the roots of this replica in the webhook configuration.
pub(crate) struct Registration {
    api: Api<MutatingWebhookConfiguration>,
    /// Our roots (PEM).
    own: watch::Receiver<String>,
    readiness: Readiness,
    /// The failure that the log has.
    told: Option<String>,
    /// Before the next look after a failure.
    pause: Duration,
}

/// What a look came to.
#[derive(Debug)]
enum Look {
    /// All was well.
    Right,
    Written,
    /// Somebody else wrote since we looked.
    Outrun,
}

impl Registration {
    pub(crate) fn new(client: Client, own: watch::Receiver<String>, readiness: Readiness) -> Self {
        readiness.wait_for(PART);
        Self {
            api: Api::all(client),
            own,
            readiness,
            told: None,
            pause: AGAIN,
        }
    }

    /// Goes on until dropped.
    pub(crate) async fn run(mut self) {
        let mut first = true;
        loop {
            let pause = match self.look().await {
                Ok(Look::Outrun) => AGAIN,
                Ok(look) => {
                    if std::mem::take(&mut first) && matches!(look, Look::Written) {
                        tokio::time::sleep(HEARD).await;
                    }
                    (self.told, self.pause) = (None, AGAIN);
                    self.readiness.done(PART);
                    INTERVAL
                }
                Err(why) => {
                    self.report(why);
                    let pause = self.pause;
                    self.pause = (pause * 2).min(INTERVAL);
                    pause
                }
            };
            let pause = pause.mul_f64(rand::rng().random_range(0.5..=1.0));
            // Rotation lives as long as we do; without it there is nothing new.
            let _ = tokio::time::timeout(pause, self.own.changed()).await;
        }
    }

    /// Reads the configuration, and writes what it lacks.
    async fn look(&mut self) -> Result<Look, String> {
        let own = self.own.borrow_and_update().clone();
        let found = match self.api.get_opt(SERVICE).await {
            Ok(Some(found)) => found,
            Ok(None) => return Err("it does not exist; make it with mesh install".to_owned()),
            Err(error) => return Err(explain(&error, "get", RESOURCE)),
        };
        let Some(patch) = change(&found, &own, Timestamp::now())? else {
            return Ok(Look::Right);
        };
        match self
            .api
            .patch(SERVICE, &PatchParams::default(), &Patch::Strategic(patch))
            .await
        {
            Ok(_) => {
                tracing::debug!("Wrote the roots of the webhook");
                Ok(Look::Written)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Look::Outrun),
            Err(error) => Err(explain(&error, "patch", RESOURCE)),
        }
    }

    /// Logs a failure, when it is a new one.
    fn report(&mut self, why: String) {
        metrics::source_error("webhook-configuration");
        self.readiness.trouble(PART, &why);
        if self.told.as_ref() != Some(&why) {
            tracing::warn!("Can't put our roots into the webhook configuration {SERVICE}: {why}");
            self.told = Some(why);
            self.pause = AGAIN;
        }
    }
}

/// The patch that puts it right, if there is something to put right.
fn change(
    found: &MutatingWebhookConfiguration,
    own: &str,
    now: Timestamp,
) -> Result<Option<Value>, String> {
    let mut webhooks = found.webhooks.iter().flatten();
    let Some(webhook) = webhooks.find(|webhook| webhook.name == WEBHOOK) else {
        return Err(format!(
            "it has no webhook {WEBHOOK}; make it anew with mesh install"
        ));
    };
    let present = webhook.client_config.ca_bundle.as_ref();
    let present = present.map_or_else(String::new, |ByteString(pem)| {
        String::from_utf8_lossy(pem).into_owned()
    });
    let claims = found.annotations().get(CLAIMS);
    let claims = claims.map(|text| Claims::parse(text)).unwrap_or_default();
    let right = roots::merge(&present, &claims, own, now);
    metrics::webhook_roots(right.claims.len());
    if right.bundle == present && right.claims == claims {
        return Ok(None);
    }
    Ok(Some(json!({
        "metadata": {
            "resourceVersion": found.resource_version(),
            "annotations": {CLAIMS: right.claims.to_string()},
        },
        "webhooks": [{
            "name": WEBHOOK,
            "clientConfig": {"caBundle": ByteString(right.bundle.into_bytes())},
        }],
    })))
}
