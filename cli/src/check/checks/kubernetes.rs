//! The API server.

use super::super::snapshot::Unread;
use super::super::{Category, Check, Finding, Problem, Snapshot, nothing_wrong, seen};

/// The first with native sidecars that need no feature gate.
const OLDEST: (u32, u32) = (1, 29);

pub(super) const CATEGORY: Category = Category {
    name: "kubernetes",
    checks: &[
        Check::new("k8s-client", "the kubeconfig leads to a cluster", client).fatal(),
        Check::new("k8s-api", "the API server answers", api)
            .retried()
            .fatal(),
        Check::new("k8s-version", "Kubernetes is 1.29 or newer", version),
        Check::new("k8s-access", "all that is checked may be read", access),
    ],
};

fn client(snapshot: &Snapshot) -> Finding {
    snapshot.client.clone().map_err(Problem::one)
}

fn api(snapshot: &Snapshot) -> Finding {
    match &snapshot.version {
        Err(Unread::Failed { why, .. }) => Err(Problem::one(why)),
        _ => Ok(()),
    }
}

fn version(snapshot: &Snapshot) -> Finding {
    let text = seen(&snapshot.version)?;
    match parse(text) {
        Some(found) if found >= OLDEST => Ok(()),
        Some(_) => Err(Problem::one(format!(
            "it is {text}: proxies are native sidecars, which older ones do not start"
        ))),
        None => Err(Problem::one(format!("it calls itself {text}"))),
    }
}

/// Major and minor of `v1.33.2+k3s1`.
fn parse(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix('v')?.split('.');
    let minor = |text: &str| {
        let digits = text.find(|c: char| !c.is_ascii_digit());
        text[..digits.unwrap_or(text.len())].parse().ok()
    };
    Some((parts.next()?.parse().ok()?, minor(parts.next()?)?))
}

fn access(snapshot: &Snapshot) -> Finding {
    let lines = snapshot.unread().into_iter();
    nothing_wrong(lines.map(|(resource, why)| format!("{resource}: {why}")))
}

#[cfg(test)]
pub(super) mod tests;
