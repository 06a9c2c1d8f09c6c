//! What the control plane says about traffic, as types of our own.
//!
//! The data path never touches protobuf: `discovery` turns messages into these
//! types once per update, checking them on the way, so that a field that is
//! missing or out of range is one clear error there and no branch here.
//! Everything is immutable behind `Arc` and compared by value, so an update
//! that changes nothing rebuilds nothing.

pub mod inbound;
pub mod metadata;
pub mod outbound;
pub mod target;

pub use inbound::{Authentication, Authorization, InboundRoute, ServerPolicy, ServerProtocol};
pub use metadata::Metadata;
pub use outbound::{
    Backend, Dispatch, EndpointMeta, Hint, OutboundPolicy, PeakEwma, Protocol, Queue, Route,
    RouteAction, ServerIdentity,
};
pub use target::{NameAddr, Target};
