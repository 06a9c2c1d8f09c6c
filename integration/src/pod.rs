//! A workload with its proxy.

use crate::{
    Endpoint, Mesh, ca,
    client::{Http1, Http2},
    control::Policy,
    mesh::address,
    raw::Raw,
    wait::soon,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::Response;
use mesh_proxy::{
    app::App, config::Config, drain::Drained, metrics::Metrics, transport::orig_dst::OriginalDst,
};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

/// An application: serves what its listener accepts.
pub type Application = Box<dyn FnOnce(TcpListener) -> BoxFuture<'static, ()> + Send>;

/// How to start a [`Pod`].
pub struct PodBuilder<'a> {
    mesh: &'a Mesh,
    name: String,
    app: Option<Application>,
    settings: BTreeMap<String, String>,
    intercept_inbound: bool,
    outbound_to: Option<SocketAddr>,
}

/// A running proxy and, if it has one, its application.
pub struct Pod {
    identity: String,
    workload: String,
    app: SocketAddr,
    inbound: SocketAddr,
    outbound: SocketAddr,
    metrics: Metrics,
    stop: Option<oneshot::Sender<()>>,
    proxy: Option<JoinHandle<Drained>>,
    serving: Option<JoinHandle<()>>,
}

/// Stands for netfilter: every connection was meant for this address.
#[derive(Debug)]
struct MeantFor(Option<SocketAddr>);

impl OriginalDst for MeantFor {
    fn original_dst(&self, _: &TcpStream, _: SocketAddr) -> Option<SocketAddr> {
        self.0
    }
}

impl<'a> PodBuilder<'a> {
    pub(crate) fn new(mesh: &'a Mesh, name: &str) -> Self {
        Self {
            mesh,
            name: name.into(),
            app: None,
            settings: BTreeMap::new(),
            intercept_inbound: false,
            outbound_to: None,
        }
    }

    /// Runs this application.
    #[must_use]
    pub fn app(mut self, app: Application) -> Self {
        self.app = Some(app);
        self
    }

    /// Changes a setting of the proxy; `name` without prefix.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.settings
            .insert(format!("MESH_PROXY_{name}"), value.to_string());
        self
    }

    /// Connections to the inbound port are as if netfilter had redirected them
    /// from the application's port.
    #[must_use]
    pub fn intercepting(mut self) -> Self {
        self.intercept_inbound = true;
        self
    }

    /// Connections to the outbound port are as if netfilter had redirected them
    /// from `addr`.
    #[must_use]
    pub fn redirecting(mut self, addr: SocketAddr) -> Self {
        self.outbound_to = Some(addr);
        self
    }

    /// Starts application and proxy; done when the proxy has its certificate.
    pub async fn start(self) -> Pod {
        let ip = address();
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let app = listener.local_addr().unwrap();
        let workload = format!(r#"{{"ns":"shop","pod":"{}-{}"}}"#, self.name, app.port());
        let mut vars = self.vars(&workload, SocketAddr::from((ip, 0)));
        vars.insert("MESH_PROXY_INBOUND_PORTS".into(), app.port().to_string());
        vars.extend(self.settings);
        let config = Config::from_vars(&vars).unwrap_or_else(|error| panic!("{error}"));
        let metrics = Metrics::new(config.metrics);
        let proxy = App::build(config, metrics.clone()).unwrap().redirected_by(
            Arc::new(MeantFor(self.intercept_inbound.then_some(app))),
            Arc::new(MeantFor(self.outbound_to)),
        );
        let (inbound, outbound) = (proxy.inbound_addr(), proxy.outbound_addrs()[0]);
        let mut ready = proxy.ready();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or(()) };
            proxy.run(stopped).await.unwrap()
        });
        let certified = ready.wait_for(|ready| *ready);
        soon("a certificate", certified).await.unwrap();
        Pod {
            identity: ca::identity(&self.name),
            workload,
            app,
            inbound,
            outbound,
            metrics,
            stop: Some(stop),
            proxy: Some(running),
            serving: self.app.map(|serve| tokio::spawn(serve(listener))),
        }
    }

    fn vars(&self, workload: &str, any_port: SocketAddr) -> BTreeMap<String, String> {
        let control = self.mesh.control.addr().to_string();
        let any_port = any_port.to_string();
        let token = self.mesh.token(&self.name).display().to_string();
        [
            ("IDENTITY_SVC_ADDR", control.clone()),
            ("DESTINATION_SVC_ADDR", control.clone()),
            ("POLICY_SVC_ADDR", control),
            ("IDENTITY_LOCAL_NAME", ca::identity(&self.name)),
            ("IDENTITY_TRUST_ANCHORS", self.mesh.ca.anchors()),
            ("IDENTITY_TOKEN_FILE", token),
            ("IDENTITY_MIN_REFRESH", "100ms".into()),
            ("POLICY_WORKLOAD", workload.into()),
            ("DESTINATION_CONTEXT", workload.into()),
            ("INBOUND_LISTEN_ADDR", any_port.clone()),
            ("OUTBOUND_LISTEN_ADDR", any_port.clone()),
            ("ADMIN_LISTEN_ADDR", any_port),
            ("CONTROL_EXP_BACKOFF_MIN", "20ms".into()),
            ("CONTROL_EXP_BACKOFF_MAX", "100ms".into()),
            ("OUTBOUND_CONNECT_EXP_BACKOFF_MIN", "20ms".into()),
            ("OUTBOUND_CONNECT_EXP_BACKOFF_MAX", "100ms".into()),
        ]
        .map(|(name, value)| (format!("MESH_PROXY_{name}"), value))
        .into()
    }
}

