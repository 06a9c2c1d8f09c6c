//! An endpoint that takes HTTP requests.

use super::{
    BoxFuture,
    health::{Health, Reports},
    load::{EndpointResponse, Unanswered},
};
use crate::{
    drain,
    http::{
        Version,
        body::RequestBody,
        client::{Client, ClientResponse, SendError, Stage},
        error::{Fault, Kind},
        headers, orig_proto, upgrade,
    },
    metrics::HttpEndpointMetrics,
    outbound::Settings,
    policy::{EndpointMeta, Hint},
    transport::{connect::Connector, splice::SpliceOptions},
};
use http::{HeaderValue, Request, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use mesh_balancer::Unsent;
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;

/// An endpoint that takes HTTP requests. Clones are the same endpoint.
#[derive(Clone)]
pub struct HttpEndpoint(Arc<Http>);

struct Http {
    client: Client,
    hint: Hint,
    meshed: bool,
    explain: bool,
    metrics: Arc<HttpEndpointMetrics>,
    health: Health,
    splice: SpliceOptions,
    drain: drain::Watch,
}

impl HttpEndpoint {
    /// An endpoint reached by `connector`.
    pub fn new(
        connector: Connector,
        meta: &EndpointMeta,
        metrics: Arc<HttpEndpointMetrics>,
        reports: Reports,
        settings: &Settings,
        drain: drain::Watch,
    ) -> Self {
        Self(Arc::new(Http {
            client: Client::new(connector, settings.client.clone()),
            hint: meta.hint,
            meshed: meta.identity.is_some(),
            explain: settings.explain,
            metrics,
            health: Health::new(reports, settings),
            splice: settings.splice,
            drain,
        }))
    }

    /// Prepares `req` for the endpoint; returns the version of its connection.
    fn prepare(&self, req: &mut Request<RequestBody>) -> Version {
        match Version::of(req) {
            Version::H2 => Version::H2,
            Version::Http1
                if self.0.hint == Hint::H2
                    && !headers::is_upgrade(req)
                    && orig_proto::can_upgrade(req)
                    && orig_proto::upgrade(req) =>
            {
                Version::H2
            }
            Version::Http1 => Version::Http1,
        }
    }

    async fn send(self, mut req: Request<RequestBody>) -> Result<EndpointResponse, Box<SendError>> {
        let was = req.version();
        let connect = req.method() == http::Method::CONNECT;
        let upgrading = headers::is_upgrade(&req).then(|| hyper::upgrade::on(&mut req));
        let via = self.prepare(&mut req);
        let unanswered = Unanswered::new(&self.0.metrics);
        let mut rsp = match self.0.client.send(req, via).await {
            Ok(rsp) => rsp,
            Err(mut error) => {
                unanswered.failed(&error);
                self.failed(&mut error);
                if let Some(req) = &mut error.unsent {
                    give_back(req, was, upgrading);
                }
                return Err(error);
            }
        };
        let sent = unanswered.answered();
        self.clean(&mut rsp, was, upgrading.is_some());
        if let Some(client) = upgrading
            && upgrade::is_switched(&rsp, connect)
        {
            let server = hyper::upgrade::on(&mut rsp);
            upgrade::join(client, server, self.0.splice, self.0.drain.clone());
        }
        let metrics = self.0.metrics.clone();
        Ok(EndpointResponse { rsp, metrics, sent })
    }

    /// Removes from a response what was for this proxy only.
    fn clean(&self, rsp: &mut ClientResponse, was: http::Version, upgrading: bool) {
        let carried = was != http::Version::HTTP_2 && rsp.version() == http::Version::HTTP_2;
        if carried {
            orig_proto::unmark(rsp);
        }
        let switched = upgrading && rsp.status() == StatusCode::SWITCHING_PROTOCOLS;
        headers::strip_hop_by_hop(rsp.headers_mut(), switched);
        let close = self.0.meshed
            && was != http::Version::HTTP_2
            && headers::find(rsp.headers(), &headers::PROXY_CONNECTION)
                .is_some_and(|value| value == "close");
        let keep: &[_] = if self.0.meshed && self.0.explain {
            &[headers::PROXY_ERROR]
        } else {
            &[]
        };
        headers::strip_l5d(rsp.headers_mut(), keep);
        if close {
            rsp.headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }

    fn failed(&self, error: &mut SendError) {
        // A request whose connection closed, or leads back to us, says nothing
        // about the endpoint.
        if error.stage != Stage::Connect || error.kind().0 == Kind::Loop {
            return;
        }
        if self.0.health.is_alone() {
            error.unsent = None;
            return;
        }
        let (endpoint, version) = (Arc::downgrade(&self.0), self.version());
        self.0.health.recover(&error.cause, move || {
            let endpoint = endpoint.upgrade().map(HttpEndpoint);
            async move {
                let endpoint = endpoint?;
                let ok = endpoint.0.client.warm(version).await.is_ok();
                ok.then(|| endpoint.0.health.opened());
                Some(ok)
            }
        });
    }

    /// What a connection made without a request is for.
    fn version(&self) -> Version {
        match self.0.hint {
            Hint::H2 => Version::H2,
            Hint::Opaque | Hint::Unknown => Version::Http1,
        }
    }
}

/// Makes an unsent request what the application sent, for the next endpoint.
fn give_back(req: &mut Request<RequestBody>, was: http::Version, upgrading: Option<OnUpgrade>) {
    if req.version() != was {
        orig_proto::restore(req);
    }
    if let Some(client) = upgrading {
        req.extensions_mut().insert(client);
    }
}

impl Service<Request<RequestBody>> for HttpEndpoint {
    type Response = EndpointResponse;
    type Error = Box<SendError>;
    type Future = BoxFuture<EndpointResponse, Box<SendError>>;

    /// Always: which connection is needed depends on the request.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: Request<RequestBody>) -> Self::Future {
        Box::pin(self.clone().send(req))
    }
}

impl Unsent<Request<RequestBody>> for Box<SendError> {
    fn unsent(mut self) -> Result<Request<RequestBody>, Self> {
        self.unsent.take().ok_or(self)
    }

    fn is_endpoints(&self) -> bool {
        self.kind().0.row().fault != Fault::Client
    }
}
