//! The address of a name, asked for again when it expires.

use crate::{
    control::{Backoff, DnsError, SharedResolver, backoff::Delays},
    policy::NameAddr,
};
use rand::rngs::SmallRng;
use std::net::SocketAddr;
use tokio::time::{Instant, sleep_until};

/// Follows a name through DNS.
pub(super) struct Follow {
    name: NameAddr,
    dns: SharedResolver,
    delays: Delays<SmallRng>,
    current: Option<SocketAddr>,
    due: Instant,
}

impl Follow {
    /// Starts with a query; failures are followed by another after `retry`.
    pub(super) fn new(name: NameAddr, dns: SharedResolver, retry: Backoff) -> Self {
        Self {
            name,
            dns,
            delays: retry.delays_from_entropy(),
            current: None,
            due: Instant::now(),
        }
    }

    /// The next answer, when the last one has expired. The address stays the same
    /// as long as the name has it, and while DNS does not answer at all; else it is
    /// the first one, IPv4 before IPv6. Can be cancelled; the query is made again.
    pub(super) async fn next(&mut self) -> Result<SocketAddr, DnsError> {
        sleep_until(self.due).await;
        match self.dns.addresses(self.name.host()).await {
            Ok(answers) => {
                self.delays.reset();
                self.due = Instant::now() + answers.valid_for;
                let port = self.name.port();
                let addr = |ip| SocketAddr::new(ip, port);
                let kept = self
                    .current
                    .filter(|addr| answers.records.contains(&addr.ip()));
                let first = answers.records.first().copied().map(addr);
                self.current = kept.or(first);
                self.current
                    .ok_or_else(|| DnsError::NotFound(self.name.to_string()))
            }
            Err(error) => {
                self.due = Instant::now() + self.delays.next_delay();
                if matches!(error, DnsError::NotFound(_)) {
                    self.current = None;
                }
                self.current.ok_or(error)
            }
        }
    }
}
