//! The client workload: a constant stream of requests, as many real clients together make.
//!
//! The load is *open*: request number i is due at start + i / rate whether or not the earlier ones have been answered, and its latency
//! counts from that moment. A closed loop (send, wait, send) would slow down together with a slow replica and so hide it, the mistake
//! known as coordinated omission. Requests in flight are bounded; one that has to wait for its turn has that wait in its latency.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

mod client;
mod http1;
mod pacer;
mod stats;

use client::{Client, Kind, Reply};
pub use pacer::{Pacer, Schedule};
pub use stats::{Count, Stats};

/// Requests in flight at most; above it the sender waits.
const MAX_IN_FLIGHT: usize = 512;
/// A request with no answer after this long has failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the load goes and how fast.
#[derive(Clone, Debug)]
pub struct Load {
    /// The client's own proxy; an application's address works as well, since HTTP is HTTP.
    pub proxy: SocketAddr,
    /// Authority of the HTTP/1.1 half, such as `web.demo.svc.cluster.local:80`.
    pub http_authority: String,
    /// Authority of the gRPC half.
    pub grpc_authority: String,
    /// Requests per second, both halves together.
    pub rps: f64,
}

/// What a run has counted so far; readable while it runs.
pub type SharedStats = Arc<Mutex<Stats>>;

impl Load {
    /// Sends for `duration`, then waits for what is in flight.
    ///
    /// # Errors
    /// When the system gives no thread; a request that fails is counted, not returned.
    pub async fn run(&self, duration: Duration, stats: SharedStats) -> std::io::Result<()> {
        let schedule = Schedule::new(Instant::now(), self.rps);
        let pacer = Pacer::start(schedule, schedule.count(duration))?;
        self.send_all(pacer, std::future::pending(), stats).await;
        Ok(())
    }

    /// Sends until `stop`, then waits for what is in flight.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub async fn run_until(
        &self,
        stop: impl Future<Output = ()>,
        stats: SharedStats,
    ) -> std::io::Result<()> {
        let pacer = Pacer::start(Schedule::new(Instant::now(), self.rps), u64::MAX)?;
        self.send_all(pacer, stop, stats).await;
        Ok(())
    }

    async fn send_all(&self, mut pacer: Pacer, stop: impl Future<Output = ()>, stats: SharedStats) {
        let mut stop = std::pin::pin!(stop);
        let client = Arc::new(Client::new(self));
        let slots = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        let mut in_flight = JoinSet::new();
        let mut kinds = (0..).map(Kind::of);
        loop {
            let due = tokio::select! {
                due = pacer.next() => due,
                () = stop.as_mut() => None,
            };
            let (Some(due), Some(kind)) = (due, kinds.next()) else {
                break;
            };
            let slot = slots
                .clone()
                .acquire_owned()
                .await
                .expect("this semaphore is never closed");
            let (client, stats) = (client.clone(), stats.clone());
            in_flight.spawn(async move {
                let reply = send(&client, kind).await;
                stats.lock().record(due.elapsed(), &reply);
                drop(slot);
            });
            while in_flight.try_join_next().is_some() {}
        }
        while in_flight.join_next().await.is_some() {}
    }
}

async fn send(client: &Client, kind: Kind) -> Reply {
    match tokio::time::timeout(REQUEST_TIMEOUT, client.send(kind)).await {
        Ok(reply) => reply,
        Err(_) => Reply::failed(
            None,
            format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()),
        ),
    }
}

#[cfg(test)]
mod tests;
