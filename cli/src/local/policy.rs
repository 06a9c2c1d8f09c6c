//! How a service is balanced.

/// A value of the Service annotation `balancer.mesh.dev/policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Latency-aware: the less loaded and faster of two random replicas.
    PeakEwma,
    /// Every replica in turn, whatever its latency.
    RoundRobin,
}

impl Policy {
    /// In the order in which they run.
    pub const ALL: [Self; 2] = [Self::PeakEwma, Self::RoundRobin];

    /// As in the annotation and in the JSON result.
    pub fn name(self) -> &'static str {
        match self {
            Self::PeakEwma => "peak-ewma",
            Self::RoundRobin => "round-robin",
        }
    }
}
