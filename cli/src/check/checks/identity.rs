//! Trust anchors and issuer.
//!
//! An issuer is judged as the identity service judges it ([`Issuer::from_pem`]): it
//! signs a certificate on trial, which must verify as a peer would. That stops at the
//! first fault, so faults that have a check of their own are looked for here too.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::jiff::SignedDuration;
use mesh_controller::injector::{TRUST_BUNDLE, TRUST_BUNDLE_KEY};
use mesh_identity::TrustBundle;
use mesh_identity::issuer::{Issuer, IssuerError};

use super::super::{Category, Check, Finding, Problem, Snapshot, nothing_wrong, seen};
use super::certificate::Certificate;
use super::expected;
use super::pods::namespace_of;

/// Time enough for a rotation that needs no hurry; Linkerd's.
const SOON: SignedDuration = SignedDuration::from_hours(60 * 24);

pub(super) const CATEGORY: Category = Category {
    name: "identity",
    checks: &[
        Check::new("identity-anchors", "there are trust anchors", anchors),
        Check::new(
            "identity-anchors-crypto",
            "trust anchors use supported cryptography",
            anchors_crypto,
        ),
        Check::new(
            "identity-anchors-valid",
            "trust anchors are valid now",
            anchors_valid,
        ),
        Check::new(
            "identity-anchors-expiry",
            "trust anchors are valid for 60 more days",
            anchors_expiry,
        )
        .warns(),
        Check::new(
            "identity-issuer",
            "there is an issuer whose key belongs to it",
            issuer,
        ),
        Check::new(
            "identity-issuer-crypto",
            "the issuer uses supported cryptography",
            issuer_crypto,
        ),
        Check::new(
            "identity-issuer-valid",
            "the issuer is valid now",
            issuer_valid,
        ),
        Check::new(
            "identity-issuer-expiry",
            "the issuer is valid for 60 more days",
            issuer_expiry,
        )
        .warns(),
        Check::new(
            "identity-issuer-chain",
            "the issuer leads to a trust anchor",
            issuer_chain,
        ),
    ],
};

/// The anchors in a namespace's bundle.
pub(super) fn bundle_of<'a>(bundles: &'a [ConfigMap], namespace: &str) -> Option<&'a str> {
    let mut bundles = bundles.iter();
    let found = bundles.find(|each| namespace_of(&each.metadata) == namespace)?;
    let text = found.data.as_ref()?.get(TRUST_BUNDLE_KEY)?;
    Some(text)
}

/// The control plane's anchors.
pub(super) fn trust(snapshot: &Snapshot) -> Result<TrustBundle, Problem> {
    let mesh = &snapshot.scope.mesh;
    let text = bundle_of(seen(&snapshot.objects.bundles)?, mesh).ok_or_else(|| {
        Problem::one(format!(
            "there is no ConfigMap {TRUST_BUNDLE} in {mesh}, or it has no {TRUST_BUNDLE_KEY}"
        ))
    })?;
    TrustBundle::from_pem(text).map_err(|error| Problem::one(error.to_string()))
}

/// The same for checks that are about something else.
pub(super) fn trust_or_skip(snapshot: &Snapshot) -> Result<TrustBundle, Problem> {
    trust(snapshot).map_err(|problem| match problem {
        Problem::Wrong(_) => Problem::skipped("needs trust anchors, see identity-anchors"),
        skipped @ Problem::Skipped(_) => skipped,
    })
}

fn anchors(snapshot: &Snapshot) -> Finding {
    trust(snapshot).map(drop)
}

fn all_anchors(snapshot: &Snapshot) -> Result<Vec<Certificate>, Problem> {
    let pem = trust_or_skip(snapshot)?.to_pem();
    Certificate::all(pem.as_bytes()).map_err(Problem::one)
}

/// The anchor's own signature is verified by nobody.
fn anchors_crypto(snapshot: &Snapshot) -> Finding {
    let anchors = all_anchors(snapshot)?.into_iter();
    let other = anchors.filter(|anchor| !anchor.key_is_p256);
    nothing_wrong(other.map(|anchor| {
        let subject = anchor.subject;
        format!("the key of {subject} is not ECDSA P-256, the only kind that peers accept")
    }))
}

