//! The mesh of a test: a CA, a control plane, loopback addresses for pods.

use crate::{Ca, ControlPlane, Pod, PodBuilder, Service, ca::AUDIENCE, pod::Application};
use mesh_identity::{issuer::Validity, token::local::LocalTokenKey};
use std::{
    net::Ipv4Addr,
    path::PathBuf,
    process,
    sync::{
        Once,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

/// A mesh with nothing in it yet.
pub struct Mesh {
    /// Signs the workloads' certificates.
    pub ca: Ca,
    /// Says what the test wants.
    pub control: ControlPlane,
    tokens: LocalTokenKey,
    dir: TempDir,
}

/// A client and a server, `web`, each behind its proxy.
pub struct Pair {
    /// What both are in.
    pub mesh: Mesh,
    /// The pod whose application is the service `web`.
    pub server: Pod,
    /// The pod that calls it.
    pub client: Pod,
    /// The service, whose one endpoint is the server.
    pub web: Service,
}

/// How to start a [`Mesh`].
pub struct Builder {
    ca: Ca,
    validity: Validity,
}

impl Mesh {
    /// A mesh with certificates of a day.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A mesh with something special.
    pub fn builder() -> Builder {
        Builder {
            ca: Ca::new(),
            validity: Validity::default(),
        }
    }

    /// A pod whose service account is `name`, in namespace `shop`.
    pub fn pod(&self, name: &str) -> PodBuilder<'_> {
        PodBuilder::new(self, name)
    }

    /// The service `authority` (`web.shop.svc.cluster.local:80`).
    pub fn service(&self, authority: &str) -> Service {
        self.control.service(authority)
    }

    /// A file with a token of service account `sa`.
    pub(crate) fn token(&self, sa: &str) -> PathBuf {
        let day = Duration::from_secs(24 * 3600);
        let token = self.tokens.sign("shop", sa, AUDIENCE, day).unwrap();
        let path = self.dir.path().join(format!("{sa}.token"));
        std::fs::write(&path, token).unwrap();
        path
    }

    /// A path for a file that lives as long as the mesh.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// The authority of the service of a [`Pair`].
pub const WEB: &str = "web.shop.svc.cluster.local:80";

impl Pair {
    /// Starts both, with `app` as the server's application.
    pub async fn start(app: Application) -> Self {
        let mesh = Mesh::start().await;
        let server = mesh.pod("web").app(app).start().await;
        let client = mesh.pod("client").start().await;
        Self::of(mesh, server, client)
    }

    /// Both are there; makes the service known.
    pub fn of(mesh: Mesh, server: Pod, client: Pod) -> Self {
        let web = mesh.service(WEB);
        web.endpoints([server.endpoint()]);
        Self {
            mesh,
            server,
            client,
            web,
        }
    }
}

/// A URI of the service of a [`Pair`].
pub fn web(path: &str) -> String {
    format!("http://web.shop.svc.cluster.local{path}")
}

impl Builder {
    /// Certificates live so long, without a margin for clocks.
    #[must_use]
    pub fn certificate_life(mut self, lifetime: Duration) -> Self {
        self.validity = Validity {
            lifetime,
            clock_skew: Duration::ZERO,
        };
        self
    }

    /// Starts it.
    pub async fn start(self) -> Mesh {
        log();
        let tokens = LocalTokenKey::generate().unwrap();
        Mesh {
            control: ControlPlane::start(&self.ca, &tokens, self.validity).await,
            ca: self.ca,
            tokens,
            dir: tempfile::tempdir().unwrap(),
        }
    }
}

/// A loopback address that no other test uses, in this process or another, so
/// that a port a test has closed stays closed.
pub(crate) fn address() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [host, net] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let process = u8::try_from(process::id() % 250).unwrap_or(0) + 2;
    Ipv4Addr::new(127, process, host, net)
}

/// `RUST_LOG=mesh_proxy=debug` shows what the proxies log.
fn log() {
    use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let wish = std::env::var("RUST_LOG").unwrap_or_default();
        if let Ok(targets) = wish.parse::<Targets>() {
            tracing_subscriber::registry()
                .with(fmt::layer().with_ansi(false).with_test_writer())
                .with(targets)
                .init();
        }
    });
}
