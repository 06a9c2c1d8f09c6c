//! Stopping without dropping work.
//!
//! A proxy that just exits cuts every request in flight. So a stop has two
//! steps: everyone who holds a [`Watch`] is told to finish (HTTP/1 answers with
//! `connection: close`, HTTP/2 sends GOAWAY, listeners stop accepting), and who
//! has not finished when the grace period is over is told to drop what it holds.
//!
//! The watches themselves are the count of open work: [`Signal::drain`] is done
//! when the last one is dropped, so nothing can forget to sign off. One
//! `tokio::sync::watch` carries both steps; there is no task and no list.
//! A [`Signal`] dropped without draining never stops anybody.

use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    time::Duration,
};
use tokio::sync::watch;

/// How far the stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Running,
    Draining,
    Forced,
}

/// Starts the stop; held by whoever hears of SIGTERM or `/shutdown`.
#[derive(Debug)]
pub struct Signal(watch::Sender<Step>);

/// Hears of the stop; a clone lives as long as the work it stands for.
#[derive(Clone, Debug)]
pub struct Watch(watch::Receiver<Step>);

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All work was done within the grace period.
    Complete,
    /// The grace period was over first.
    Forced {
        /// Watches still held then, so about as many connections.
        remaining: usize,
    },
}

/// The work was dropped because the grace period was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("closed by force: the proxy is stopping and its grace period is over")]
pub struct Forced;

/// A signal and the first watch on it.
pub fn channel() -> (Signal, Watch) {
    let (tx, rx) = watch::channel(Step::Running);
    (Signal(tx), Watch(rx))
}

impl Signal {
    /// Tells every watch to finish and waits until all are dropped, at most for
    /// `grace`; after that tells them to drop what they hold.
    pub async fn drain(self, grace: Duration) -> Drained {
        self.0.send_replace(Step::Draining);
        if tokio::time::timeout(grace, self.0.closed()).await.is_ok() {
            return Drained::Complete;
        }
        let remaining = self.0.receiver_count();
        self.0.send_replace(Step::Forced);
        Drained::Forced { remaining }
    }

    /// A further watch.
    pub fn watch(&self) -> Watch {
        Watch(self.0.subscribe())
    }

    /// How many watches are held, the first one included.
    pub fn watches(&self) -> usize {
        self.0.receiver_count()
    }
}

impl Watch {
    /// Whether the stop has begun.
    pub fn is_draining(&self) -> bool {
        *self.0.borrow() >= Step::Draining
    }

    /// Resolves when the stop begins.
    pub fn signaled(&self) -> impl Future<Output = ()> + Send + use<> {
        self.clone().reached(Step::Draining)
    }

    /// Resolves when the grace period is over and the work must be dropped.
    pub fn forced(&self) -> impl Future<Output = ()> + Send + use<> {
        self.clone().reached(Step::Forced)
    }

    /// Drives `work` to its end, calling `finish` on it once when the stop
    /// begins (a hyper connection's `graceful_shutdown`).
    ///
    /// # Errors
    /// [`Forced`] when the grace period was over first; `work` is dropped then.
    pub async fn run<F: Future>(
        self,
        work: F,
        finish: impl FnOnce(Pin<&mut F>),
    ) -> Result<F::Output, Forced> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            output = work.as_mut() => return Ok(output),
            () = self.signaled() => finish(work.as_mut()),
        }
        tokio::select! {
            biased;
            output = work => Ok(output),
            () = self.forced() => Err(Forced),
        }
    }

    async fn reached(mut self, step: Step) {
        let reached = self.0.wait_for(|now| *now >= step).await.is_ok();
        if !reached {
            // The signal is gone and can no longer come.
            drop(self);
            pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests;