fn anchors_valid(snapshot: &Snapshot) -> Finding {
    let anchors = all_anchors(snapshot)?.into_iter();
    nothing_wrong(anchors.filter_map(|anchor| anchor.invalid(snapshot.now)))
}

fn anchors_expiry(snapshot: &Snapshot) -> Finding {
    let anchors = all_anchors(snapshot)?.into_iter();
    nothing_wrong(anchors.filter_map(|anchor| anchor.expiring(snapshot.now, SOON)))
}

/// Certificate and key, as the Secret has them.
struct Pair<'a> {
    certificate: &'a [u8],
    key: &'a [u8],
}

fn pair(snapshot: &Snapshot) -> Result<Pair<'_>, Problem> {
    let name = expected::ISSUER;
    let secret = seen(&snapshot.objects.issuer)?.as_ref();
    let secret = secret.ok_or_else(|| Problem::one(format!("there is no Secret {name}")))?;
    Ok(Pair {
        certificate: member(secret, "tls.crt")?,
        key: member(secret, "tls.key")?,
    })
}

fn member<'a>(secret: &'a Secret, key: &str) -> Result<&'a [u8], Problem> {
    let data = secret.data.as_ref().and_then(|data| data.get(key));
    data.map(|bytes| bytes.0.as_slice())
        .ok_or_else(|| Problem::one(format!("Secret {} has no {key}", expected::ISSUER)))
}

/// The issuer's certificate, and those between it and the root.
fn chain(snapshot: &Snapshot) -> Result<Vec<Certificate>, Problem> {
    let unusable = || Problem::skipped("needs an issuer, see identity-issuer");
    let pair = pair(snapshot).map_err(|problem| match problem {
        Problem::Wrong(_) => unusable(),
        skipped @ Problem::Skipped(_) => skipped,
    })?;
    Certificate::all(pair.certificate).map_err(|_| unusable())
}

/// What the identity service would say at a time at which the certificate is valid.
fn judgement(snapshot: &Snapshot) -> Result<Result<(), IssuerError>, Problem> {
    let pair = pair(snapshot)?;
    let trust = trust_or_skip(snapshot)?;
    let first = Certificate::all(pair.certificate)
        .ok()
        .and_then(|all| all.into_iter().next());
    let at = match first {
        Some(first) => first.some_time(snapshot.now),
        None => expected::system_time(snapshot),
    };
    Ok(Issuer::from_pem(pair.certificate, pair.key, &trust, at).map(drop))
}

fn issuer(snapshot: &Snapshot) -> Finding {
    match judgement(snapshot)? {
        Err(
            error @ (IssuerError::NoCertificate
            | IssuerError::Certificate(_)
            | IssuerError::Key(_)
            | IssuerError::KeyMismatch
            | IssuerError::NotCa),
        ) => Err(Problem::one(error.to_string())),
        _ => Ok(()),
    }
}

fn issuer_crypto(snapshot: &Snapshot) -> Finding {
    let chain = chain(snapshot)?;
    let keys = chain.iter().filter(|certificate| !certificate.key_is_p256);
    let keys =
        keys.map(|certificate| format!("the key of {} is not ECDSA P-256", certificate.subject));
    let signed = chain
        .iter()
        .filter(|certificate| !certificate.signature_is_supported);
    let signed = signed.map(|certificate| {
        let subject = &certificate.subject;
        format!("{subject} is signed by something else than ECDSA P-256 with SHA-256")
    });
    nothing_wrong(keys.chain(signed))
}

fn issuer_valid(snapshot: &Snapshot) -> Finding {
    let chain = chain(snapshot)?.into_iter();
    nothing_wrong(chain.filter_map(|certificate| certificate.invalid(snapshot.now)))
}

fn issuer_expiry(snapshot: &Snapshot) -> Finding {
    let chain = chain(snapshot)?.into_iter();
    nothing_wrong(chain.filter_map(|certificate| certificate.expiring(snapshot.now, SOON)))
}

fn issuer_chain(snapshot: &Snapshot) -> Finding {
    // Its own faults have a check of their own.
    chain(snapshot)?;
    match judgement(snapshot)? {
        Err(error @ (IssuerError::Refused(_) | IssuerError::Sign(_))) => {
            Err(Problem::one(error.to_string()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests;
