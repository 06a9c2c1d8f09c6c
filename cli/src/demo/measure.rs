//! The load under each policy, and what the proxies say afterwards.

use std::time::Duration;

use futures::future::try_join_all;

use super::error::DemoError;
use super::load::{Load, SharedStats, Stats};
use super::manifests::Manifests;
use super::metrics::{MutualTls, mutual_tls};
use super::policy::Policy;
use super::report::{Identities, PolicyReport, ProxyMemory, Report};
use super::topology::{Topology, Workload, authority, port};
use super::{memory, progress};

/// Load before each measurement, not counted: the new policy comes into force, connections open, estimates settle.
const WARM_UP: Duration = Duration::from_secs(3);

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    pub(crate) topology: Topology,
    pub(crate) manifests: Manifests,
    /// Name and process id of each proxy.
    pub(crate) proxies: Vec<(String, u32)>,
    pub(crate) duration: Duration,
    pub(crate) rps: u32,
}

/// Runs the load under each policy in turn.
pub(crate) async fn measure(measurement: Measurement) -> Result<Report, DemoError> {
    let mut runs = Vec::new();
    for policy in Policy::ALL {
        runs.push((policy, measurement.run(policy).await?));
    }
    let (mtls_bytes, identities) = measurement.mutual_tls().await?;
    let replicas = || measurement.topology.replicas().map(|replica| replica.name);
    Ok(Report {
        requests: runs.iter().map(|(_, stats)| stats.total().requests).sum(),
        failures: runs.iter().map(|(_, stats)| stats.total().failures).sum(),
        policies: runs
            .iter()
            .map(|(policy, stats)| PolicyReport::new(*policy, stats, replicas()))
            .collect(),
        identities,
        mtls_bytes,
        proxies: measurement.memory(),
    })
}

impl Measurement {
    async fn run(&self, policy: Policy) -> Result<Stats, DemoError> {
        self.manifests.set_policy(policy)?;
        progress::step(&format!("Load under {}", policy.name()));
        self.load("warm-up", WARM_UP).await?;
        self.load(policy.name(), self.duration).await
    }

    async fn load(&self, label: &str, duration: Duration) -> Result<Stats, DemoError> {
        let stats = SharedStats::default();
        let load = Load {
            proxy: self.topology.client().addr(port::OUTBOUND),
            http_authority: authority(port::SERVICE_HTTP),
            grpc_authority: authority(port::APP_GRPC),
            rps: f64::from(self.rps),
        };
        tokio::select! {
            sent = load.run(duration, stats.clone()) => sent.map_err(DemoError::Load)?,
            () = progress::watch(label, duration, stats.clone()) => {}
        }
        let stats = stats.lock();
        Ok(stats.clone())
    }

    /// Bytes as the client's proxy counted them, and each side's identity as the other side verified it.
    async fn mutual_tls(&self) -> Result<(u64, Identities), DemoError> {
        let client = of_proxy(&self.topology.client()).await?;
        let replicas: Vec<Workload> = self.topology.replicas().collect();
        let servers = try_join_all(replicas.iter().map(of_proxy)).await?;
        let none = || "(none seen)".to_owned();
        let identities = Identities {
            client: servers
                .into_iter()
                .find_map(|server| server.client_id)
                .unwrap_or_else(none),
            server: client.server_id.unwrap_or_else(none),
        };
        Ok((client.bytes, identities))
    }

    fn memory(&self) -> Vec<ProxyMemory> {
        let resident = |(name, pid): &(String, u32)| {
            Some(ProxyMemory {
                name: name.clone(),
                rss_bytes: memory::resident(*pid)?,
            })
        };
        self.proxies.iter().filter_map(resident).collect()
    }
}

async fn of_proxy(workload: &Workload) -> Result<MutualTls, DemoError> {
    mutual_tls(&workload.proxy_name(), workload.addr(port::ADMIN)).await
}
