//! Whether the API server and the injector understand each other.

use std::sync::Arc;

use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use k8s_openapi::jiff::SignedDuration;
use kube::ResourceExt as _;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::super::{Category, Check, Finding, Problem, Snapshot, nothing_wrong, seen};
use super::certificate::Certificate;
use super::existence::own_pods;
use super::expected;
use crate::cluster::is_ready;

/// The injector renews its certificate when ten days are left
/// (`controller/src/injector/certificate.rs`): with so few it has failed to.
const OVERDUE: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) const CATEGORY: Category = Category {
    name: "webhook",
    checks: &[
        Check::new(
            "webhook-target",
            "the webhook configuration leads to the injector",
            target,
        ),
        Check::new(
            "webhook-ca-bundle",
            "its caBundle has a valid root",
            ca_bundle,
        )
        .retried(),
        Check::new(
            "webhook-certificate",
            "the API server trusts what the injector serves",
            certificate,
        )
        .retried(),
        Check::new(
            "webhook-certificate-expiry",
            "the injector renews its certificate in time",
            expiry,
        )
        .warns(),
        Check::new(
            "webhook-failure-policy",
            "the failure policy suits the number of injectors",
            failure_policy,
        )
        .warns(),
    ],
};

fn configuration(snapshot: &Snapshot) -> Result<&MutatingWebhookConfiguration, Problem> {
    let found = seen(&snapshot.objects.webhook)?.as_ref();
    found.ok_or_else(|| Problem::skipped("there is none, see mesh-webhook-configuration"))
}

fn webhook(snapshot: &Snapshot) -> Result<&MutatingWebhook, Problem> {
    let webhooks = configuration(snapshot)?.webhooks.as_ref();
    let first = webhooks.and_then(|webhooks| webhooks.first());
    first.ok_or_else(|| Problem::skipped("it has no webhook, see webhook-target"))
}

fn target(snapshot: &Snapshot) -> Finding {
    let found = configuration(snapshot)?;
    let Some(webhook) = found
        .webhooks
        .as_ref()
        .and_then(|webhooks| webhooks.first())
    else {
        return Err(Problem::one("it has no webhook"));
    };
    let kind = "MutatingWebhookConfiguration";
    let expected = expected::objects::<MutatingWebhookConfiguration>(snapshot, kind);
    let wanted = expected
        .iter()
        .flat_map(|each| each.webhooks.iter().flatten())
        .next();
    let wanted = wanted.ok_or_else(|| Problem::skipped("this version installs none"))?;
    let service = webhook.client_config.service == wanted.client_config.service;
    let rules = webhook.rules == wanted.rules;
    let wrong = [
        (
            service,
            "it calls another Service or path than the injector's",
        ),
        (
            rules,
            "it is not asked about the creation of pods, or about more",
        ),
    ];
    nothing_wrong(
        wrong
            .iter()
            .filter(|(right, _)| !right)
            .map(|(_, why)| (*why).to_owned()),
    )
}

/// The roots that the API server trusts.
fn bundle(snapshot: &Snapshot) -> Result<&[u8], Problem> {
    let bundle = webhook(snapshot)?.client_config.ca_bundle.as_ref();
    let bundle = bundle
        .map(|bundle| bundle.0.as_slice())
        .filter(|bundle| !bundle.is_empty());
    bundle.ok_or_else(|| Problem::one("there is no caBundle: the injector writes it when it runs"))
}

fn ca_bundle(snapshot: &Snapshot) -> Finding {
    let roots = Certificate::all(bundle(snapshot)?).map_err(Problem::one)?;
    let invalid: Vec<_> = roots
        .iter()
        .map(|root| root.invalid(snapshot.now))
        .collect();
    // Roots of injectors that are gone may be old; those in use are known by what is served.
    match invalid.iter().any(Option::is_none) {
        true => Ok(()),
        false => nothing_wrong(invalid.into_iter().flatten()),
    }
}

