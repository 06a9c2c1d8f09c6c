//! A controller to ask.
//!
//! Its gRPC servers want mutual TLS from other machines, and speak plaintext on
//! loopback addresses (`mesh_identity::server::incoming`). A port-forward ends in
//! the pod's network namespace, on loopback: so no certificate is needed here,
//! and none would be looked at. What protects it is what protects
//! `kubectl port-forward`: TLS and RBAC of the API server. The alternative, an
//! identity for people, would have people hold keys of the mesh to read what
//! anyone with that right can read anyway. An answer is only shown, so a pod
//! that lies in the mesh's own namespace could mislead a reader and no more.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::DiagnosticsError;
use crate::cluster::{Cluster, ClusterArgs, PodName};
use crate::local::port;

/// For an answer; the controller has it in memory.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Which controller.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ControllerArgs {
    /// A controller on this machine instead of a cluster's; the port is that of its destination service, 8086 if none is given
    #[arg(long, value_name = "IP[:PORT]", conflicts_with_all = ["destination_pod", "kubeconfig", "context", "act_as"])]
    controller: Option<Address>,
    /// Port of the policy service of --controller
    #[arg(long, value_name = "PORT", requires = "controller", default_value_t = port::POLICY)]
    policy_port: u16,
    /// Ask this pod of mesh-destination, to compare replicas
    #[arg(long, value_name = "NAME")]
    destination_pod: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// An IP address with or without a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address(SocketAddr);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self(SocketAddr::new(ip, port::DESTINATION)));
        }
        let expected =
            |_| "expected an IP address, with or without a port: 127.0.0.1:8086".to_owned();
        text.parse().map(Self).map_err(expected)
    }
}

/// The services of a controller, each on a port of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Service {
    /// Destinations and balancing.
    Destination,
    Policy,
}

impl Service {
    fn port(self) -> u16 {
        self.of(port::DESTINATION, port::POLICY)
    }

    fn of<T>(self, destination: T, policy: T) -> T {
        match self {
            Self::Destination => destination,
            Self::Policy => policy,
        }
    }
}

/// A controller that was found.
pub(super) enum Controller {
    /// Addresses of the two services.
    Local(SocketAddr, SocketAddr),
    Pod(Box<Cluster>, PodName),
}

impl ControllerArgs {
    pub(super) async fn find(&self) -> Result<Controller, DiagnosticsError> {
        if let Some(Address(at)) = self.controller {
            let policy = SocketAddr::new(at.ip(), self.policy_port);
            return Ok(Controller::Local(at, policy));
        }
        let cluster = self.cluster.connect().await?;
        let pod = match &self.destination_pod {
            Some(name) => PodName::of(&cluster.pod(&cluster.namespace, name).await?),
            None => cluster.ready_pod("destination").await?,
        };
        Ok(Controller::Pod(Box::new(cluster), pod))
    }
}

impl Controller {
    pub(super) fn cluster(&self) -> Option<&Cluster> {
        match self {
            Self::Local(..) => None,
            Self::Pod(cluster, _) => Some(cluster),
        }
    }

    /// Namespace for names that come without one.
    pub(super) fn default_namespace(&self) -> &str {
        self.cluster()
            .map_or("default", |cluster| &cluster.default_namespace)
    }

    /// A connection to one of its services.
    pub(super) async fn channel(&self, service: Service) -> Result<Channel, DiagnosticsError> {
        let failed = |cause| DiagnosticsError::Connect {
            at: self.at(service),
            cause,
        };
        match self {
            Self::Local(destination, policy) => {
                let tcp = TcpStream::connect(service.of(*destination, *policy)).await;
                let tcp = tcp.map_err(|error| {
                    failed(format!(
                        "{error}; is it running, with a plaintext port on a loopback address?"
                    ))
                })?;
                over(tcp).await.map_err(|error| failed(causes(&error)))
            }
            Self::Pod(cluster, pod) => {
                let stream = cluster.port_forward(pod, service.port()).await?;
                over(stream).await.map_err(|error| failed(causes(&error)))
            }
        }
    }

    fn at(&self, service: Service) -> String {
        match self {
            Self::Local(destination, policy) => service.of(*destination, *policy).to_string(),
            Self::Pod(_, pod) => format!("port {} of pod {pod}", service.port()),
        }
    }

    /// The answer to `question`, in time.
    pub(super) async fn answer<T>(
        &self,
        question: &str,
        service: Service,
        answer: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, DiagnosticsError> {
        let refused = |status: Status| DiagnosticsError::Refused {
            question: question.to_owned(),
            cause: reason(&status),
        };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer.map_err(refused),
            Err(_) => Err(DiagnosticsError::Silent {
                question: question.to_owned(),
                at: self.at(service),
            }),
        }
    }
}

/// The first message of a stream, which is the whole state; the rest are changes.
pub(super) async fn first<T>(
    stream: Result<tonic::Response<tonic::Streaming<T>>, Status>,
) -> Result<T, Status> {
    let message = stream?.into_inner().message().await?;
    message.ok_or_else(|| Status::unavailable("the controller is stopping; ask again"))
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Channel, tonic::transport::Error> {
    let mut stream = Some(stream);
    let connector = tower::service_fn(move |_| {
        let stream = stream.take().map(TokioIo::new);
        async move { stream.ok_or_else(|| io::Error::other("the connection was lost")) }
    });
    Endpoint::from_static("http://mesh-destination")
        .connect_with_connector(connector)
        .await
}

/// The controller's own words for what it knows, the code too for what went wrong.
fn reason(status: &Status) -> String {
    match status.code() {
        Code::NotFound | Code::InvalidArgument => status.message().to_owned(),
        code => {
            let cause = std::error::Error::source(status).map(causes);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{code}: {}{cause}", status.message())
        }
    }
}

fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = chain.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}
