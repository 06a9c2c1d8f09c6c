//! `mesh.balancing.v1`, by hand: two messages, one call.

use crate::control::Channel;
use http::uri::PathAndQuery;
use tonic::{Request, Response, Status, Streaming, client::Grpc};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct WatchRequest {
    #[prost(string, tag = "1")]
    pub(crate) authority: String,
    #[prost(string, tag = "2")]
    pub(crate) context_token: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct BalancingPolicy {
    #[prost(oneof = "balancing_policy::Kind", tags = "1, 2, 3, 4")]
    pub(crate) kind: Option<balancing_policy::Kind>,
}

pub(crate) mod balancing_policy {
    /// A policy without parameters.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
    pub(crate) struct Empty {}

    #[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Oneof)]
    pub(crate) enum Kind {
        #[prost(message, tag = "1")]
        PeakEwma(Empty),
        #[prost(message, tag = "2")]
        RoundRobin(Empty),
        #[prost(message, tag = "3")]
        LeastRequest(Empty),
        #[prost(message, tag = "4")]
        Random(Empty),
    }
}

pub(super) async fn watch(
    channel: Channel,
    request: WatchRequest,
) -> Result<Response<Streaming<BalancingPolicy>>, Status> {
    let mut grpc = Grpc::new(channel);
    let unready = |error| Status::unavailable(format!("the client is not ready: {error}"));
    grpc.ready().await.map_err(unready)?;
    let path = PathAndQuery::from_static("/mesh.balancing.v1.Balancing/Watch");
    let codec = ProstCodec::<WatchRequest, BalancingPolicy>::default();
    grpc.server_streaming(Request::new(request), path, codec)
        .await
}
