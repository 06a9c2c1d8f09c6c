//! Requests that go on while something happens.

use crate::{
    Pod,
    client::{Http1, Http2, get, whole},
    wait::until,
    web,
};
use bytes::Bytes;
use http::Response;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::task::JoinHandle;

/// Clients of the service `web` that send one request after the other: four with
/// an HTTP/1 connection each, four that share an HTTP/2 connection.
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

/// One connection, of either version.
enum Client {
    /// With the address, to connect again.
    Http1(Http1, SocketAddr),
    Http2(Http2),
}

impl Load {
    /// Starts at the outbound port of `pod`.
    pub async fn start(pod: &Pod) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            answered: Arc::default(),
            clients: Vec::new(),
        };
        let shared = pod.http2().await;
        for _ in 0..4 {
            load.spawn(Client::Http1(pod.http1().await, pod.outbound_addr()));
            load.spawn(Client::Http2(shared.clone()));
        }
        load
    }

    fn spawn(&mut self, client: Client) {
        let (stop, answered) = (self.stop.clone(), self.answered.clone());
        self.clients.push(tokio::spawn(run(client, stop, answered)));
    }

    /// Waits until so many more requests were answered.
    pub async fn more(&self, count: usize) {
        let goal = self.answered.load(Relaxed) + count;
        until("more requests", || self.answered.load(Relaxed) >= goal).await;
    }

    /// Goes on for `time`.
    pub async fn keep_on(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.more(1).await;
    }

    /// Stops.
    ///
    /// # Panics
    /// When a request was not answered with 200.
    pub async fn stop(self) {
        self.stop.store(true, Relaxed);
        for client in self.clients {
            assert_eq!(client.await.unwrap(), Vec::<String>::new());
        }
    }
}

async fn run(mut client: Client, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) -> Vec<String> {
    let mut failures = Vec::new();
    while !stop.load(Relaxed) {
        match client.get().await {
            Ok(rsp) if rsp.status() == 200 => {}
            Ok(rsp) => failures.push(format!("{} {:?}", rsp.status(), rsp.headers())),
            Err(error) => failures.push(format!("{error:?}")),
        }
        answered.fetch_add(1, Relaxed);
    }
    failures
}

impl Client {
    async fn get(&mut self) -> hyper::Result<Response<Bytes>> {
        let rsp = match self {
            Self::Http1(http, addr) => {
                // A proxy that drains says so in its last answer.
                if http.is_closed() {
                    *http = Http1::connect(*addr).await;
                }
                http.try_send(get(&web("/"))).await?
            }
            Self::Http2(http) => http.try_send(get(&web("/"))).await?,
        };
        Ok(whole(rsp).await)
    }
}
