//! Replicas are restarted, one after the other.
//!
//! The proxy stops first, and its application only when it has drained: an application that is gone while its proxy still has
//! requests for it fails them, and no proxy can help that. Kubernetes gives this order to sidecars that are init containers.

use std::time::Duration;

use mesh::local::{Part, REPLICAS};
use tokio::time::Instant;

use super::Findings;
use crate::error::EnduranceError;
use crate::run::Subject;

pub(super) async fn happen(
    subject: &mut Subject,
    findings: &mut Findings,
    listed: bool,
) -> Result<(), EnduranceError> {
    let mut longest = Duration::ZERO;
    for round in 1..=subject.plan.restarts {
        for replica in 0..REPLICAS {
            longest = longest.max(restart(subject, replica, listed).await?);
            subject.hold(subject.plan.pause).await?;
        }
        subject.step(&format!("every replica was restarted {round} times"));
    }
    let text = format!("the longest drain took {:.2} s", longest.as_secs_f64());
    if longest >= subject.session.settings().grace_period {
        findings
            .broken
            .push(format!("{text}, so it ended by force"));
    }
    findings.notes.push(text);
    Ok(())
}

/// Restarts one replica and says how long its proxy drained.
async fn restart(
    subject: &mut Subject,
    replica: u8,
    listed: bool,
) -> Result<Duration, EnduranceError> {
    if listed {
        subject.session.set_replicas(|index| index != replica)?;
        subject.hold(subject.plan.pre_stop).await?;
    }
    let (app, proxy) = (Part::App(replica), Part::Proxy(replica));
    let asked = Instant::now();
    subject.session.stop(proxy).await?;
    let drained = asked.elapsed();
    subject.session.stop(app).await?;
    subject.session.launch(&[app]).await?;
    subject.session.launch(&[proxy]).await?;
    if listed {
        subject.session.set_replicas(|_| true)?;
    }
    Ok(drained)
}
