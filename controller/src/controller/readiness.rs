//! What a controller still waits for, and what does not work.
//!
//! A process becomes ready once. A part that worked and fails later is told on
//! `/ready`, but does not take the process out of its Service: it goes on with what
//! it knows, the other replicas are likely to fail for the same reason, and no
//! endpoint at all would be worse than an old answer.

use parking_lot::Mutex;
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};
use tokio::sync::watch;

/// Parts of one process. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    ready: watch::Sender<bool>,
    /// For people; empty when all is well.
    text: watch::Sender<String>,
}

#[derive(Debug, Default)]
struct State {
    parts: BTreeMap<&'static str, Part>,
    stopping: bool,
}

#[derive(Debug, Default)]
struct Part {
    done: bool,
    /// What is wrong with it now.
    trouble: String,
}

impl Readiness {
    /// Has this part waited for, too.
    pub(crate) fn wait_for(&self, part: &'static str) {
        self.change(|state| {
            state.parts.entry(part).or_default();
        });
    }

    /// The part works.
    pub(crate) fn done(&self, part: &'static str) {
        let works = || Part {
            done: true,
            trouble: String::new(),
        };
        self.change(|state| {
            state.parts.insert(part, works());
        });
    }

    /// The part does not work, for now. One that was not waited for still is not.
    pub(crate) fn trouble(&self, part: &'static str, why: &str) {
        self.change(|state| {
            let part = state.parts.entry(part).or_insert(Part {
                done: true,
                trouble: String::new(),
            });
            why.clone_into(&mut part.trouble);
        });
    }

    /// The process ends: it is ready no more.
    pub(crate) fn stop(&self) {
        self.change(|state| state.stopping = true);
    }

    /// Whether everything that is waited for has worked.
    pub(crate) fn ready(&self) -> watch::Receiver<bool> {
        self.0.ready.subscribe()
    }

    /// What there is to say, now and in future.
    pub(crate) fn text(&self) -> watch::Receiver<String> {
        self.0.text.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let state = &mut *self.0.state.lock();
        change(state);
        let ready = !state.stopping && state.parts.values().all(|part| part.done);
        self.0
            .ready
            .send_if_modified(|before| std::mem::replace(before, ready) != ready);
        let text = state.text();
        self.0
            .text
            .send_if_modified(|before| std::mem::replace(before, text.clone()) != text);
    }
}

impl State {
    fn text(&self) -> String {
        let mut text = String::new();
        for (name, part) in &self.parts {
            let state = if part.done { "" } else { "waiting for " };
            // Writing to a String can't fail.
            let _ = match (part.done, part.trouble.as_str()) {
                (true, "") => Ok(()),
                (false, "") => writeln!(text, "{state}{name}"),
                (_, why) => writeln!(text, "{state}{name}: {why}"),
            };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_every_part_has_worked_and_until_the_end() {
        let readiness = Readiness::default();
        let (ready, text) = (readiness.ready(), readiness.text());
        readiness.wait_for("objects");
        readiness.wait_for("webhook");
        readiness.done("objects");
        readiness.trouble("webhook", "no API server");
        assert!(!*ready.borrow());
        assert_eq!(*text.borrow(), "waiting for webhook: no API server\n");
        readiness.done("webhook");
        assert!(*ready.borrow());
        assert_eq!(*text.borrow(), "");

        readiness.trouble("webhook", "forbidden");
        readiness.trouble("defaults", "bad file");
        assert!(*ready.borrow(), "what worked once is no reason to leave");
        assert_eq!(*text.borrow(), "defaults: bad file\nwebhook: forbidden\n");
        readiness.stop();
        readiness.done("webhook");
        assert!(!*ready.borrow());
    }
}
