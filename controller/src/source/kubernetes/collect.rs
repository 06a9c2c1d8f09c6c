//! Puts the changes of all kinds into batches.

use crate::{
    model::object::{Change, Kind, ObjectKey},
    source::{Batch, kubernetes::RESOURCES},
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::mpsc;

/// Changes of one batch, so that the model's lock is not held for long.
const LARGEST: usize = 1024;

/// What a kind has to say.
#[derive(Debug, PartialEq)]
pub(super) enum Update {
    Change(Change),
    /// All objects that there are have been told.
    Listed(Kind),
}

/// Hands out batches: the first when every kind has been listed, then whatever has
/// come while the model was busy with the one before.
pub(super) async fn run(mut updates: mpsc::Receiver<Update>, batches: mpsc::Sender<Batch>) {
    let Some(first) = first(&mut updates).await else {
        return;
    };
    if batches.send(first).await.is_err() {
        return;
    }
    let mut waiting = Vec::new();
    loop {
        tokio::select! {
            received = updates.recv_many(&mut waiting, LARGEST) => if received == 0 {
                return;
            },
            () = batches.closed() => return,
        }
        let changes = waiting.drain(..).filter_map(|update| match update {
            Update::Change(change) => Some(change),
            Update::Listed(_) => None,
        });
        let batch: Batch = changes.collect();
        if !batch.is_empty() && batches.send(batch).await.is_err() {
            return;
        }
    }
}

/// Everything there is. Only the last change of each object is kept: one kind may
/// be forbidden for days, while others change.
async fn first(updates: &mut mpsc::Receiver<Update>) -> Option<Batch> {
    let mut missing: BTreeSet<Kind> = RESOURCES.iter().map(|(kind, ..)| *kind).collect();
    let mut objects = BTreeMap::<ObjectKey, Change>::new();
    while !missing.is_empty() {
        match updates.recv().await? {
            Update::Listed(kind) => {
                missing.remove(&kind);
            }
            Update::Change(Change::Delete(key)) => {
                objects.remove(&key);
            }
            Update::Change(Change::Apply(object)) => {
                objects.insert(object.key(), Change::Apply(object));
            }
        }
    }
    Some(objects.into_values().collect())
}
