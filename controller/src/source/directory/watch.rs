//! Tells when something in a directory has changed, and has come to rest.

use notify::{RecursiveMode, Watcher};
use std::{path::Path, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// Saving a file is several changes: wait until there are no more.
const QUIET: Duration = Duration::from_millis(50);
/// But not for ever, when something writes without pause.
const PATIENCE: Duration = Duration::from_secs(1);

/// Changes as the system reports them.
pub(super) struct Changes {
    events: mpsc::Receiver<()>,
    // Reports end when it is dropped.
    _watcher: Option<notify::RecommendedWatcher>,
}

/// Starts watching. Where that is impossible (out of inotify watches), the
/// caller's own rescans have to do; that is said once.
pub(super) fn start(path: &Path) -> Changes {
    // Room for one: an event that finds it taken adds nothing.
    let (sender, events) = mpsc::channel(1);
    let report = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = sender.try_send(());
        }
    };
    let watcher = notify::recommended_watcher(report).and_then(|mut watcher| {
        watcher.watch(path, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    if let Err(error) = &watcher {
        tracing::warn!(path = %path.display(), %error, "Can't watch the directory; looking every 10 s instead");
    }
    Changes {
        events,
        _watcher: watcher.ok(),
    }
}

impl Changes {
    /// Waits for a change, and then until changes have stopped.
    pub(super) async fn settled(&mut self) {
        if self.events.recv().await.is_none() {
            return std::future::pending().await;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let quiet = (Instant::now() + QUIET).min(deadline);
            match timeout_at(quiet, self.events.recv()).await {
                Ok(Some(())) if Instant::now() < deadline => {}
                _ => return,
            }
        }
    }
}
