//! Interim.
#![allow(missing_docs)]
use crate::{detect::Detected, http::{Version, account::Summary, client::SendError, error::Kind, rescue::OnError}, inbound::PeerTls, policy::{Backend, EndpointMeta, Metadata}, transport::{header::TransportHeader, io::{ByteCounters, Counted}}};
use ::metrics::Counter;
use std::{net::SocketAddr, sync::Arc};
pub enum Peer { Src, Dst }
#[derive(Debug)]
pub struct TcpMetrics(Arc<ByteCounters>);
impl TcpMetrics { fn noop() -> Arc<Self> { Arc::new(Self(Arc::new(ByteCounters { read: Counter::noop(), write: Counter::noop() }))) }
  pub fn count<I>(self: &Arc<Self>, io: I) -> Counted<I> { Counted::new(io, self.0.clone()) } }
#[derive(Clone)]
pub struct OutboundMetrics;
struct E; impl OnError for E { fn on_error(&self, _: Kind) {} }
pub struct RouteMetrics; pub struct Timer;
impl RouteMetrics { pub fn request(&self) -> Timer { Timer } }
impl Timer { pub fn response(self, _: http::StatusCode) {} pub fn failed(self, _: Kind) {} }
pub struct HttpEndpointMetrics;
impl HttpEndpointMetrics { pub fn request(&self) {} pub fn response(&self, _: &Summary) {} pub fn failed(&self, _: &SendError) {} }
impl OutboundMetrics {
  pub fn tcp(&self, _: Peer, _: SocketAddr) -> Arc<TcpMetrics> { TcpMetrics::noop() }
  pub fn detected(&self, _: &Detected) {}
  pub fn protocol(&self, _: Version) {}
  pub fn errors(&self) -> Arc<dyn OnError> { Arc::new(E) }
  pub fn tcp_error(&self, _: Kind) {}
  pub fn route(&self, _: &Arc<Metadata>, _: &Arc<Metadata>) -> Arc<RouteMetrics> { Arc::new(RouteMetrics) }
  pub fn endpoint(&self, _: SocketAddr, _: &EndpointMeta, _: Option<&str>) -> Arc<HttpEndpointMetrics> { Arc::new(HttpEndpointMetrics) }
  pub fn tcp_endpoint(&self, _: SocketAddr, _: &EndpointMeta, _: Option<&str>) -> Arc<TcpMetrics> { TcpMetrics::noop() }
  pub fn balancer(&self, _: &'static str, _: &Backend) -> Arc<dyn mesh_balancer::Observer> { Arc::new(()) }
}
#[derive(Clone)]
pub struct InboundMetrics;
pub struct InboundHttpMetrics;
impl InboundHttpMetrics { pub fn allow(&self) {} pub fn request(&self) {} pub fn response(&self, _: &Summary) {} pub fn failed(&self, _: Kind) {} }
impl InboundMetrics {
  pub fn tcp(&self, _: SocketAddr, _: &PeerTls, _: &Metadata) -> Arc<TcpMetrics> { TcpMetrics::noop() }
  pub fn app(&self, _: SocketAddr) -> Arc<TcpMetrics> { TcpMetrics::noop() }
  pub fn detected(&self, _: &Detected) {}
  pub fn errors(&self) -> Arc<dyn OnError> { Arc::new(E) }
  pub fn tcp_error(&self, _: Kind) {}
  pub fn http(&self, _: SocketAddr, _: &PeerTls, _: &Metadata, _: &Metadata, _: &Metadata) -> Arc<InboundHttpMetrics> { Arc::new(InboundHttpMetrics) }
  pub fn http_denied(&self, _: SocketAddr, _: &PeerTls, _: &Metadata, _: &Metadata) {}
  pub fn route_not_found(&self, _: &Metadata) {}
  pub fn tcp_allowed(&self, _: SocketAddr, _: &PeerTls, _: &Metadata, _: &Metadata) {}
  pub fn tcp_denied(&self, _: SocketAddr, _: &PeerTls, _: &Metadata) {}
  pub fn tcp_terminated(&self, _: SocketAddr, _: &PeerTls, _: &Metadata) {}
  pub fn tls_failed(&self) {} pub fn tls_timed_out(&self) {} pub fn identity_required(&self) {}
  pub fn transport_header(&self, _: &TransportHeader) {}
}
#[derive(Clone)]
pub struct Metrics;
impl Metrics { pub fn new(_: &crate::config::MetricsConfig) -> Self { Self }
pub fn inbound(&self) -> InboundMetrics { InboundMetrics } pub fn outbound(&self) -> OutboundMetrics { OutboundMetrics }
 pub fn control(&self, _: &'static str, _: &str) -> Arc<dyn crate::control::ControlObserver> { Arc::new(()) }
 pub fn certificate(&self) -> impl mesh_identity::certify::Observer + use<> { () } }
impl InboundMetrics { pub fn shed(&self) -> Counter { Counter::noop() } }
impl OutboundMetrics { pub fn shed(&self) -> Counter { Counter::noop() } }
