//! The load, on a thread of its own: what the scenario does meanwhile (writing manifests, starting processes) must not delay it.

use std::io;

use mesh::local::{Load, SharedStats, Stats};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::error::EnduranceError;

/// Requests being sent.
#[derive(Debug)]
pub(crate) struct Background {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<io::Result<()>>,
    stats: SharedStats,
}

impl Background {
    /// Starts to send.
    pub(crate) fn start(load: Load) -> Self {
        let (stop, stopped) = oneshot::channel();
        let stats = SharedStats::default();
        let told = stats.clone();
        let send = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let stopped = async {
                // An error means that the scenario was dropped, which is a stop as well.
                let _ = stopped.await;
            };
            runtime.block_on(load.run_until(stopped, told))
        };
        Self {
            stop,
            thread: tokio::task::spawn_blocking(send),
            stats,
        }
    }

    /// What has been counted so far.
    pub(crate) fn stats(&self) -> &SharedStats {
        &self.stats
    }

    /// Sends no more, and waits for the answers that are due.
    pub(crate) async fn finish(self) -> Result<Stats, EnduranceError> {
        // A receiver that is gone has failed, which the thread tells.
        let _ = self.stop.send(());
        match self.thread.await {
            Ok(sent) => sent.map_err(EnduranceError::Load)?,
            Err(panicked) => return Err(EnduranceError::Load(panicked.into())),
        }
        let stats = self.stats.lock().clone();
        Ok(stats)
    }
}
