//! HTTP requests of peers: restore, authorize, send to the application.

use super::{Shared, client::Conn, metrics::AppRecord, policy::Allowed};
use crate::{
    http::{
        Version,
        account::Account,
        body::{Observed, Replay},
        check::{check, no_tunnel_in_a_stream},
        client::{ClientBody, ClientResponse},
        error::ProxyError,
        headers,
        in_flight::InFlightLayer,
        orig_proto,
        rescue::RescueLayer,
        server, target, upgrade,
    },
    transport::io::BoxIo,
};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::ServiceBuilder;
use tower_service::Service;

/// The body of the application's response; its end is accounted for.
pub type AppBody = Observed<ClientBody, Account<AppRecord>>;

type AppFuture = Pin<Box<dyn Future<Output = Result<Response<AppBody>, ProxyError>> + Send>>;

/// Serves the requests of one connection; outermost layer first.
pub(super) async fn serve(shared: &Arc<Shared>, conn: Conn, version: Version, io: BoxIo) {
    let meshed = conn.tls.identity().is_some();
    let conn = Arc::new(conn);
    let stack = ServiceBuilder::new()
        // Errors of all that follows become answers; strangers are not told why.
        .layer(RescueLayer::new(shared.metrics.errors(), meshed))
        // Over the limit, refuse before any work is done.
        .layer(InFlightLayer::new(shared.in_flight.clone()))
        // HTTP/1 that was carried over HTTP/2 becomes HTTP/1 again, and only the
        // certificate says who the client is.
        .layer(check(normalize(conn.clone())))
        // Policy decides, then the application answers.
        .service(SendToApp {
            shared: shared.clone(),
            conn: conn.clone(),
            carrier: version,
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
        tracing::debug!(client = %conn.client, %error, "Connection of a peer ended");
    }
}

fn normalize(conn: Arc<Conn>) -> impl Fn(&mut Request<Incoming>) -> Result<(), ProxyError> + Clone {
    move |req| {
        no_tunnel_in_a_stream(req)?;
        if conn.client_id.is_some() && Version::of(req) == Version::H2 {
            orig_proto::restore(req);
        }
        target::settle(req)?;
        let upgrade = headers::is_upgrade(req);
        headers::strip_hop_by_hop(req.headers_mut(), upgrade);
        headers::strip_l5d(req.headers_mut(), &[]);
        if let Some(id) = &conn.client_id {
            req.headers_mut().insert(headers::CLIENT_ID, id.clone());
        }
        Ok(())
    }
}

#[derive(Clone)]
struct SendToApp {
    shared: Arc<Shared>,
    conn: Arc<Conn>,
    /// The version of the connection; HTTP/1 requests on an HTTP/2 one are carried.
    carrier: Version,
}

impl Service<Request<Incoming>> for SendToApp {
    type Response = Response<AppBody>;
    type Error = ProxyError;
    type Future = AppFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: Request<Incoming>) -> AppFuture {
        let Self {
            shared,
            conn,
            carrier,
        } = self.clone();
        Box::pin(async move {
            let allowed = conn.allow(&req, &shared.metrics)?;
            let carried = carrier != Version::of(&req);
            let mut rsp = send(&shared, &conn, &allowed, req).await?;
            if carried {
                orig_proto::mark(&mut rsp);
            }
            Ok(rsp)
        })
    }
}

async fn send(
    shared: &Shared,
    conn: &Conn,
    allowed: &Allowed,
    mut req: Request<Incoming>,
) -> Result<Response<AppBody>, ProxyError> {
    let via = Version::of(&req);
    let connect = req.method() == http::Method::CONNECT;
    let upgrading = headers::is_upgrade(&req).then(|| hyper::upgrade::on(&mut req));
    let record = allowed.metrics.request(headers::is_grpc(req.headers()));
    let req = req.map(|body| Replay::new(Observed::new(body, record.frames())));
    let client = conn.http.get_or_init(|| shared.apps.client(conn.app));
    let mut rsp = match client.send(req, via).await {
        Ok(rsp) => rsp,
        Err(error) => {
            let (kind, stage) = error.kind();
            let error = ProxyError::new(kind, stage, conn.app.to_string(), error.cause);
            record.failed(error.kind());
            return Err(error);
        }
    };
    clean(&mut rsp, upgrading.is_some());
    if let Some(peer) = upgrading
        && upgrade::is_switched(&rsp, connect)
    {
        let app = hyper::upgrade::on(&mut rsp);
        upgrade::join(peer, app, shared.settings.splice, shared.drain.clone());
    }
    let account = Account::new(&rsp, record.sent(), record);
    Ok(rsp.map(|body| Observed::new(body, account)))
}

/// Removes from the application's response what is not for the peer.
fn clean(rsp: &mut ClientResponse, upgrading: bool) {
    let switched = upgrading && rsp.status() == StatusCode::SWITCHING_PROTOCOLS;
    headers::strip_hop_by_hop(rsp.headers_mut(), switched);
    headers::strip_l5d(rsp.headers_mut(), &[]);
}
