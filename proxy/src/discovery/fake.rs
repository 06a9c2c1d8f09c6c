//! A control plane for tests, whose every answer the test gives by hand.
//!
//! The generated servers of `linkerd2-proxy-api` run in the test's own process
//! behind a [`Channel`]; each call waits in a queue until the test takes it, looks
//! at the request and answers. Nothing depends on time but what the code under
//! test does, so the clock can be paused.

use super::{Channels, balancing::api};
use crate::control::{Channel, client::channel};
use futures::{StreamExt as _, future::BoxFuture, stream::BoxStream};
use linkerd2_proxy_api::{
    destination::{
        DestinationProfile, GetDestination, Update,
        destination_server::{Destination, DestinationServer},
    },
    inbound::{
        PortSpec, Server,
        inbound_server_policies_server::{InboundServerPolicies, InboundServerPoliciesServer},
    },
    outbound::{
        OutboundPolicy, TrafficSpec,
        outbound_policies_server::{OutboundPolicies, OutboundPoliciesServer},
    },
};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, body::Body};
use tower::{Service as _, service_fn};

type Answers<M> = BoxStream<'static, Result<M, Status>>;
type Reply<M> = Result<mpsc::UnboundedReceiver<Result<M, Status>>, Status>;

/// The calls of one method, in the order they came.
pub(crate) struct Calls<R, M> {
    tx: mpsc::UnboundedSender<Call<R, M>>,
    rx: Mutex<mpsc::UnboundedReceiver<Call<R, M>>>,
}

/// A call that waits for its answer. Dropping it is like a server that dies.
pub(crate) struct Call<R, M> {
    pub(crate) request: R,
    reply: oneshot::Sender<Reply<M>>,
}

/// The server's side of a stream; dropping it ends the stream.
pub(crate) struct Watch<M>(mpsc::UnboundedSender<Result<M, Status>>);

impl<R, M: Send + 'static> Calls<R, M> {
    fn new() -> Self {
        let (tx, rx) = mpsc::unbounded_channel();
        let rx = Mutex::new(rx);
        Self { tx, rx }
    }

    /// The next call, when there is one.
    pub(crate) async fn next(&self) -> Call<R, M> {
        let call = self.rx.lock().await.recv().await;
        call.expect("the sender is in the same struct")
    }

    /// Takes the next call and answers with `message`, keeping the stream open.
    pub(crate) async fn answer(&self, message: M) -> Watch<M> {
        self.next().await.accept().send(message)
    }

    /// Takes the next call and refuses it.
    pub(crate) async fn refuse(&self, status: Status) {
        self.next().await.refuse(status);
    }

    /// Whether no call is waiting.
    pub(crate) async fn is_empty(&self) -> bool {
        self.rx.lock().await.is_empty()
    }

    fn call(&self, request: R) -> BoxFuture<'static, Result<Response<Answers<M>>, Status>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.tx.send(Call { request, reply });
        Box::pin(async move {
            let lost = |_| Err(Status::unavailable("the server died"));
            let rx = answer.await.unwrap_or_else(lost)?;
            Ok(Response::new(UnboundedReceiverStream::new(rx).boxed()))
        })
    }
}

impl<R, M> Call<R, M> {
    pub(crate) fn accept(self) -> Watch<M> {
        let (tx, rx) = mpsc::unbounded_channel();
        let _ = self.reply.send(Ok(rx));
        Watch(tx)
    }

    pub(crate) fn refuse(self, status: Status) {
        let _ = self.reply.send(Err(status));
    }
}

impl<M> Watch<M> {
    pub(crate) fn send(self, message: M) -> Self {
        let _ = self.0.send(Ok(message));
        self
    }

    pub(crate) fn fail(self, status: Status) {
        let _ = self.0.send(Err(status));
    }

