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
    for replica in 0..REPLICAS {
        if listed {
            subject.session.set_replicas(|index| index != replica)?;
            subject.hold(subject.plan.pre_stop).await?;
        }
        let (app, proxy) = (Part::App(replica), Part::Proxy(replica));
        let asked = Instant::now();
        subject.session.stop(proxy).await?;
        longest = longest.max(asked.elapsed());
        subject.session.stop(app).await?;
        subject.session.launch(&[app]).await?;
        subject.session.launch(&[proxy]).await?;
        subject.step(&format!("{} was restarted", app.name()));
        if listed {
            subject.session.set_replicas(|_| true)?;
        }
        subject.hold(subject.plan.pause).await?;
    }
    findings.notes.push(format!(
        "the longest drain took {:.2} s",
        longest.as_secs_f64()
    ));
    Ok(())
}
