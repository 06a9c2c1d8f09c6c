//! Counts one request in the load of its endpoint, for as long as it exists.

use super::Load;
use crate::Outcome;
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};
use tokio::time::Instant;

/// One request in flight on an endpoint. Dropping it releases the load, so a cancelled request releases it too.
///
/// It knows nothing of the endpoint's types and can so be kept in a response body until its first frame or its end.
#[must_use = "the request stops counting as in flight when this is dropped"]
pub struct InFlight {
    load: Arc<Load>,
    since: Instant,
    recorded: bool,
}

impl InFlight {
    pub(crate) fn new(load: Arc<Load>, now: Instant) -> Self {
        load.in_flight.fetch_add(1, Ordering::Relaxed);
        Self {
            load,
            since: now,
            recorded: false,
        }
    }

    /// Restarts the latency measurement, for a request that had to wait for a connection: what is estimated is the
    /// endpoint's answer, not the handshake of its first request.
    pub fn restart(&mut self, now: Instant) {
        self.since = now;
    }

    /// Records how the endpoint did, with the time since the pick (or [`restart`](Self::restart)) as its latency.
    /// Only the first call counts. The request stays in flight.
    pub fn first_byte(&mut self, now: Instant, outcome: Outcome) {
        if !std::mem::replace(&mut self.recorded, true) {
            self.load
                .record(now, now.saturating_duration_since(self.since), outcome);
        }
    }

    /// The request is done. Same as dropping this, but says so. Without a recorded outcome (a cancelled request) the
    /// latency estimate is left as it is.
    pub fn complete(self) {}
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.load.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight")
            .field("since", &self.since)
            .field("recorded", &self.recorded)
            .finish()
    }
}
