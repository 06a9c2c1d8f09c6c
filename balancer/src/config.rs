//! How a balancer balances: the choice of a policy and its constants.

use crate::load::Params;
use std::time::Duration;

/// How a balancer balances.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// How an endpoint is chosen.
    pub policy: Policy,
}

/// How an endpoint is chosen among the ready ones. All policies honour weights.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// The one of two random endpoints with the lower expected latency, as in Linkerd and Finagle.
    PeakEwma {
        /// The latency presumed of endpoints before the first answer of any of them. Linkerd: 30 ms.
        default_rtt: Duration,
        /// In what time a latency estimate falls to 1/e without samples. Linkerd: 10 s.
        decay: Duration,
        /// By how many times the typical latency of the service a failing endpoint costs more, at most; zero for no
        /// penalty. It fades to a tenth in 3.5 s.
        failure_penalty: f64,
    },
    /// All in turn, smoothly by weight.
    RoundRobin,
    /// The one of two random endpoints with fewer requests in flight.
    LeastRequest,
    /// Any.
    Random,
}

impl Policy {
    /// The names of all policies, as users write them and metrics show them.
    pub const NAMES: [&str; 4] = ["peak-ewma", "round-robin", "least-request", "random"];

    /// This policy's place in [`Self::NAMES`].
    pub fn index(&self) -> usize {
        match self {
            Self::PeakEwma { .. } => 0,
            Self::RoundRobin => 1,
            Self::LeastRequest => 2,
            Self::Random => 3,
        }
    }
}

impl Default for Policy {
    /// Peak-EWMA with Linkerd's 30 ms and 10 s, and a penalty of at most 10 typical latencies.
    fn default() -> Self {
        let (default_rtt, decay) = (Duration::from_millis(30), Duration::from_secs(10));
        Self::PeakEwma {
            default_rtt,
            decay,
            failure_penalty: 10.0,
        }
    }
}

impl Policy {
    /// The load is estimated whatever the policy, so that every snapshot shows it.
    pub(crate) fn params(&self) -> Params {
        match *self {
            Self::PeakEwma {
                default_rtt,
                decay,
                failure_penalty,
            } => Params {
                default_rtt: default_rtt.as_secs_f64(),
                decay: decay.as_secs_f64().max(f64::MIN_POSITIVE),
                // Also makes zero of a NaN.
                failure_penalty: failure_penalty.max(0.0),
            },
            _ => Self::default().params(),
        }
    }
}
