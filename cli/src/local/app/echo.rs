//! The gRPC side of the application, and its messages:
//!
//! ```proto
//! package demo.v1;
//! service Echo {
//!   rpc Say(Message) returns (Message);
//!   rpc Repeat(Message) returns (stream Message);
//! }
//! message Message { string text = 1; }
//! ```
//!
//! Two methods and one message are less by hand than a generator and the file it writes.

use futures::StreamExt;
use futures::future::{Ready, ready};
use futures::stream::{self, BoxStream};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::App;
use super::behaviour::Outcome;

/// Path of the unary method.
pub(crate) const SAY: &str = "/demo.v1.Echo/Say";
/// Path of the server-streaming method.
pub(crate) const REPEAT: &str = "/demo.v1.Echo/Repeat";
/// Messages in the stream that `Repeat` returns.
pub(crate) const REPEATS: usize = 3;

/// The one message of the service.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Message {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

/// The codec for it on both sides.
pub(crate) fn codec() -> ProstCodec<Message, Message> {
    ProstCodec::default()
}

pub(super) async fn serve(
    app: &App,
    outcome: Outcome,
    request: http::Request<Incoming>,
) -> http::Response<Body> {
    if outcome == Outcome::Fail {
        return Status::unavailable(format!("{} fails now and then, on purpose", app.name()))
            .into_http();
    }
    match request.uri().path() {
        SAY => Grpc::new(codec()).unary(Echo, request).await,
        REPEAT => Grpc::new(codec()).server_streaming(Echo, request).await,
        path => Status::unimplemented(format!("no method {path}")).into_http(),
    }
}

struct Echo;

impl UnaryService<Message> for Echo {
    type Response = Message;
    type Future = Ready<Result<Response<Message>, Status>>;

    fn call(&mut self, request: Request<Message>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}

impl ServerStreamingService<Message> for Echo {
    type Response = Message;
    type ResponseStream = BoxStream<'static, Result<Message, Status>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Message>) -> Self::Future {
        let messages = std::iter::repeat_n(request.into_inner(), REPEATS).map(Ok);
        ready(Ok(Response::new(stream::iter(messages).boxed())))
    }
}
