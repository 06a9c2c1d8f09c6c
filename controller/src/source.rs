//! Where the controller's objects come from.
//!
//! A source turns a place that holds Kubernetes objects into batches of changes.
//! Sources differ in how they read and watch; what a valid object is, and what
//! the model keeps of it, is decided once in [`convert`].

mod annotations;
pub(crate) mod convert;
pub(crate) mod directory;
pub(crate) mod kubernetes;

use crate::model::object::Change;
use std::future::Future;
use tokio::sync::mpsc;

/// Changes that belong together: the model takes them in as one.
pub(crate) type Batch = Vec<Change>;

/// A place that holds objects.
pub(crate) trait Source: Send + 'static {
    /// Watches for changes until the receiver of the batches is gone. The
    /// first batch holds all objects that are there, and may be empty.
    ///
    /// A source never gives up: what can't be read is reported, and its last
    /// good state stays.
    fn run(self, batches: mpsc::Sender<Batch>) -> impl Future<Output = ()> + Send;
}
