//! The process: one port, four services, connections that die with it.

use super::{
    Shared, destination::DestinationService, inbound::InboundService, outbound::OutboundService,
};
use futures::{Stream, stream};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use linkerd2_proxy_api::{
    destination::destination_server::DestinationServer,
    inbound::inbound_server_policies_server::InboundServerPoliciesServer,
    outbound::outbound_policies_server::OutboundPoliciesServer,
};
use std::{convert::Infallible, sync::Arc};
use tokio::{net::TcpListener, sync::watch::Receiver, task::JoinSet};
use tonic::body::Body;
use tower_service::Service;

/// Serves until dropped, and with it every connection.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _nodelay = stream.set_nodelay(true);
        shared.connections.send_modify(|count| *count += 1);
        let shared = shared.clone();
        let service = service_fn(move |request| dispatch(shared.clone(), request));
        connections.spawn(
            http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn dispatch(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let request = request.map(Body::new);
    let service = request.uri().path().split('/').nth(1).unwrap_or_default();
    match service {
        "io.linkerd.proxy.destination.Destination" => {
            DestinationServer::new(DestinationService(shared))
                .call(request)
                .await
        }
        "io.linkerd.proxy.outbound.OutboundPolicies" => {
            OutboundPoliciesServer::new(OutboundService(shared))
                .call(request)
                .await
        }
        "io.linkerd.proxy.inbound.InboundServerPolicies" => {
            InboundServerPoliciesServer::new(InboundService(shared))
                .call(request)
                .await
        }
        "io.linkerd.proxy.identity.Identity" => {
            let mut identity = shared.identity.lock().clone();
            identity.call(request).await
        }
        // As Linkerd's controller answers for our balancing service.
        _ => Ok(tonic::Status::unimplemented("no such service").into_http()),
    }
}

/// The value now, then each different one, as messages.
pub(super) fn changes<T, M>(
    values: Receiver<T>,
    message: fn(&T) -> M,
) -> impl Stream<Item = M> + Send
where
    T: Clone + PartialEq + Send + Sync + 'static,
    M: Send,
{
    stream::unfold((values, None), move |(mut values, mut told)| async move {
        loop {
            if told.is_some() {
                values.changed().await.ok()?;
            }
            let now = Some(values.borrow_and_update().clone());
            if now != told {
                told = now;
                return Some((message(told.as_ref()?), (values, told)));
            }
        }
    })
}