    /// Waits until the client has given the stream up.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

/// The services and their waiting calls. Clones are the same control plane.
#[derive(Clone)]
pub(crate) struct FakeControl(Arc<Services>);

pub(crate) struct Services {
    pub(crate) policies: Calls<TrafficSpec, OutboundPolicy>,
    pub(crate) profiles: Calls<GetDestination, DestinationProfile>,
    pub(crate) endpoints: Calls<GetDestination, Update>,
    pub(crate) ports: Calls<PortSpec, Server>,
    pub(crate) balancing: Calls<api::WatchRequest, api::BalancingPolicy>,
}

impl std::ops::Deref for FakeControl {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

impl FakeControl {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Services {
            policies: Calls::new(),
            profiles: Calls::new(),
            endpoints: Calls::new(),
            ports: Calls::new(),
            balancing: Calls::new(),
        }))
    }

    /// Clients of this control plane.
    pub(crate) fn channels(&self) -> Channels {
        Channels {
            policy: self.channel(),
            destination: self.channel(),
        }
    }

    /// All services on one channel, by the path of the request.
    pub(crate) fn channel(&self) -> Channel {
        let mut outbound = OutboundPoliciesServer::new(self.clone());
        let mut inbound = InboundServerPoliciesServer::new(self.clone());
        let mut destination = DestinationServer::new(self.clone());
        let fake = self.clone();
        channel(service_fn(move |request: http::Request<Body>| {
            let path = request.uri().path();
            if path.starts_with("/io.linkerd.proxy.outbound.") {
                outbound.call(request)
            } else if path.starts_with("/io.linkerd.proxy.inbound.") {
                inbound.call(request)
            } else if path.starts_with("/mesh.balancing.") {
                fake.clone().balance(request)
            } else {
                destination.call(request)
            }
        }))
    }

    fn balance(
        self,
        request: http::Request<Body>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, Infallible>> {
        type Codec = tonic_prost::ProstCodec<api::BalancingPolicy, api::WatchRequest>;
        let method = Balance(self);
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Codec::default());
            Ok(grpc.server_streaming(method, request).await)
        })
    }
}

struct Balance(FakeControl);

impl tonic::server::ServerStreamingService<api::WatchRequest> for Balance {
    type Response = api::BalancingPolicy;
    type ResponseStream = Answers<api::BalancingPolicy>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<api::WatchRequest>) -> Self::Future {
        self.0.balancing.call(request.into_inner())
    }
}

fn no_unary<M>() -> Result<Response<M>, Status> {
    Err(Status::unimplemented("this control plane only streams"))
}

#[tonic::async_trait]
impl OutboundPolicies for FakeControl {
    type WatchStream = Answers<OutboundPolicy>;

    async fn get(&self, _: Request<TrafficSpec>) -> Result<Response<OutboundPolicy>, Status> {
        no_unary()
    }

    async fn watch(
        &self,
        request: Request<TrafficSpec>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.policies.call(request.into_inner()).await
    }
}

#[tonic::async_trait]
impl Destination for FakeControl {
    type GetStream = Answers<Update>;
    type GetProfileStream = Answers<DestinationProfile>;

    async fn get(
        &self,
        request: Request<GetDestination>,
    ) -> Result<Response<Self::GetStream>, Status> {
        self.endpoints.call(request.into_inner()).await
    }

    async fn get_profile(
        &self,
        request: Request<GetDestination>,
    ) -> Result<Response<Self::GetProfileStream>, Status> {
        self.profiles.call(request.into_inner()).await
    }
}

#[tonic::async_trait]
impl InboundServerPolicies for FakeControl {
    type WatchPortStream = Answers<Server>;

    async fn get_port(&self, _: Request<PortSpec>) -> Result<Response<Server>, Status> {
        no_unary()
    }

    async fn watch_port(
        &self,
        request: Request<PortSpec>,
    ) -> Result<Response<Self::WatchPortStream>, Status> {
        self.ports.call(request.into_inner()).await
    }
}
