//! The control plane dies and comes back.

use std::time::Duration;

use mesh::local::{LocalError, Part, REPLICAS};
use tokio::time::Instant;

use super::Findings;
use crate::error::EnduranceError;
use crate::run::Subject;

/// In this time after its return the control plane must be heard again; the longest back-off of the proxies is 10 s.
const HEARD_AGAIN: Duration = Duration::from_secs(20);

pub(super) async fn happen(
    subject: &mut Subject,
    findings: &mut Findings,
) -> Result<(), EnduranceError> {
    let parts = [Part::Controller, Part::Identity];
    subject.step("SIGKILL to controller and identity");
    for part in parts {
        subject.session.kill(part).await?;
    }
    subject.hold(subject.plan.outage).await?;
    subject.session.launch(&parts).await?;
    subject.step("both are back; a replica leaves the slice, to see who hears it");
    let returned = Instant::now();
    let leaver = REPLICAS - 1;
    subject.session.set_replicas(|index| index != leaver)?;
    if silent(subject, leaver).await? {
        let after = returned.elapsed().as_secs_f64();
        subject.step("it gets no more requests");
        findings.notes.push(format!(
            "the control plane was heard again within {after:.1} s of its return"
        ));
    } else {
        findings.broken.push(format!(
            "a change made after the return was not heard within {} s",
            HEARD_AGAIN.as_secs()
        ));
    }
    subject.session.set_replicas(|_| true)?;
    Ok(())
}

/// Whether the replica's requests stop in time.
async fn silent(subject: &mut Subject, replica: u8) -> Result<bool, LocalError> {
    let name = Part::App(replica).name();
    let count = |subject: &Subject| {
        let stats = subject.stats.lock();
        stats
            .replicas()
            .get(&name)
            .map_or(0, |count| count.requests)
    };
    let deadline = Instant::now() + HEARD_AGAIN;
    let mut last = count(subject);
    while Instant::now() < deadline {
        subject.hold(Duration::from_millis(500)).await?;
        let now = count(subject);
        if now == last {
            return Ok(true);
        }
        last = now;
    }
    Ok(false)
}
