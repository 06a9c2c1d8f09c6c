//! One proxy, as the controller sees it: two connections, and the streams that ours opens.
//!
//! For each service that it sends to: the outbound policy and the profile of its address, then endpoints and balancing of its name; for
//! each port of its own the inbound policy (`proxy/src/discovery`). What comes is decoded as in a proxy, and then only looked at.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::try_join_all;
use linkerd2_proxy_api::destination::destination_client::DestinationClient;
use linkerd2_proxy_api::destination::{GetDestination, Update, update::Update as Kind};
use linkerd2_proxy_api::inbound::PortSpec;
use linkerd2_proxy_api::inbound::inbound_server_policies_client::InboundServerPoliciesClient;
use linkerd2_proxy_api::net::TcpAddress;
use linkerd2_proxy_api::outbound::outbound_policies_client::OutboundPoliciesClient;
use linkerd2_proxy_api::outbound::{TrafficSpec, traffic_spec::Target};
use mesh_controller::generated::balancing::{WatchRequest, balancing_client::BalancingClient};
use serde_json::json;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status, Streaming};

use super::board::{Board, News};
use super::cluster::{INBOUND_PORTS, Shape, last_endpoint, service_address};
use super::process::Controller;

/// Proxies that connect at a time: more would overflow the queue of connections to be accepted.
const AT_A_TIME: usize = 64;

/// Why a proxy has not got its streams.
#[derive(Debug, Error)]
pub enum WatchError {
    /// Connection.
    #[error("can't connect to the controller: {0}")]
    Connect(#[from] tonic::transport::Error),
    /// Request.
    #[error("the controller refused a stream: {0}")]
    Refused(#[from] Box<Status>),
    /// First messages.
    #[error("not all streams had a first message")]
    Silent,
}

/// All proxies; their connections end when this is dropped.
#[derive(Debug)]
pub struct Watchers {
    _streams: Vec<JoinSet<()>>,
}

impl Watchers {
    /// Connects all of them and waits until each of their streams has had a message.
    ///
    /// # Errors
    /// When one can't connect or is refused something.
    pub async fn start(
        shape: Shape,
        controller: &Controller,
        board: &Arc<Board>,
    ) -> Result<Self, WatchError> {
        let turns = Semaphore::new(AT_A_TIME);
        let each = (0..shape.proxies).map(|index| {
            let turns = &turns;
            async move {
                let _turn = turns.acquire().await.expect("never closed");
                let destination = connect(controller.destination).await?;
                let policy = connect(controller.policy).await?;
                let proxy = Proxy {
                    shape,
                    index,
                    destination,
                    policy,
                    board: board.clone(),
                };
                proxy.open().await
            }
        });
        let streams = try_join_all(each).await?;
        match board.all_opened(shape.streams()).await {
            true => Ok(Self { _streams: streams }),
            false => Err(WatchError::Silent),
        }
    }
}

async fn connect(addr: SocketAddr) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{addr}"));
    endpoint
        .expect("an address is a valid authority")
        .connect()
        .await
}

struct Proxy {
    shape: Shape,
    index: usize,
    destination: Channel,
    policy: Channel,
    board: Arc<Board>,
}

impl Proxy {
    async fn open(self) -> Result<JoinSet<()>, WatchError> {
        let (namespace, pod, node) = self.shape.workload(self.shape.pod_of(self.index));
        let workload = json!({"ns": namespace, "pod": pod}).to_string();
        let context = json!({"ns": namespace, "nodeName": node, "pod": pod}).to_string();
        let mut streams = JoinSet::new();
        for service in self.shape.targets_of(self.index) {
            self.send_to(service, &workload, &context, &mut streams)
                .await?;
        }
        for port in INBOUND_PORTS {
            let mut client = InboundServerPoliciesClient::new(self.policy.clone());
            let spec = PortSpec {
                workload: workload.clone(),
                port: port.into(),
            };
            self.keep(client.watch_port(spec), &mut streams).await?;
        }
        Ok(streams)
    }

    async fn send_to(
        &self,
        service: usize,
        workload: &str,
        context: &str,
        streams: &mut JoinSet<()>,
    ) -> Result<(), WatchError> {
        let (address, authority) = (service_address(service), self.shape.authority(service));
        let get = |path: String| GetDestination {
            scheme: "k8s".to_owned(),
            path,
            context_token: context.to_owned(),
        };
        let spec = TrafficSpec {
            source_workload: workload.to_owned(),
            target: Some(Target::Addr(address.into())),
        };
        let mut outbound = OutboundPoliciesClient::new(self.policy.clone());
        self.keep(outbound.watch(spec), streams).await?;
        let mut destination = DestinationClient::new(self.destination.clone());
        self.keep(destination.get_profile(get(address.to_string())), streams)
            .await?;
        let mut balancing = BalancingClient::new(self.destination.clone());
        let request = WatchRequest {
            authority: authority.clone(),
            context_token: context.to_owned(),
        };
        self.keep(balancing.watch(request), streams).await?;
        let endpoints = destination.get(get(authority)).await.map_err(Box::new)?;
        streams.spawn(follow(
            endpoints.into_inner(),
            self.board.clone(),
            Endpoints::new(&self.shape, service),
        ));
        Ok(())
    }

    /// A stream whose messages are only received.
    async fn keep<T: Send + 'static>(
        &self,
        answer: impl Future<Output = Result<Response<Streaming<T>>, Status>>,
        streams: &mut JoinSet<()>,
    ) -> Result<(), WatchError> {
        let stream = answer.await.map_err(Box::new)?.into_inner();
        streams.spawn(follow(stream, self.board.clone(), |_: &Board, _: T| ()));
        Ok(())
    }
}

/// What is done with each message after the first.
trait Look<T>: Send + 'static {
    fn look(&self, board: &Board, message: T);
}

impl<T, F: Fn(&Board, T) + Send + 'static> Look<T> for F {
    fn look(&self, board: &Board, message: T) {
        self(board, message);
    }
}

async fn follow<T: Send + 'static>(
    mut stream: Streaming<T>,
    board: Arc<Board>,
    look: impl Look<T>,
) {
    let mut first = true;
    loop {
        match stream.message().await {
            Ok(Some(message)) if first => {
                drop(message);
                board.opened();
                first = false;
            }
            Ok(Some(message)) => look.look(&board, message),
            Ok(None) => return board.broke("a stream ended".to_owned()),
            Err(status) => return board.broke(status.to_string()),
        }
    }
}

/// Looks for the endpoint of a service that comes and goes.
struct Endpoints {
    service: usize,
    address: SocketAddr,
}

impl Endpoints {
    fn new(shape: &Shape, service: usize) -> Self {
        Self {
            service,
            address: last_endpoint(shape, service),
        }
    }

    fn is_it(&self, address: Option<TcpAddress>) -> bool {
        address.and_then(|address| SocketAddr::try_from(address).ok()) == Some(self.address)
    }
}

impl Look<Update> for Endpoints {
    fn look(&self, board: &Board, message: Update) {
        let (present, is_told) = match message.update {
            Some(Kind::Add(set)) => {
                let mut added = set.addrs.into_iter();
                (true, added.any(|each| self.is_it(each.addr)))
            }
            Some(Kind::Remove(set)) => {
                let mut removed = set.addrs.into_iter();
                (false, removed.any(|each| self.is_it(Some(each))))
            }
            _ => return,
        };
        if !is_told {
            return;
        }
        board.told(News {
            service: self.service,
            address: self.address,
            present,
        });
    }
}
