//! Tells of things on the objects that they are about, as Kubernetes Events.
//!
//! An Event is for people (`kubectl describe`, `kubectl get events`), so what matters
//! is that there are few and that each is there once. Its name is made of what it says
//! and the ten minutes it is said in: whoever says the same again, another replica or
//! this one after a restart, finds that it exists. So replicas need no leader and no
//! right but to create. kube-rs' own recorder would write one per replica, and keep
//! writing counts.
//!
//! Events are never worth waiting for: they go through a queue that drops what it
//! can't hold, and at most a few leave per second. What is dropped is counted, and in
//! the log of whoever told.

use crate::metrics;
use aws_lc_rs::digest;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use mesh_identity::kubernetes::explain;
use std::{collections::HashSet, time::Duration};
use tokio::{sync::mpsc, time::Instant};

#[cfg(test)]
mod tests;

/// Notes that may wait.
const WAITING: usize = 256;
/// The same is said again after so many seconds.
const WINDOW: i64 = 600;
/// Events that may leave at once, and the time for one more.
const BURST: u32 = 50;
const REFILL: Duration = Duration::from_millis(200);
/// Bytes of a message at most (that of the API is 1 kB).
const LONGEST: usize = 1000;
/// Where events about objects without a namespace are.
const CLUSTER_SCOPE: &str = "default";

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Normal,
    Warning,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    /// The object; with its uid, where it is known, `kubectl describe` shows it.
    pub(crate) about: ObjectReference,
    pub(crate) severity: Severity,
    /// One word, for machines.
    pub(crate) reason: &'static str,
    pub(crate) text: String,
}

/// Takes notes, and never blocks.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(mpsc::Sender<Note>);

impl Recorder {
    /// A recorder, and the writer that has to run.
    pub(crate) fn new(client: Client, component: &'static str) -> (Self, Writer) {
        let (recorder, notes) = Self::channel();
        (recorder, Writer::new(client, component, notes))
    }

    /// A recorder, and what it is told.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Note>) {
        let (sender, notes) = mpsc::channel(WAITING);
        (Self(sender), notes)
    }

    pub(crate) fn tell(&self, note: Note) {
        if self.0.try_send(note).is_err() {
            metrics::event("dropped");
        }
    }
}

/// Writes them.
pub(crate) struct Writer {
    client: Client,
    component: &'static str,
    /// This process, as others may know it: its host, in a cluster its pod.
    instance: String,
    notes: mpsc::Receiver<Note>,
    /// Names of what was written in this window.
    window: i64,
    written: HashSet<String>,
    /// Events that may leave now, and since when.
    allowed: u32,
    refilled: Instant,
    /// The failure that the log has.
    told: Option<String>,
}

impl Writer {
    fn new(client: Client, component: &'static str, notes: mpsc::Receiver<Note>) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
        Self {
            client,
            component,
            instance: host.unwrap_or_default().trim().to_owned(),
            notes,
            window: 0,
            written: HashSet::new(),
            allowed: BURST,
            refilled: Instant::now(),
            told: None,
        }
    }

    /// Goes on until nobody can tell anything any more.
    pub(crate) async fn run(mut self) {
        while let Some(note) = self.notes.recv().await {
            let now = Timestamp::now();
            if self.is_new(&note, now) {
                if self.may_leave() {
                    self.write(&note, now).await;
                } else {
                    metrics::event("dropped");
                }
            }
        }
    }

    fn is_new(&mut self, note: &Note, now: Timestamp) -> bool {
        let window = window(now);
        if std::mem::replace(&mut self.window, window) != window {
            self.written.clear();
        }
        self.written.insert(name(note, now))
    }

    /// A bucket of tokens.
    fn may_leave(&mut self) -> bool {
        let new = self.refilled.elapsed().as_millis() / REFILL.as_millis();
        let new = u32::try_from(new).unwrap_or(u32::MAX);
        self.refilled += REFILL * new;
        self.allowed = self.allowed.saturating_add(new).min(BURST);
        let may = self.allowed > 0;
        self.allowed = self.allowed.saturating_sub(1);
        may
    }

    async fn write(&mut self, note: &Note, now: Timestamp) {
        let event = self.event(note, now);
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let api = Api::<Event>::namespaced(self.client.clone(), &namespace);
        match api.create(&PostParams::default(), &event).await {
            Ok(_) => {
                metrics::event("written");
                self.told = None;
            }
            // Another replica was faster; or the namespace is gone, or going.
            Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => {}
            Err(error) => self.report(explain(&error, "create", "events")),
        }
    }

    /// Logs a failure, when it is a new one.
    fn report(&mut self, why: String) {
        metrics::event("failed");
        if self.told.as_ref() != Some(&why) {
            tracing::warn!("Can't write events about objects: {why}");
            self.told = Some(why);
        }
    }

    fn event(&self, note: &Note, now: Timestamp) -> Event {
        let namespace = note.about.namespace.clone();
        Event {
            metadata: ObjectMeta {
                name: Some(name(note, now)),
                namespace: Some(namespace.unwrap_or_else(|| CLUSTER_SCOPE.to_owned())),
                ..ObjectMeta::default()
            },
            involved_object: note.about.clone(),
            type_: Some(format!("{:?}", note.severity)),
            reason: Some(note.reason.to_owned()),
            message: Some(shortened(&note.text)),
            count: Some(1),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            source: Some(EventSource {
                component: Some(self.component.to_owned()),
                host: None,
            }),
            reporting_component: Some(self.component.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        }
    }
}

fn window(now: Timestamp) -> i64 {
    now.as_second().div_euclid(WINDOW)
}

/// The same for all who tell the same within a window.
fn name(note: &Note, now: Timestamp) -> String {
    let Note {
        about,
        reason,
        text,
        ..
    } = note;
    let said = format!("{about:?} {reason} {text} {}", window(now));
    let hash = digest::digest(&digest::SHA256, said.as_bytes());
    let hash: String = hash.as_ref()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // `generateName` ends with a dash; a name has at most 253 characters.
    let object = about
        .name
        .as_deref()
        .unwrap_or_default()
        .trim_end_matches('-');
    let object: String = object.chars().take(200).collect();
    format!("{object}.{hash}")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST - 3) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
