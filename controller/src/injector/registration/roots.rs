//! The roots of several replicas in one bundle, as a pure function of time.

use aws_lc_rs::digest;
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use std::{collections::BTreeMap, fmt};

/// A root that its owner has not claimed for so long is dropped.
const GONE: SignedDuration = SignedDuration::from_hours(1);
/// An owner claims its roots so often.
const CLAIM: SignedDuration = SignedDuration::from_mins(10);
/// Others' roots at most; the ones claimed longest ago go first. A replica that
/// crashes at once, again and again, adds a dozen in an hour.
const MOST: usize = 60;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// When each root was last claimed, by the root's fingerprint.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Claims(BTreeMap<String, Time>);

/// What should be there.
#[derive(Debug, PartialEq)]
pub(super) struct Right {
    /// PEM.
    pub(super) bundle: String,
    pub(super) claims: Claims,
}

/// One certificate of a bundle.
struct Root {
    pem: String,
    fingerprint: String,
}

impl Claims {
    /// What can't be read claims nothing.
    pub(super) fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A time in the future is a wrong clock's, and counts for nothing.
    fn last(&self, fingerprint: &str, now: Timestamp) -> Option<Timestamp> {
        let last = self.0.get(fingerprint)?.0;
        (last <= now + CLAIM).then_some(last)
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).expect("names and times are JSON"))
    }
}

/// What a bundle should be, for a replica with `own` roots. Whatever is no certificate
/// is left out. Nothing changes the order, so that replicas agree on it.
pub(super) fn merge(present: &str, claims: &Claims, own: &str, now: Timestamp) -> Right {
    let own = split(own);
    let is_own = |root: &Root| own.iter().any(|each| each.fingerprint == root.fingerprint);
    let mut kept = Vec::new();
    for root in split(present) {
        let last = claims.last(&root.fingerprint, now);
        let renew = |last: &Timestamp| now.duration_since(*last) < CLAIM;
        let claimed = match is_own(&root) {
            true => last.filter(renew).unwrap_or(now),
            false => last.unwrap_or(now),
        };
        if now.duration_since(claimed) < GONE {
            kept.push((root, claimed));
        }
    }
    drop_oldest(&mut kept, is_own);
    for root in own {
        if kept
            .iter()
            .all(|(each, _)| each.fingerprint != root.fingerprint)
        {
            kept.push((root, now));
        }
    }
    Right {
        bundle: kept.iter().map(|(root, _)| root.pem.as_str()).collect(),
        claims: Claims(
            kept.into_iter()
                .map(|(root, claimed)| (root.fingerprint, Time(claimed)))
                .collect(),
        ),
    }
}

/// Keeps no more of others' than [`MOST`].
fn drop_oldest(kept: &mut Vec<(Root, Timestamp)>, is_own: impl Fn(&Root) -> bool) {
    let others = kept.iter().filter(|(root, _)| !is_own(root));
    let mut times: Vec<_> = others.map(|(_, claimed)| *claimed).collect();
    times.sort_unstable();
    let mut surplus = times.len().saturating_sub(MOST);
    let Some(newest_to_go) = surplus.checked_sub(1).map(|last| times[last]) else {
        return;
    };
    kept.retain(|(root, claimed)| {
        let goes = surplus > 0 && *claimed <= newest_to_go && !is_own(root);
        surplus -= usize::from(goes);
        !goes
    });
}

/// The certificates of a bundle, each once.
fn split(pem: &str) -> Vec<Root> {
    let mut roots = Vec::<Root>::new();
    for block in pem.split_inclusive(END) {
        let Some(block) = block.find(BEGIN).map(|start| &block[start..]) else {
            continue;
        };
        let Ok(der) = CertificateDer::from_pem_slice(block.as_bytes()) else {
            continue;
        };
        let fingerprint = fingerprint(&der);
        if roots.iter().all(|root| root.fingerprint != fingerprint) {
            roots.push(Root {
                pem: format!("{block}\n"),
                fingerprint,
            });
        }
    }
    roots
}

/// The first half of its SHA-256, in hexadecimal digits.
fn fingerprint(der: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, der);
    hash.as_ref()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests;
