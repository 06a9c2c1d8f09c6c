//! The balancer as a `tower` service.
//!
//! A request's life: pick an endpoint (or wait in the queue for one), make that endpoint's service ready (which may
//! take or make a connection), call it, and hand the response together with its [`InFlight`] to a [`Track`]. If the
//! service can't be made ready, or its error gives the request back ([`Unsent`]), the request has not left yet: it is
//! picked for again and never lost. Clones share everything and cost one reference count; there is no task and no
//! channel behind them.

use crate::{
    Balancer, InFlight, Outcome, Pick,
    queue::{Queue, QueueConfig, QueueError},
};
use parking_lot::Mutex;
use rand::{RngCore, SeedableRng, rngs::SmallRng};
use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;
use tower_service::Service;

/// Pause before picking again, once as many attempts as there are endpoints have failed to become ready. A client
/// that fails should shut its gate; this is for one that does not.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// What becomes of a response and of the load its request still is.
///
/// A tracker judges the response, calls [`InFlight::first_byte`] at the first byte, and drops the [`InFlight`] when
/// the request is over: it usually moves it into the response body.
pub trait Track<Response> {
    /// The tracked response.
    type Output;

    /// Takes over a response at the moment its head has arrived.
    fn track(&self, response: Response, in_flight: InFlight) -> Self::Output;
}

/// Counts every response as a success, over as soon as it is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnResponse;

impl<Response> Track<Response> for OnResponse {
    type Output = Response;

    fn track(&self, response: Response, mut in_flight: InFlight) -> Response {
        in_flight.first_byte(Instant::now(), Outcome::Success);
        response
    }
}

/// An error that knows whether the request was sent. Which connection a request needs may depend on the request, and
/// a pooled connection may turn out to be closed when it is used, so a service that said it was ready can still fail
/// before anything left.
pub trait Unsent<Req>: Sized {
    /// The request, if the endpoint certainly has not seen it.
    ///
    /// # Errors
    /// The error itself, if it may have.
    fn unsent(self) -> Result<Req, Self>;

    /// Whether the endpoint failed. A request that broke off, say, is not its fault and tells nothing of it.
    fn is_endpoints(&self) -> bool {
        true
    }
}

/// An opaque error gives nothing back.
impl<Req> Unsent<Req> for Box<dyn std::error::Error + Send + Sync> {
    fn unsent(self) -> Result<Req, Self> {
        Err(self)
    }
}

/// Why a balanced request failed.
#[derive(Debug, thiserror::Error)]
pub enum BalanceError<E> {
    /// It found no endpoint; none has seen it.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The endpoint's service failed.
    #[error("the endpoint failed: {0}")]
    Service(E),
}

/// The future of a [`Balance`] service.
pub type BalanceFuture<Output, E> =
    Pin<Box<dyn Future<Output = Result<Output, BalanceError<E>>> + Send>>;

/// Sends each request to an endpoint of a [`Balancer`]. Clones are the same service.
///
/// What it asks of an endpoint's service `T`: clones share their connections; `poll_ready` fails rather than waits while
/// the client backs off; and a client that can't connect shuts its [`Gate`](crate::Gate) and opens it again when it can.
/// A request whose endpoint is still connecting waits for it, and counts as in flight there.
pub struct Balance<K, T, Tr> {
    shared: Arc<Shared<K, T, Tr>>,
}

struct Shared<K, T, Tr> {
    balancer: Balancer<K, T>,
    queue: Queue,
    track: Tr,
    rng: Mutex<SmallRng>,
}

impl<K, T, Tr> Balance<K, T, Tr> {
    /// A service over the endpoints of `balancer`.
    pub fn new(balancer: Balancer<K, T>, queue: QueueConfig, track: Tr) -> Self {
        Self::with_rng(balancer, queue, track, SmallRng::from_os_rng())
    }

