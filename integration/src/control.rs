//! A control plane that says what the test wants.
//!
//! Written from the generated types of `linkerd2-proxy-api` and the recorded
//! answers of Linkerd's controllers; it shares no code with ours. What is said
//! can change while proxies listen, and the whole process can be killed (every
//! connection breaks at once) and started again on the same address.

mod destination;
mod inbound;
mod outbound;
mod serve;
mod state;

pub use inbound::{Authz, Policy};
pub use state::{Endpoint, Service};

use crate::Ca;
use linkerd2_proxy_api::identity::identity_server::IdentityServer;
use mesh_identity::{issuer::Validity, service::Certify, token::local::LocalTokenKey};
use parking_lot::Mutex;
use state::ServiceState;
use std::{collections::HashMap, net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// The control plane of a test.
pub struct ControlPlane {
    shared: Arc<Shared>,
    addr: SocketAddr,
    running: Mutex<Option<JoinHandle<()>>>,
}

/// What it knows.
struct Shared {
    services: Mutex<HashMap<String, watch::Sender<ServiceState>>>,
    /// Endpoints by their own addresses.
    pods: Mutex<HashMap<String, Endpoint>>,
    /// By workload and port.
    policies: Mutex<HashMap<(String, u16), watch::Sender<Policy>>>,
    identity: Mutex<IdentityServer<Certify>>,
    /// Connections accepted so far.
    connections: watch::Sender<usize>,
}

impl ControlPlane {
    /// Starts on a port of its own.
    pub(crate) async fn start(ca: &Ca, tokens: &LocalTokenKey, validity: Validity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            services: Mutex::default(),
            pods: Mutex::default(),
            policies: Mutex::default(),
            identity: Mutex::new(ca.service(tokens, validity).into_server()),
            connections: watch::Sender::new(0),
        });
        let running = tokio::spawn(serve::serve(listener, shared.clone()));
        Self {
            shared,
            addr,
            running: Mutex::new(Some(running)),
        }
    }

    /// Where all its services are.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The service `authority`, made known if it is not yet.
    pub fn service(&self, authority: &str) -> Service {
        let mut services = self.shared.services.lock();
        let state = services
            .entry(authority.into())
            .or_insert_with(|| watch::Sender::new(ServiceState::new(authority)));
        Service::new(state.clone())
    }

    /// Answers for the address `addr` (a cluster IP) as for `service`.
    pub fn address(&self, addr: SocketAddr, service: &Service) {
        let mut services = self.shared.services.lock();
        services.insert(addr.to_string(), service.state().clone());
    }

    /// Knows the address of `endpoint` as that of a pod.
    pub fn pod(&self, endpoint: Endpoint) {
        let mut pods = self.shared.pods.lock();
        pods.insert(endpoint.addr.to_string(), endpoint);
    }

    /// Says the inbound policy of a workload's port, from now on.
    pub fn policy(&self, workload: &str, port: u16, policy: Policy) {
        self.shared.policy(workload, port).send_replace(policy);
    }

    /// Ends every connection and listens no more.
    pub async fn kill(&self) {
        let running = self.running.lock().take();
        if let Some(running) = running {
            running.abort();
            let _ = running.await;
        }
    }

    /// Listens again, at the same address and with the same knowledge.
    pub async fn restart(&self) {
        let listener = TcpListener::bind(self.addr).await.unwrap();
        let running = tokio::spawn(serve::serve(listener, self.shared.clone()));
        *self.running.lock() = Some(running);
    }

    /// How many connections it has accepted so far.
    pub fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }
}

impl Shared {
    /// What is known of an authority or address.
    fn watch(&self, target: &str) -> Option<watch::Receiver<ServiceState>> {
        self.services
            .lock()
            .get(target)
            .map(watch::Sender::subscribe)
    }

    fn policy(&self, workload: &str, port: u16) -> watch::Sender<Policy> {
        let mut policies = self.policies.lock();
        policies
            .entry((workload.into(), port))
            .or_insert_with(|| watch::Sender::new(Policy::all_unauthenticated()))
            .clone()
    }
}
