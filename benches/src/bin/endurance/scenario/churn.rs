//! An endpoint comes and goes.

use std::time::Duration;

use mesh::local::REPLICAS;
use tokio::time::Instant;

use super::Findings;
use crate::error::EnduranceError;
use crate::run::Subject;

/// Removed for one half of a second, there for the other.
const HALF: Duration = Duration::from_millis(500);

pub(super) async fn happen(
    subject: &mut Subject,
    findings: &mut Findings,
) -> Result<(), EnduranceError> {
    let end = Instant::now() + subject.plan.churn;
    let mut rounds = 0;
    while Instant::now() < end {
        round(subject, rounds % REPLICAS, HALF).await?;
        rounds = rounds.wrapping_add(1);
    }
    findings
        .notes
        .push(format!("an endpoint was removed and added {rounds} times"));
    Ok(())
}

/// Takes a replica out of the slice and back.
pub(super) async fn round(
    subject: &mut Subject,
    leaver: u8,
    half: Duration,
) -> Result<(), EnduranceError> {
    subject.session.set_replicas(|index| index != leaver)?;
    subject.hold(half).await?;
    subject.session.set_replicas(|_| true)?;
    subject.hold(half).await?;
    Ok(())
}