impl Pod {
    /// The proxy's identity.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Where the application listens.
    pub fn app_addr(&self) -> SocketAddr {
        self.app
    }

    /// The proxy's inbound port.
    pub fn inbound_addr(&self) -> SocketAddr {
        self.inbound
    }

    /// The proxy's outbound port.
    pub fn outbound_addr(&self) -> SocketAddr {
        self.outbound
    }

    /// The pod as an endpoint: reached at its inbound port, with a transport header.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::meshed(self.app, self.identity.clone()).via(self.inbound.port())
    }

    /// The pod as an endpoint that is reached by interception (which the pod has
    /// to be started with): the address is the proxy's, and it is redirected.
    pub fn intercepted_endpoint(&self) -> Endpoint {
        Endpoint::meshed(self.inbound, self.identity.clone())
    }

    /// What the proxy has counted in lines that have all of these parts.
    pub fn counted(&self, parts: &[&str]) -> f64 {
        let text = self.metrics.render();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Says the policy of the application's port.
    pub fn policy(&self, mesh: &Mesh, policy: Policy) {
        mesh.control.policy(&self.workload, self.app.port(), policy);
    }

    /// A connection of the application to its proxy, as bytes.
    pub async fn raw(&self) -> Raw {
        Raw::connect(self.outbound).await
    }

    /// An HTTP/1 connection of the application to its proxy.
    pub async fn http1(&self) -> Http1 {
        Http1::connect(self.outbound).await
    }

    /// An HTTP/2 connection of the application to its proxy.
    pub async fn http2(&self) -> Http2 {
        Http2::connect(self.outbound).await
    }

    /// One GET on a connection of its own, with `uri` in absolute form.
    pub async fn get(&self, uri: &str) -> Response<Bytes> {
        self.http1().await.get(uri).await
    }

    /// A tunnel to `authority` by CONNECT.
    pub async fn tunnel(&self, authority: &str) -> Raw {
        let mut raw = self.raw().await;
        raw.send(format!(
            "CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n"
        ))
        .await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        raw
    }

    /// Tells the proxy to stop, as SIGTERM does.
    pub fn stop(&mut self) {
        self.stop.take();
    }

    /// Waits until the proxy has stopped.
    pub async fn stopped(&mut self) -> Drained {
        let proxy = self.proxy.take().expect("it is waited for once");
        soon("the proxy to stop", proxy).await.unwrap()
    }

    /// Kills the application; its port refuses connections from then on.
    pub async fn kill_app(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// Starts an application on the same port.
    pub async fn restart_app(&mut self, app: Application) {
        let listener = TcpListener::bind(self.app).await.unwrap();
        self.serving = Some(tokio::spawn(app(listener)));
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // The application outlives the test otherwise, in the runtime's last turn.
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}
