//! A controller of its own for each test, with clients.

use crate::api_server::ApiServer;
use linkerd2_proxy_api::{
    destination::{GetDestination, destination_client::DestinationClient},
    inbound::{PortSpec, inbound_server_policies_client::InboundServerPoliciesClient},
    outbound::{
        TrafficSpec, outbound_policies_client::OutboundPoliciesClient, traffic_spec::Target,
    },
};
use mesh_controller::{
    Config, Controller, Error, Role, SourceConfig,
    generated::balancing::{WatchRequest, balancing_client::BalancingClient},
};
use mesh_identity::ca;
use std::{fs, future::Future, net::SocketAddr, path::Path, time::Duration};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use tonic::{
    Code, Streaming,
    transport::{Channel, Endpoint},
};

/// Long enough for a busy machine; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running controller.
pub(crate) struct Mesh {
    directory: TempDir,
    destination: SocketAddr,
    policy: SocketAddr,
    admin: SocketAddr,
    injector: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), Error>>,
}

impl Mesh {
    /// Starts a controller on one file of manifests.
    pub(crate) async fn start(manifests: &str) -> Self {
        Self::configured(manifests, |_| ()).await
    }

    /// Starts a controller with other settings.
    pub(crate) async fn configured(manifests: &str, set: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the manifests");
        write(directory.path(), "manifests.yaml", manifests);
        let config = Config::new(directory.path());
        Self::over(config, directory, set).await
    }

    /// Starts a controller on a cluster.
    pub(crate) async fn of_cluster(api: &ApiServer) -> Self {
        let config = Config::new(SourceConfig::Kubernetes(api.access()));
        let unused = tempfile::tempdir().expect("a directory");
        Self::over(config, unused, |_| ()).await
    }

    /// Starts an injector, with trust anchors and the proxy defaults of this text.
    pub(crate) async fn injector(api: &ApiServer, defaults: &str) -> Self {
        let config = Config::new(SourceConfig::Kubernetes(api.access()));
        let directory = tempfile::tempdir().expect("a directory");
        ca::create_root_and_issuer(directory.path(), &ca::Options::default()).expect("a root");
        write(directory.path(), "proxy-defaults.yaml", defaults);
        let file = |name| Some(directory.path().join(name));
        let (anchors, defaults) = (file(ca::TRUST_ANCHORS), file("proxy-defaults.yaml"));
        let set = |config: &mut Config| {
            config.serve = vec![Role::Injector];
            config.trust_anchors = anchors;
            config.proxy_defaults = defaults;
        };
        Self::over(config, directory, set).await
    }

    async fn over(mut config: Config, directory: TempDir, set: impl FnOnce(&mut Config)) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        config.destination_addr = any;
        config.policy_addr = any;
        config.admin_addr = any;
        config.injector_addr = any;
        set(&mut config);
        let controller = Controller::bind(config)
            .await
            .expect("the controller starts");
        let (stop, stopped) = oneshot::channel();
        Self {
            directory,
            destination: controller.destination_addr(),
            policy: controller.policy_addr(),
            admin: controller.admin_addr(),
            injector: controller.injector_addr(),
            stop,
            running: tokio::spawn(controller.run(async {
                let _ = stopped.await;
            })),
        }
    }

    /// Replaces a file, at once as a careful writer does.
    pub(crate) fn write(&self, name: &str, text: &str) {
        write(self.directory.path(), name, text);
    }

    /// Stops the controller and waits for its end.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        let ended = soon(self.running)
            .await
            .expect("the controller does not panic");
        ended.expect("the controller ends well");
    }

    pub(crate) fn destination_addr(&self) -> SocketAddr {
        self.destination
    }

    pub(crate) fn policy_addr(&self) -> SocketAddr {
        self.policy
    }

    pub(crate) fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    pub(crate) fn injector_addr(&self) -> SocketAddr {
        self.injector
    }

    pub(crate) async fn destination(&self) -> DestinationClient<Channel> {
        DestinationClient::new(channel(self.destination).await)
    }

    pub(crate) async fn balancing(&self) -> BalancingClient<Channel> {
        BalancingClient::new(channel(self.destination).await)
    }

    pub(crate) async fn outbound(&self) -> OutboundPoliciesClient<Channel> {
        OutboundPoliciesClient::new(channel(self.policy).await)
    }

    pub(crate) async fn inbound(&self) -> InboundServerPoliciesClient<Channel> {
        InboundServerPoliciesClient::new(channel(self.policy).await)
    }
}

fn write(directory: &Path, name: &str, text: &str) {
    let new = directory.join(format!("{name}.new"));
    fs::write(&new, text).expect("a manifest is written");
    fs::rename(new, directory.join(name)).expect("a manifest is renamed");
}

/// A connection to one of the controller's servers.
pub(crate) async fn channel(addr: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).expect("a proper address");
    soon(endpoint.connect())
        .await
        .expect("the controller takes connections")
}

/// What the future gives, which must be soon.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("nothing came")
}

/// The next message of a stream.
pub(crate) async fn next<T>(stream: &mut Streaming<T>) -> T {
    soon(stream.message())
        .await
        .expect("the stream goes on")
        .expect("the stream goes on")
}

/// The gRPC code of a refusal.
pub(crate) fn refused<T>(result: Result<T, tonic::Status>) -> Code {
    result.err().map_or(Code::Ok, |status| status.code())
}

pub(crate) fn get(path: &str) -> GetDestination {
    get_as(path, "")
}

pub(crate) fn get_as(path: &str, context_token: &str) -> GetDestination {
    GetDestination {
        scheme: "k8s".to_owned(),
        path: path.to_owned(),
        context_token: context_token.to_owned(),
    }
}

/// A target as `IP:PORT` or by name.
pub(crate) fn traffic(target: &str) -> TrafficSpec {
    let target = match target.parse::<SocketAddr>() {
        Ok(address) => Target::Addr(address.into()),
        Err(_) => Target::Authority(target.to_owned()),
    };
    TrafficSpec {
        source_workload: r#"{"ns":"shop","pod":"client"}"#.to_owned(),
        target: Some(target),
    }
}

pub(crate) fn port(workload: &str, port: u32) -> PortSpec {
    PortSpec {
        workload: workload.to_owned(),
        port,
    }
}

pub(crate) fn choice(authority: &str) -> WatchRequest {
    WatchRequest {
        authority: authority.to_owned(),
        context_token: String::new(),
    }
}
