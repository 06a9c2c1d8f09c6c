//! How a mesh on this machine is to be.

use std::path::PathBuf;
use std::time::Duration;

use super::app::behaviour;
use super::policy::Policy;
use super::topology::Topology;

/// Everything that the demo and the benches have differently.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses.
    pub topology: Topology,
    /// The `mesh` binary, which every process is.
    pub program: PathBuf,
    /// How the service is balanced at first.
    pub policy: Policy,
    /// What the replica with this number does with its requests.
    pub replica: fn(u8) -> behaviour::Settings,
    /// Certificates of the workloads.
    pub certificates: Certificates,
    /// How long a proxy waits for its requests when it stops.
    pub grace_period: Duration,
}

#[cfg(test)]
impl Settings {
    pub(crate) fn for_tests() -> Self {
        Self {
            topology: Topology::new("127.0.1".parse().unwrap()),
            program: "mesh".into(),
            policy: Policy::PeakEwma,
            replica: |_| behaviour::Settings {
                base: Duration::from_millis(1),
                tail: Duration::ZERO,
                failure_rate: 0.0,
                seed: 0,
            },
            certificates: Certificates::default(),
            grace_period: Duration::from_secs(2),
        }
    }
}

/// How long certificates are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// From the moment of issue.
    pub lifetime: Duration,
    /// Added before and after, for clocks that differ.
    pub clock_skew: Duration,
    /// A proxy asks for a new one at most this often.
    pub min_refresh: Duration,
}

impl Default for Certificates {
    /// As the identity service and the proxy have it by default.
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(86_400),
            clock_skew: Duration::from_secs(20),
            min_refresh: Duration::from_secs(10),
        }
    }
}
