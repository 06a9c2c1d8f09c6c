//! HTTP requests: normalise, route, balance, send.

use super::{
    Outbound, Shared,
    endpoint::{EndpointBody, LastRefusal},
    metrics::RouteRecord,
    target::{Action, TargetStack, choose},
};
use crate::{
    http::{
        Version,
        account::Account,
        body::{Observed, Replay, ResponseBody},
        check::{check, no_tunnel_in_a_stream},
        client::SendError,
        error::{BoxError, Kind, ProxyError},
        headers,
        in_flight::InFlightLayer,
        rescue::RescueLayer,
        server, target,
    },
    transport::io::BoxIo,
};
use http::{Request, Response};
use hyper::body::Incoming;
use mesh_balancer::{BalanceError, QueueError};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::time::Instant;
use tower::ServiceBuilder;
use tower_service::Service;

/// A response on its way to the application.
pub type RouteResponse = Response<ResponseBody<RouteBody>>;

/// The body of a backend's response; its end is counted for the route too.
pub type RouteBody = Observed<EndpointBody, Account<RouteRecord>>;

type RouteFuture = Pin<Box<dyn Future<Output = Result<RouteResponse, ProxyError>> + Send>>;

/// Knows where the requests of a connection go.
pub trait Router: Clone + Send + Sync + 'static {
    /// The answer to `req`, from its target or the router's own.
    fn route(
        &self,
        outbound: &Outbound,
        req: Request<Incoming>,
    ) -> impl Future<Output = Result<RouteResponse, ProxyError>> + Send;
}

impl Outbound {
    /// Serves the requests of one connection; outermost layer first.
    pub(super) async fn serve_http(&self, version: Version, router: impl Router, io: BoxIo) {
        let shared = &self.0;
        let stack = ServiceBuilder::new()
            // Errors of all that follows become answers that explain themselves.
            .layer(RescueLayer::new(
                shared.metrics.errors(),
                shared.settings.explain,
            ))
            // Over the limit, refuse before any work is done.
            .layer(InFlightLayer::new(shared.in_flight.clone()))
            // What only concerns this hop ends here, and so does what an
            // application says in the mesh's name.
            .layer(check(normalize))
            // To the target of the connection, or the one the request names.
            .service(RouteRequests {
                outbound: self.clone(),
                router,
            });
        let served = server::serve(
            io,
            version,
            stack,
            &shared.settings.server,
            shared.drain.clone(),
        );
        if let Err(error) = served.await {
            if error.is_reset_flood() {
                shared.metrics.limits.reset_floods.increment(1);
            }
            tracing::debug!(%error, "Connection of the application ended");
        }
    }
}

fn normalize(req: &mut Request<Incoming>) -> Result<(), ProxyError> {
    no_tunnel_in_a_stream(req)?;
    target::settle(req)?;
    let upgrade = headers::is_upgrade(req);
    headers::strip_hop_by_hop(req.headers_mut(), upgrade);
    headers::strip_l5d(req.headers_mut(), &[]);
    Ok(())
}

#[derive(Clone)]
struct RouteRequests<R> {
    outbound: Outbound,
    router: R,
}

impl<R: Router> Service<Request<Incoming>> for RouteRequests<R> {
    type Response = RouteResponse;
    type Error = ProxyError;
    type Future = RouteFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: Request<Incoming>) -> RouteFuture {
        let Self { outbound, router } = self.clone();
        Box::pin(async move { router.route(&outbound, req).await })
    }
}

/// All requests go to the connection's target.
impl Router for Arc<TargetStack> {
    async fn route(
        &self,
        outbound: &Outbound,
        req: Request<Incoming>,
    ) -> Result<RouteResponse, ProxyError> {
        self.send(&outbound.0, req).await
    }
}

impl TargetStack {
    /// Sends one request to a backend of its route.
    pub(super) async fn send(
        &self,
        shared: &Shared,
        req: Request<Incoming>,
    ) -> Result<RouteResponse, ProxyError> {
        let routes = self.routes(&shared.metrics);
        let route = routes.http(Version::of(&req));
        let choice = match &route.action {
            Action::Dispatch(choices) => choose(choices),
            Action::Fail { status, message } => {
                return Err(self.error(Kind::Refused(*status), "route", (**message).into()));
            }
        };
        let Some(choice) = choice else {
            return Err(self.error(Kind::NoRoute, "route", "no backend has a weight".into()));
        };
        let grpc = headers::is_grpc(req.headers());
        let record = RouteRecord::new(&route.metrics, &choice.metrics, grpc);
        let req = req.map(|body| Replay::new(Observed::new(body, record.frames())));
        let sent = Instant::now();
        let backend = choice.backend(|policy| shared.backends.http(policy));
        match backend.balance.send(req).await {
            Ok(rsp) => {
                let account = Account::new(&rsp, sent, record);
                Ok(rsp.map(|body| ResponseBody::Upstream(Observed::new(body, account))))
            }
            Err(error) => {
                let error = self.balance_error(error, &backend.refusal);
                record.failed(error.kind());
                Err(error)
            }
        }
    }

    fn balance_error(
        &self,
        error: BalanceError<Box<SendError>>,
        refusal: &LastRefusal,
    ) -> ProxyError {
        match error {
            BalanceError::Queue(full @ QueueError::Full) => {
                self.error(Kind::LoadShed, "queue", full.into())
            }
            BalanceError::Queue(failfast @ QueueError::FailFast) => {
                self.error(Kind::FailFast, "balance", refusal.explain(failfast))
            }
            BalanceError::Service(error) => {
                let (kind, stage) = error.kind();
                self.error(kind, stage, error.cause)
            }
        }
    }

    fn error(&self, kind: Kind, stage: &'static str, cause: BoxError) -> ProxyError {
        ProxyError::new(kind, stage, self.name().clone(), cause)
    }
}