/// The certificates that injectors serve, the leaf first, and those that serve none.
fn served(
    snapshot: &Snapshot,
) -> Result<Vec<(String, Result<&[CertificateDer<'static>], &str>)>, Problem> {
    let all = snapshot.probes.webhook.iter();
    let all: Vec<_> = all
        .map(|(pod, served)| {
            let served = served.as_ref().map(Vec::as_slice).map_err(String::as_str);
            (format!("pod {pod}"), served)
        })
        .collect();
    match all.is_empty() {
        true => Err(Problem::skipped("no injector runs, see mesh-pods-ready")),
        false => Ok(all),
    }
}

fn certificate(snapshot: &Snapshot) -> Finding {
    let served = served(snapshot)?;
    let bundle = bundle(snapshot).map_err(|_| Problem::skipped("see webhook-ca-bundle"))?;
    let verifier = Verifier::new(bundle, snapshot).map_err(Problem::one)?;
    nothing_wrong(served.into_iter().filter_map(|(pod, served)| {
        let verified = served
            .map_err(ToOwned::to_owned)
            .and_then(|chain| verifier.verify(chain));
        verified.err().map(|why| format!("{pod}: {why}"))
    }))
}

/// Verifies as the API server does.
struct Verifier {
    verifier: Arc<WebPkiServerVerifier>,
    host: String,
    now: UnixTime,
}

impl Verifier {
    fn new(bundle: &[u8], snapshot: &Snapshot) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(bundle).flatten() {
            // Go leaves out what it can't use, too.
            let _ = roots.add(root);
        }
        // The API server accepts more than peers of the mesh do.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let since = expected::system_time(snapshot).duration_since(std::time::UNIX_EPOCH);
        Ok(Self {
            verifier: builder
                .build()
                .map_err(|error| format!("caBundle: {error}"))?,
            host: expected::webhook_host(&snapshot.scope.mesh),
            now: UnixTime::since_unix_epoch(since.unwrap_or_default()),
        })
    }

    fn verify(&self, chain: &[CertificateDer<'static>]) -> Result<(), String> {
        let (leaf, others) = chain.split_first().ok_or("it serves no certificate")?;
        let name = ServerName::try_from(self.host.as_str()).map_err(|error| error.to_string())?;
        let verified = self
            .verifier
            .verify_server_cert(leaf, others, &name, &[], self.now);
        verified.map(drop).map_err(|error| {
            format!(
                "the API server refuses its certificate for {}: {error}",
                self.host
            )
        })
    }
}

fn expiry(snapshot: &Snapshot) -> Finding {
    let served = served(snapshot)?.into_iter();
    let leaves = served.filter_map(|(pod, served)| Some((pod, served.ok()?.first()?)));
    nothing_wrong(leaves.filter_map(|(pod, leaf)| {
        let leaf = Certificate::parse(leaf).ok()?;
        let ends = leaf
            .invalid(snapshot.now)
            .or_else(|| leaf.expiring(snapshot.now, OVERDUE))?;
        Some(format!("{pod}: {ends}"))
    }))
}

/// With `Fail`, no pod of a meshed namespace starts while no injector answers.
fn failure_policy(snapshot: &Snapshot) -> Finding {
    // What is not said is Fail, says the API.
    let policy = webhook(snapshot)?
        .failure_policy
        .as_deref()
        .unwrap_or("Fail");
    let pods = own_pods(snapshot)?.into_iter();
    let injectors = pods.filter(|pod| expected::component(pod) == Some("injector"));
    let ready = injectors.filter(|pod| is_ready(pod)).count();
    if policy == "Fail" && ready < 2 {
        return Err(Problem::one(format!(
            "it is Fail with {ready} ready injectors: while none answers, no pod can be created in namespaces that are injected; run two or more"
        )));
    }
    let wanted = expected::values_or_skip(snapshot)?.injector.failure_policy;
    match wanted == policy {
        true => Ok(()),
        false => Err(Problem::one(format!(
            "it is {policy}, but {} was installed with {wanted}",
            configuration(snapshot)?.name_any()
        ))),
    }
}

#[cfg(test)]
pub(super) mod tests;
