//! Whether the proxy is ready, and if not, what it waits for.

use parking_lot::Mutex;
use std::sync::Arc;

/// What must be done before the proxy is ready. Clones are the same.
///
/// Readiness latches: a certificate that expires later does not take the pod out
/// of service, since restarting it would help nobody. Stopping does.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    pending: Vec<&'static str>,
    stopping: bool,
}

/// One thing to be done. Dropped without [`ReadyTask::done`] it stays undone.
#[derive(Debug)]
#[must_use = "the proxy is not ready before this is done"]
pub struct ReadyTask {
    what: &'static str,
    ready: Readiness,
}

impl Readiness {
    /// Adds what the proxy waits for, such as `the first certificate`.
    pub fn wait_for(&self, what: &'static str) -> ReadyTask {
        self.0.lock().pending.push(what);
        ReadyTask {
            what,
            ready: self.clone(),
        }
    }

    /// The proxy stops: it is not ready from now on.
    pub fn stop(&self) {
        self.0.lock().stopping = true;
    }

    /// Nothing when ready, else the reason in words.
    pub fn reason(&self) -> Option<String> {
        let state = self.0.lock();
        if state.stopping {
            return Some("the proxy is stopping".into());
        }
        let waiting = !state.pending.is_empty();
        waiting.then(|| format!("waiting for {}", state.pending.join(", ")))
    }
}

impl ReadyTask {
    /// It is done.
    pub fn done(self) {
        let mut state = self.ready.0.lock();
        if let Some(at) = state.pending.iter().position(|what| *what == self.what) {
            state.pending.remove(at);
        }
    }
}
