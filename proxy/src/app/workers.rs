//! More threads for the data path, each with a runtime of its own.
//!
//! Work that moves between threads needs locks and wake-ups of others, so a
//! connection is accepted, served and finished by one `current_thread` runtime,
//! and more cores are more of these: each has its own listeners on the same
//! addresses (`SO_REUSEPORT`), and the kernel spreads connections. What threads
//! share is what must be one for the whole proxy: balancers with their endpoints,
//! policies, limits, metrics. Discovery and certificates stay on the first thread.

use crate::drain;
use std::{io, thread};
use tokio::runtime;
use tokio_util::sync::CancellationToken;

/// Threads that serve. Dropped, they drop what they still hold and end.
#[derive(Debug, Default)]
pub(super) struct Workers {
    threads: Vec<thread::JoinHandle<()>>,
    end: CancellationToken,
}

impl Workers {
    /// Starts `count` threads that run `serve` until the drain begins, and what it
    /// spawned until these workers are dropped.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub(super) fn start(
        &mut self,
        count: usize,
        drain: &drain::Watch,
        serve: impl AsyncFnOnce() + Clone + Send + 'static,
    ) -> io::Result<()> {
        for index in 1..=count {
            let (serve, drain, end) = (serve.clone(), drain.clone(), self.end.clone());
            let main = move || match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(work(serve, drain, end)),
                Err(error) => tracing::error!(%error, "Worker has no runtime; the others serve"),
            };
            let thread = thread::Builder::new().name(format!("worker-{index}"));
            self.threads.push(thread.spawn(main)?);
        }
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.end.cancel();
        for thread in self.threads.drain(..) {
            // One that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

/// All of a thread.
async fn work(serve: impl AsyncFnOnce(), drain: drain::Watch, end: CancellationToken) {
    tokio::select! {
        () = serve() => {}
        () = drain.signaled() => {}
        () = end.cancelled() => {}
    }
    // The drain waits for connections, not for who drives them.
    drop(drain);
    end.cancelled().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::listener::{Listener, ListenerOptions, SocketOptions};
    use parking_lot::Mutex;
    use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};
    use tokio::{io::AsyncReadExt, net::TcpStream};

    /// A listener whose connections tell the name of the thread that serves them.
    fn listener() -> Listener {
        let options = ListenerOptions {
            sockets: SocketOptions::default(),
            backlog: 16,
            reuse_port: true,
            max_connections: 1000,
        };
        Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), options).unwrap()
    }

    #[tokio::test]
    async fn each_thread_serves_until_the_drain_and_finishes_what_it_has() {
        let first = listener();
        let (place, addr) = (first.place().clone(), first.local_addr());
        let (signal, watch) = drain::channel();
        let served = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
        let mut workers = Workers::default();
        let (by, held) = (served.clone(), watch.clone());
        let serve = async move || {
            let listener = place.listen().unwrap();
            loop {
                let accepted = listener.accept().await;
                let name = thread::current().name().unwrap().to_owned();
                *by.lock().entry(name).or_default() += 1;
                let held = held.clone();
                tokio::spawn(async move {
                    // Until the client has closed.
                    let mut stream = accepted.stream;
                    let _ = stream.read(&mut [0]).await;
                    drop(held);
                });
            }
        };
        workers.start(2, &watch, serve).unwrap();
        drop(watch);
        // The kernel gives this one nothing any more.
        drop(first);
        let mut clients = Vec::new();
        while served.lock().len() < 2 {
            // Refused until a worker listens.
            clients.extend(TcpStream::connect(addr).await);
            tokio::task::yield_now().await;
        }
        assert_eq!(
            served.lock().keys().cloned().collect::<Vec<_>>(),
            ["worker-1", "worker-2"]
        );
        let drained = tokio::spawn(signal.drain(Duration::from_secs(60)));
        while TcpStream::connect(addr).await.is_ok() {}
        assert!(!drained.is_finished(), "clients are still there");
        drop(clients);
        assert_eq!(drained.await.unwrap(), drain::Drained::Complete);
        drop(workers);
    }

    #[tokio::test]
    async fn without_a_drain_they_end_at_once() {
        let (_signal, watch) = drain::channel();
        let mut workers = Workers::default();
        let serve = std::future::pending::<()>;
        workers.start(3, &watch, serve).unwrap();
        drop(workers);
    }
}
