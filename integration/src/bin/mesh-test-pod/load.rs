//! Requests at an even pace, whatever becomes of those before: a server that stalls gets no rest, and no failure goes unseen.
//!
//! Half of the requests are sent on connections of their own, as by clients that come and go, the others on connections that are kept,
//! as by a pool. None is sent twice: what a client or its library would hide by a retry is a failure here. On a machine that can't keep up
//! with the pace, requests that are not sent are no failures: more than [`AT_ONCE`] are never under way.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::{Empty, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::http::Target;
use super::{Failure, terminated};

/// Where the state is told, also to probes.
const REPORT: (&str, u16) = ("0.0.0.0", 9000);
/// After which a request has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Requests under way at most.
const AT_ONCE: u64 = 50;
/// Failures that are kept whole.
const SHOWN: usize = 20;

/// How it goes.
struct Load {
    target: Target,
    started: Instant,
    idle: RefCell<Vec<SendRequest<Empty<Bytes>>>>,
    sent: Cell<u64>,
    left_out: Cell<u64>,
    answered: Cell<u64>,
    failed: Cell<u64>,
    slowest: Cell<Duration>,
    failures: RefCell<Vec<Value>>,
}

pub(super) async fn load(url: &str, rps: &str) -> Result<(), Failure> {
    let period = Duration::from_secs_f64(1.0 / rps.parse::<f64>()?);
    let load = Rc::new(Load {
        target: Target::find(url).await?,
        started: Instant::now(),
        idle: RefCell::default(),
        sent: Cell::default(),
        left_out: Cell::default(),
        answered: Cell::default(),
        failed: Cell::default(),
        slowest: Cell::default(),
        failures: RefCell::default(),
    });
    let listener = TcpListener::bind(REPORT).await?;
    let tasks = LocalSet::new();
    tasks
        .run_until(async {
            tokio::task::spawn_local(report(listener, load.clone()));
            tokio::select! {
                never = send(load.clone(), period) => match never {},
                signalled = terminated() => signalled,
            }
        })
        .await
}

async fn send(load: Rc<Load>, period: Duration) -> Infallible {
    let mut pace = interval(period);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        if load.sent.get() - load.answered.get() - load.failed.get() >= AT_ONCE {
            load.left_out.set(load.left_out.get() + 1);
            continue;
        }
        tokio::task::spawn_local(load.clone().one());
    }
}

impl Load {
    async fn one(self: Rc<Self>) {
        let number = self.sent.replace(self.sent.get() + 1);
        let sent = Instant::now();
        let asked = timeout(PATIENCE, self.ask(number.is_multiple_of(2))).await;
        let asked = asked.unwrap_or_else(|_| Err(format!("no answer in {PATIENCE:?}").into()));
        self.slowest.set(self.slowest.get().max(sent.elapsed()));
        match asked {
            Ok(()) => self.answered.set(self.answered.get() + 1),
            Err(failure) => self.note(number, sent, &failure.to_string()),
        }
    }

    async fn ask(&self, kept: bool) -> Result<(), Failure> {
        let idle = kept.then(|| self.pooled()).flatten();
        let reused = idle.is_some();
        let mut sender = match idle {
            Some(sender) => sender,
            None => self
                .target
                .connect()
                .await
                .map_err(|error| format!("no connection: {error}"))?,
        };
        let asked = self.target.get(&mut sender).await;
        let response = asked.map_err(|error| format!("{error:?} (reused: {reused})"))?;
        if kept {
            self.idle.borrow_mut().push(sender);
        }
        if response.status().is_success() {
            return Ok(());
        }
        Err(format!("{response:?}").into())
    }

    /// A connection on which nothing is going on, and that the server has not closed.
    fn pooled(&self) -> Option<SendRequest<Empty<Bytes>>> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|sender| !sender.is_closed());
        let ready = idle.iter().position(SendRequest::is_ready)?;
        Some(idle.swap_remove(ready))
    }

    fn note(&self, number: u64, sent: Instant, error: &str) {
        self.failed.set(self.failed.get() + 1);
        let mut failures = self.failures.borrow_mut();
        if failures.len() < SHOWN {
            let at = sent.duration_since(self.started).as_millis();
            let after = sent.elapsed().as_millis();
            let failure =
                json!({ "request": number, "at_ms": at, "after_ms": after, "error": error });
            // Also in the log, beside what others say at that time.
            eprintln!("{failure}");
            failures.push(failure);
        }
    }

    fn state(&self) -> Value {
        json!({
            "sent": self.sent.get(),
            "left_out": self.left_out.get(),
            "answered": self.answered.get(),
            "failed": self.failed.get(),
            "slowest_ms": self.slowest.get().as_millis(),
            "failures": *self.failures.borrow(),
        })
    }
}

/// Tells everybody who asks.
async fn report(listener: TcpListener, load: Rc<Load>) {
    while let Ok((stream, _)) = listener.accept().await {
        let load = load.clone();
        tokio::task::spawn_local(async move {
            let answer = service_fn(async |_| {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(load.state().to_string())))
            });
            let http = http1::Builder::new();
            http.serve_connection(TokioIo::new(stream), answer)
                .await
                .ok();
        });
    }
}
