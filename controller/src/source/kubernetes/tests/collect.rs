//! What comes in the first batch, and after it.

use super::super::{
    RESOURCES,
    collect::{self, Update},
};
use crate::{
    model::object::{Change, Kind, Node, Object, ObjectKey},
    source::Batch,
};
use tokio::sync::mpsc;

fn node(name: &str, zone: &str) -> Change {
    Change::Apply(Object::Node(Node {
        name: name.to_owned(),
        zone: Some(zone.to_owned()),
    }))
}

fn gone(name: &str) -> Change {
    Change::Delete(ObjectKey {
        kind: Kind::Node,
        namespace: String::new(),
        name: name.to_owned(),
    })
}

fn start() -> (mpsc::Sender<Update>, mpsc::Receiver<Batch>) {
    let (updates, received) = mpsc::channel(100);
    let (batches, out) = mpsc::channel(4);
    tokio::spawn(collect::run(received, batches));
    (updates, out)
}

#[tokio::test]
async fn the_first_batch_has_everything_once() {
    let (updates, mut batches) = start();
    for change in [node("a", "1"), node("b", "1"), node("a", "2"), gone("b")] {
        updates.send(Update::Change(change)).await.unwrap();
    }
    for (kind, ..) in &RESOURCES[1..] {
        updates.send(Update::Listed(*kind)).await.unwrap();
    }
    tokio::task::yield_now().await;
    assert!(batches.try_recv().is_err(), "namespaces are not known yet");
    updates.send(Update::Listed(RESOURCES[0].0)).await.unwrap();
    assert_eq!(batches.recv().await.unwrap(), [node("a", "2")]);

    updates.send(Update::Change(gone("a"))).await.unwrap();
    assert_eq!(batches.recv().await.unwrap(), [gone("a")]);
    drop(updates);
    assert_eq!(batches.recv().await, None);
}

#[tokio::test]
async fn an_empty_cluster_is_an_empty_batch() {
    let (updates, mut batches) = start();
    for (kind, ..) in RESOURCES {
        updates.send(Update::Listed(kind)).await.unwrap();
    }
    assert_eq!(batches.recv().await.unwrap(), []);
}
