//! Certificates rotate.
//!
//! A connection that is open does not care for a new certificate, so endpoints come and go meanwhile: each return is a handshake with
//! the certificates of that moment.

use std::time::Duration;

use futures::future::try_join_all;
use mesh::local::{Part, REPLICAS, Session, Topology, get, port};
use tokio::time::Instant;

use super::{Findings, churn};
use crate::error::EnduranceError;
use crate::run::Subject;

const REFRESHES: &str = r#"control_identity_cert_refreshes_total{result="ok"}"#;
/// An endpoint is away, then there, for so long.
const HALF: Duration = Duration::from_millis(700);

pub(super) async fn happen(
    subject: &mut Subject,
    findings: &mut Findings,
) -> Result<(), EnduranceError> {
    let wanted = u64::from(subject.plan.rotations);
    // A new one is due at 70 % of a life, so this is late.
    let deadline = Instant::now() + subject.plan.lifetime * (subject.plan.rotations + 1);
    let topology = subject.session.topology();
    let before = fewest(topology).await?;
    let mut seen = 0;
    let mut leavers = (0..REPLICAS).cycle();
    while seen < wanted && Instant::now() < deadline {
        churn::round(subject, leavers.next().unwrap_or(0), HALF).await?;
        let now = fewest(topology).await?.saturating_sub(before);
        if now > seen {
            subject.step(&format!("every proxy has had {now} new certificates"));
        }
        seen = now;
    }
    let life = humantime::format_duration(subject.plan.lifetime);
    let text = format!("every certificate of {life} rotated {seen} times");
    if seen < wanted {
        findings.broken.push(format!("{text}, not {wanted}"));
    }
    findings.notes.push(text);
    Ok(())
}

/// Certificates of the proxy that had the fewest.
async fn fewest(topology: Topology) -> Result<u64, EnduranceError> {
    let counts = Session::proxies().map(|part| refreshes(part, topology));
    Ok(try_join_all(counts).await?.into_iter().min().unwrap_or(0))
}

async fn refreshes(part: Part, topology: Topology) -> Result<u64, EnduranceError> {
    let addr = match part {
        Part::Proxy(index) => topology.replica(index).addr(port::ADMIN),
        _ => topology.client().addr(port::ADMIN),
    };
    let response = get(addr, "/metrics")
        .await
        .map_err(|source| EnduranceError::Metrics {
            name: part.name(),
            source,
        })?;
    Ok(value(&String::from_utf8_lossy(response.body())))
}

/// Value of the counter in the Prometheus text format; 0 when it is not there.
fn value(text: &str) -> u64 {
    text.lines()
        .find(|line| line.starts_with(REFRESHES))
        .and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_found() {
        let text = format!("# TYPE x counter\nx 1\n{REFRESHES} 12\n");
        assert_eq!(value(&text), 12);
        assert_eq!(value(""), 0);
    }
}
