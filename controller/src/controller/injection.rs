//! The role `injector`: the webhook, and what pods with a proxy need in their namespace.
//!
//! Any number of replicas may run it, of different versions too, and none is the
//! leader. Each write is one that all of them would make, so a repeated one changes
//! nothing: the trust bundle is a server-side apply of the same text, the webhook
//! configuration is changed only where one's own roots are missing (with the version
//! that was read, so that no change of another is lost), and each injection is told of
//! by the one replica that was asked. A Lease would add a way to fail (a holder that
//! lives and does not work) and a wait after each crash, to save a few requests.

use super::{Bound, Error, readiness::Readiness};
use crate::{
    config::Config,
    events::Recorder,
    injector::{
        self,
        certificate::Rotation,
        defaults::Defaults,
        live::Live,
        namespaces::{self, Namespaces},
        registration::{self, Registration},
        webhook::Webhook,
    },
    source::kubernetes::Kubernetes,
    trust_bundle::Keeper,
};
use mesh_identity::{TrustBundle, trust};
use rustls::ServerConfig;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{sync::watch, task::JoinSet};

/// How long the webhook goes on after it is told to stop: API servers hear from
/// their Service only after a moment that it is gone.
const LINGER: Duration = Duration::from_secs(3);

/// The webhook, bound.
pub(super) struct Injection {
    kubernetes: Kubernetes,
    webhook: Bound,
    tls: Arc<ServerConfig>,
    rotation: Rotation,
    install: injector::Config,
    defaults: Option<Defaults>,
    anchors: Option<TrustBundle>,
}

impl Injection {
    pub(super) async fn bind(config: &Config, kubernetes: Kubernetes) -> Result<Self, Error> {
        let mut install = injector::Config::of(config);
        let mut defaults = config.proxy_defaults.as_deref().map(Defaults::new);
        if let Some(defaults) = &mut defaults {
            install.install = defaults.read(&install)?;
        }
        let anchors = config.trust_anchors.as_ref();
        let anchors = anchors.map(|file| TrustBundle::watch_file(file, trust::POLL_INTERVAL));
        let name = format!(
            "{}.{}.svc",
            registration::SERVICE,
            config.identity_namespace
        );
        let rotation = Rotation::start(&name, SystemTime::now())?;
        Ok(Self {
            kubernetes,
            webhook: Bound::new("injector", config.injector_addr).await?,
            tls: rotation.server_config()?,
            rotation,
            install,
            defaults,
            anchors: anchors.transpose()?,
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.webhook.addr
    }

    /// Serves until a moment after `stop`.
    pub(super) async fn run(self, readiness: Readiness, mut stop: watch::Receiver<bool>) {
        let client = self.kubernetes.client();
        let namespaces = Namespaces::default();
        let own_namespace = self.install.namespace.clone();
        // Dropped, and so aborted, when this function returns.
        let mut tasks = JoinSet::new();
        let (events, writer) = Recorder::new(client.clone(), "mesh-injector");
        tasks.spawn(writer.run());
        let cluster = Live {
            namespaces: namespaces.clone(),
            events,
        };
        let webhook = Webhook::new(self.install, cluster);
        readiness.wait_for(namespaces::PART);
        tasks.spawn(namespaces.clone().run(self.kubernetes, readiness.clone()));
        if let Some(defaults) = self.defaults {
            tasks.spawn(defaults.follow(webhook.config(), readiness.clone()));
        }
        match self.anchors {
            Some(anchors) => {
                let meshed = namespaces.meshed();
                let keeper = Keeper::new(client.clone(), anchors, own_namespace, meshed);
                tasks.spawn(keeper.run());
            }
            None => tracing::warn!("Without --trust-anchors no namespace gets a trust bundle"),
        }
        let bundles = watch::Sender::new(self.rotation.bundle());
        let registration = Registration::new(client, bundles.subscribe(), readiness);
        tasks.spawn(registration.run());
        tasks.spawn(self.rotation.run(bundles));
        tracing::info!(injector = %self.webhook.addr, "Serving the injection webhook");
        tasks.spawn(webhook.serve(self.webhook.listener, self.tls));

        let _ = stop.wait_for(|stop| *stop).await;
        tokio::time::sleep(LINGER).await;
    }
}
