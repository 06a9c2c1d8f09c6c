//! The answer to a lookup, kept up to date.

use std::sync::Arc;
use tokio::sync::watch;

/// A value the control plane may change. While any clone is alive, the watch
/// behind it stays open.
#[derive(Clone, Debug)]
pub struct Lookup<T>(watch::Receiver<Option<Arc<T>>>);

impl<T> Lookup<T> {
    /// Waits for the first value.
    pub(super) async fn first(mut rx: watch::Receiver<Option<Arc<T>>>) -> Self {
        // The watch's task holds the sender as long as `rx` is alive, unless the
        // runtime is going down; then nothing is polled any more either.
        if rx.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
        Self(rx)
    }

    /// A value that never changes.
    pub fn fixed(value: T) -> Self {
        Self(watch::channel(Some(Arc::new(value))).1)
    }

    /// The value now.
    pub fn current(&self) -> Arc<T> {
        let value = self.0.borrow().clone();
        value.expect("a lookup is made once there is a value, and values are only replaced")
    }

    /// Whether the value may change. One that never does says what was wrong with
    /// the question, and is not to be kept: asked again, the answer may be another.
    pub fn is_watched(&self) -> bool {
        self.0.has_changed().is_ok()
    }

    /// Waits for a value not seen yet by this lookup; `None` when there will be none.
    pub async fn changed(&mut self) -> Option<Arc<T>> {
        self.0.changed().await.ok()?;
        self.0.borrow_and_update().clone()
    }
}