    /// The same with a seeded random number generator.
    pub fn with_rng(
        balancer: Balancer<K, T>,
        queue: QueueConfig,
        track: Tr,
        rng: SmallRng,
    ) -> Self {
        let shared = Shared {
            balancer,
            queue: Queue::new(queue),
            track,
            rng: Mutex::new(rng),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The balancer behind this service.
    pub fn balancer(&self) -> &Balancer<K, T> {
        &self.shared.balancer
    }

    /// Sends one request; what [`Service::call`] does, without the box.
    ///
    /// # Errors
    /// No endpoint became ready, or the endpoint's service failed after it may have seen the request.
    pub async fn send<Req>(&self, request: Req) -> Result<Tr::Output, BalanceError<T::Error>>
    where
        T: Service<Req> + Clone,
        T::Error: Unsent<Req>,
        Tr: Track<T::Response>,
    {
        let mut attempts = Attempts::new(&self.shared);
        let mut request = request;
        loop {
            let (mut service, mut pick) = attempts.acquire::<Req>().await?;
            pick.restart(Instant::now());
            let error = match service.call(request).await {
                Ok(response) => {
                    return Ok(self.shared.track.track(response, pick.into_in_flight()));
                }
                Err(error) => error,
            };
            match error.unsent() {
                Ok(unsent) => request = unsent,
                Err(error) => {
                    if error.is_endpoints() {
                        pick.first_byte(Instant::now(), Outcome::Failure);
                    }
                    return Err(BalanceError::Service(error));
                }
            }
            tracing::debug!("Endpoint did not take the request, picking again");
            attempts.failed(pick);
        }
    }
}

/// The attempts of one request to find an endpoint.
struct Attempts<'a, K, T, Tr> {
    shared: &'a Shared<K, T, Tr>,
    /// When it gives up; set by its first wait or failed attempt.
    deadline: Option<Instant>,
    failed: usize,
}

impl<'a, K, T, Tr> Attempts<'a, K, T, Tr> {
    fn new(shared: &'a Shared<K, T, Tr>) -> Self {
        Self {
            shared,
            deadline: None,
            failed: 0,
        }
    }

    /// A ready service of a picked endpoint.
    async fn acquire<Req>(&mut self) -> Result<(T, Pick<K, T>), QueueError>
    where
        T: Service<Req> + Clone,
    {
        let shared = self.shared;
        loop {
            self.pace().await?;
            let picked = shared
                .queue
                .pick(&shared.balancer, &mut self.deadline, || shared.try_pick());
            let pick = picked.await?;
            let mut service = pick.clone();
            if poll_fn(|cx| service.poll_ready(cx)).await.is_ok() {
                return Ok((service, pick));
            }
            tracing::debug!("Endpoint did not become ready, picking again");
            self.failed(pick);
        }
    }

    /// Notes an attempt that failed before the endpoint saw the request. If the endpoint's client shut the gate, that
    /// says it all, and the endpoint is as good as before once it is back.
    fn failed(&mut self, mut pick: Pick<K, T>) {
        if pick.is_ready() {
            pick.first_byte(Instant::now(), Outcome::Failure);
        }
        self.failed += 1;
        self.deadline
            .get_or_insert_with(|| self.shared.queue.deadline());
    }

    /// Slows down once each endpoint has had its chance, and gives up in time.
    async fn pace(&mut self) -> Result<(), QueueError> {
        let balancer = &self.shared.balancer;
        if self.failed == 0 || self.failed < balancer.len() || balancer.ready_len() == 0 {
            return Ok(());
        }
        Box::pin(tokio::time::sleep(RETRY_PAUSE)).await;
        let late = self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline);
        if late {
            Err(QueueError::FailFast)
        } else {
            Ok(())
        }
    }
}

impl<K, T, Tr> Shared<K, T, Tr> {
    fn try_pick(&self) -> Option<Pick<K, T>> {
        // Not under the lock: a pick may take longer than this draw.
        let seed = self.rng.lock().next_u64();
        self.balancer
            .pick(Instant::now(), &mut SmallRng::seed_from_u64(seed))
            .ok()
    }
}

impl<K, T, Tr, Req> Service<Req> for Balance<K, T, Tr>
where
    K: Send + Sync + 'static,
    T: Service<Req> + Clone + Send + Sync + 'static,
    T::Future: Send,
    T::Error: Unsent<Req> + Send,
    Tr: Track<T::Response> + Send + Sync + 'static,
    Req: Send + 'static,
{
    type Response = Tr::Output;
    type Error = BalanceError<T::Error>;
    type Future = BalanceFuture<Tr::Output, T::Error>;

    /// Always ready: requests that can't be sent yet wait in the queue, which is bounded.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let balance = self.clone();
        Box::pin(async move { balance.send(request).await })
    }
}

impl<K, T, Tr> Clone for Balance<K, T, Tr> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<K, T, Tr> fmt::Debug for Balance<K, T, Tr> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balance")
            .field("balancer", &self.shared.balancer)
            .finish()
    }
}
