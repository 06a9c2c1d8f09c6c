//! The admin server: probes, metrics, log level, settings, shutdown.
//!
//! It runs on a thread and runtime of its own, so that kubelet's probes and
//! Prometheus are answered while the data path is busy, and a scrape of many
//! label sets never delays a request. In a pod it listens on every address, so it
//! has limits like any server, tells nothing secret, and what changes the proxy
//! is for loopback clients only.

mod answer;
mod env_json;
mod paths;
mod ready;

pub use ready::{Readiness, ReadyTask};

use crate::{
    config::{AdminConfig, Settings, Vars},
    log,
    metrics::Metrics,
    transport::listener::{Accepted, BindError, Listener, ListenerOptions, SocketOptions},
};
use hyper::{body::Incoming, rt, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{self, SyncSender},
    },
    thread,
    time::Duration,
};
use tokio::{
    runtime,
    sync::{Notify, oneshot},
};
use tracing::{debug, info};

/// What the server shows and controls.
#[derive(Clone, Debug)]
pub struct Parts {
    /// `/metrics`
    pub metrics: Metrics,
    /// `/ready`
    pub ready: Readiness,
    /// `/proxy-log-level`; `None` when the process has another logger.
    pub log: Option<log::Handle>,
    /// `/config`
    pub settings: Settings,
    /// `/env.json`: only variables with our prefix are shown.
    pub vars: Vars,
    /// `/shutdown`
    pub shutdown: Shutdown,
}

/// Asks the process to stop. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<Notify>);

/// The admin server on its thread; stops when dropped.
#[derive(Debug)]
pub struct Admin {
    addr: SocketAddr,
    _stop: oneshot::Sender<()>,
}

/// The admin server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its address can't be listened on.
    #[error("admin server: {0}; see MESH_PROXY_ADMIN_LISTEN_ADDR")]
    Bind(#[from] BindError),
    /// Its thread or runtime could not be made.
    #[error("admin server: cannot start its thread: {0}")]
    Thread(#[from] io::Error),
}

/// What every connection needs.
#[derive(Debug)]
struct State {
    config: AdminConfig,
    parts: Parts,
}

impl Shutdown {
    /// Asks for the stop; also remembered until somebody waits for it.
    pub fn request(&self) {
        self.0.notify_one();
    }

    /// Resolves when the stop was asked for.
    pub async fn requested(&self) {
        self.0.notified().await;
    }
}

impl Admin {
    /// Starts listening before it returns.
    ///
    /// # Errors
    /// [`StartError`] when the address or a thread can't be had.
    pub fn start(config: AdminConfig, parts: Parts) -> Result<Self, StartError> {
        let (report, started) = mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel();
        let main = move || match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(run(config, parts, &report, stopped)),
            Err(error) => drop(report.send(Err(error.into()))),
        };
        thread::Builder::new().name("admin".into()).spawn(main)?;
        let ended = |_| io::Error::other("it ended at once");
        let addr = started.recv().map_err(ended)??;
        info!(%addr, "Admin server listens");
        Ok(Self { addr, _stop: stop })
    }

    /// The address listened on, with the port the system gave for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }
}

/// All of the thread: tells in `report` where it listens, then serves until `stopped`.
async fn run(
    config: AdminConfig,
    parts: Parts,
    report: &SyncSender<Result<SocketAddr, StartError>>,
    stopped: oneshot::Receiver<()>,
) {
    let listener = match listen(&config) {
        Ok(listener) => listener,
        Err(error) => return drop(report.send(Err(error.into()))),
    };
    // Whoever starts the server waits for this.
    let _ = report.send(Ok(listener.local_addr()));
    let state = Arc::new(State { config, parts });
    tokio::select! {
        () = accept(listener, state) => {}
        _ = stopped => {}
    }
}

fn listen(config: &AdminConfig) -> Result<Listener, BindError> {
    let sockets = SocketOptions {
        keepalive: None,
        user_timeout: Some(Duration::from_secs(30)),
    };
    let options = ListenerOptions {
        sockets,
        backlog: 128,
        reuse_port: false,
        max_connections: config.max_connections,
    };
    Listener::bind(config.listen, options)
}

async fn accept(listener: Listener, state: Arc<State>) {
    loop {
        let Accepted {
            stream,
            client,
            permit,
            ..
        } = listener.accept().await;
        let state = state.clone();
        tokio::spawn(async move {
            serve(TokioIo::new(stream), client, state).await;
            drop(permit);
        });
    }
}

/// Answers the requests of one connection.
async fn serve<I>(io: I, client: SocketAddr, state: Arc<State>)
where
    I: rt::Read + rt::Write + Unpin,
{
    let timeout = state.config.header_read_timeout;
    let answer = |request: hyper::Request<Incoming>| {
        let state = state.clone();
        async move { Ok::<_, std::convert::Infallible>(paths::answer(request, client, &state).await) }
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_headers(64)
        .max_buf_size(16 * 1024)
        .serve_connection(io, service_fn(answer));
    if let Err(error) = connection.await {
        debug!(%client, %error, "Admin connection failed");
    }
}

#[cfg(test)]
mod tests;
