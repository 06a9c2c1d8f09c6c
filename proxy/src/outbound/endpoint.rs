//! One endpoint of a service, as the balancer's services.
//!
//! An endpoint that refuses a connection is taken out of the choice at once and
//! tried again in the background, with back-off, until it answers: no request
//! is used as a probe. The request that met the refusal comes back unsent and is
//! balanced again. Unless there is no other: then its client is told at once.

mod health;
mod http;
mod load;
mod tcp;

pub use self::{
    health::{LastRefusal, Reports},
    http::HttpEndpoint,
    load::{EndpointBody, EndpointResponse, HttpTrack, Load},
    tcp::{TcpEndpoint, Unconnected},
};

use std::pin::Pin;

type BoxFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;
