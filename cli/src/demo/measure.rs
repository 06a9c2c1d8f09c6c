//! The load under each policy, and what the proxies say afterwards.

use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::{Instant, sleep};

use super::Options;
use super::metrics::{MutualTls, balances_by, mutual_tls};
use super::report::{Identities, PolicyReport, ProxyMemory, Report};
use crate::local::{
    Load, LocalError, Manifests, Policy, Session, SharedStats, Stats, Topology, Workload,
    authority, port, progress, resident,
};

/// Load before each measurement, not counted: the new policy comes into force, connections open, estimates settle.
const WARM_UP: Duration = Duration::from_secs(3);

/// The controller sees a changed manifest, and the proxy hears of it, in much less.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(50);

/// What to measure.
#[derive(Clone, Debug)]
struct Measurement {
    topology: Topology,
    manifests: Manifests,
    /// Name and process id of each proxy.
    proxies: Vec<(String, u32)>,
    duration: Duration,
    rps: u32,
}

/// Puts the client's load on the service of `session` under each policy.
///
/// # Errors
/// A process that ends early, or metrics that cannot be read.
pub(crate) async fn measure(
    session: &mut Session,
    options: &Options,
) -> Result<Report, LocalError> {
    let proxies = Session::proxies().filter_map(|part| Some((part.name(), session.pid(part)?)));
    let measurement = Measurement {
        topology: session.topology(),
        manifests: session.manifests().clone(),
        proxies: proxies.collect(),
        duration: options.duration,
        rps: options.rps,
    };
    session.guard(run(measurement)).await
}

/// Runs the load under each policy in turn.
async fn run(measurement: Measurement) -> Result<Report, LocalError> {
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
    async fn run(&self, policy: Policy) -> Result<Stats, LocalError> {
        self.manifests.set_policy(policy)?;
        progress::step(&format!("Load under {}", policy.name()));
        self.load("warm-up", WARM_UP).await?;
        self.in_force(policy).await?;
        self.load(policy.name(), self.duration).await
    }

    /// Waits until the client's proxy balances by `policy`.
    async fn in_force(&self, policy: Policy) -> Result<(), LocalError> {
        let client = self.topology.client();
        let (name, addr) = (client.proxy_name(), client.addr(port::ADMIN));
        let deadline = Instant::now() + IN_FORCE_WITHIN;
        while !balances_by(policy.name(), &name, addr).await? {
            if Instant::now() >= deadline {
                return Err(LocalError::Policy {
                    name,
                    policy: policy.name(),
                    after: IN_FORCE_WITHIN,
                });
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    async fn load(&self, label: &str, duration: Duration) -> Result<Stats, LocalError> {
        let stats = SharedStats::default();
        let load = Load {
            proxy: self.topology.client().addr(port::OUTBOUND),
            http_authority: authority(port::SERVICE_HTTP),
            grpc_authority: authority(port::APP_GRPC),
            rps: f64::from(self.rps),
        };
        tokio::select! {
            sent = load.run(duration, stats.clone()) => sent.map_err(LocalError::Load)?,
            () = progress::watch(label, duration, stats.clone()) => {}
        }
        let stats = stats.lock();
        Ok(stats.clone())
    }

    /// Bytes as the client's proxy counted them, and each side's identity as the other side verified it.
    async fn mutual_tls(&self) -> Result<(u64, Identities), LocalError> {
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
        let memory = |(name, pid): &(String, u32)| {
            Some(ProxyMemory {
                name: name.clone(),
                rss_bytes: resident(*pid)?,
            })
        };
        self.proxies.iter().filter_map(memory).collect()
    }
}

async fn of_proxy(workload: &Workload) -> Result<MutualTls, LocalError> {
    mutual_tls(&workload.proxy_name(), workload.addr(port::ADMIN)).await
}
