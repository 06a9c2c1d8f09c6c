//! The cluster that a webhook serves: its namespaces, and its events.
//!
//! An event is about what the user wrote: the pod's owner, whose uid the pod brings, or
//! a pod that has none. That of a Deployment's pod is its ReplicaSet: to know the
//! Deployment's uid would take the right to read all workloads.

use super::{Annotations, Decision, namespaces::Namespaces, review::Outcome, webhook::Cluster};
use crate::events::{Note, Recorder, Severity};

#[cfg(test)]
mod tests;

/// What the webhook is told and tells.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) namespaces: Namespaces,
    pub(crate) events: Recorder,
}

impl Cluster for Live {
    fn annotations(&self, namespace: &str) -> Option<Annotations> {
        self.namespaces.annotations(namespace)
    }

    async fn known(&self, namespace: &str) {
        self.namespaces.known(namespace).await;
    }

    fn decided(&self, outcome: &Outcome) {
        if outcome.dry_run {
            return;
        }
        if outcome.meshed {
            self.namespaces.mesh(&outcome.namespace);
        }
        for note in notes(outcome) {
            self.events.tell(note);
        }
    }
}

/// What there is to tell, by the words that Linkerd uses for it.
fn notes(outcome: &Outcome) -> Vec<Note> {
    let note = |severity, reason, text| Note {
        about: outcome.about.clone(),
        severity,
        reason,
        text,
    };
    match &outcome.decision {
        Decision::Inject { warnings, .. } => {
            let injected = "A proxy was injected".to_owned();
            let warnings = warnings.iter().map(|warning| {
                let text = format!("A proxy was injected, but {warning}");
                note(Severity::Warning, "InjectedWithWarning", text)
            });
            std::iter::once(note(Severity::Normal, "Injected", injected))
                .chain(warnings)
                .collect()
        }
        Decision::Skip(skip) => {
            let severity = match skip.is_unexpected() {
                true => Severity::Warning,
                false => Severity::Normal,
            };
            let text = format!("No proxy was injected: {skip} ({})", skip.label());
            vec![note(severity, "InjectionSkipped", text)]
        }
        Decision::Refuse(errors) => {
            let refused = |error: &super::BadAnnotation| {
                let text = format!("The pod was refused: {error}");
                note(Severity::Warning, "InjectionRefused", text)
            };
            errors.iter().map(refused).collect()
        }
    }
}
