//! Names to addresses, with bounds on how long an answer is used.
//!
//! hickory-resolver does the work, reading the system's configuration and hosts
//! file. It stands behind the trait [`Resolve`] because what matters here (SRV
//! before addresses, one stale record among good ones, expiry) cannot be tested
//! against somebody's DNS server.

use super::config::DnsConfig;
use futures::future::{BoxFuture, FutureExt as _};
use hickory_resolver::{
    Resolver as Hickory, TokioResolver,
    config::{LookupIpStrategy, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::RData,
    system_conf,
};
use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Looks names up.
pub trait Resolve: Send + Sync + 'static {
    /// The service records of `name`, best priority first.
    fn srv<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Answers<Srv>, DnsError>>;

    /// The addresses of `name`, IPv4 first.
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Answers<IpAddr>, DnsError>>;
}

/// A resolver shared by everything in the process.
pub type SharedResolver = Arc<dyn Resolve>;

/// Records of a name; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers<T> {
    /// The records.
    pub records: Vec<T>,
    /// How long they may be used.
    pub valid_for: Duration,
}

/// A service record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// The host that serves.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Why a name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The name does not exist, or has no record of the kind asked for.
    #[error("{0} is unknown to DNS")]
    NotFound(String),
    /// No server gave an answer.
    #[error("DNS did not answer for {name}: {reason}")]
    Failed {
        /// The name asked for.
        name: String,
        /// What the resolver says.
        reason: String,
    },
    /// The resolver's configuration can't be used.
    #[error("could not read the DNS configuration {}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Resolves by the system's configuration.
#[derive(Clone)]
pub struct SystemResolver {
    hickory: TokioResolver,
    config: DnsConfig,
}

impl SystemResolver {
    /// Reads `config.resolv_conf`, or the system's. A system without any gets a
    /// resolver that knows the hosts file alone: a proxy on a laptop needs no DNS.
    ///
    /// # Errors
    /// [`DnsError::Config`] when a file that was asked for can't be used.
    pub fn new(config: DnsConfig) -> Result<Self, DnsError> {
        let (servers, options) = match &config.resolv_conf {
            None => system_conf::read_system_conf().unwrap_or_else(|error| {
                tracing::warn!(%error, "No DNS configuration; only the hosts file is used");
                (ResolverConfig::default(), ResolverOpts::default())
            }),
            Some(path) => std::fs::read(path)
                .map_err(NetError::from)
                .and_then(system_conf::parse_resolv_conf)
                .map_err(|error| DnsError::Config {
                    path: path.clone(),
                    reason: error.to_string(),
                })?,
        };
        Self::with_servers(config, servers, options)
    }

    fn with_servers(
        config: DnsConfig,
        servers: ResolverConfig,
        mut options: ResolverOpts,
    ) -> Result<Self, DnsError> {
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.positive_min_ttl = Some(config.min_ttl);
        options.positive_max_ttl = Some(config.max_ttl);
        options.negative_max_ttl = Some(config.max_ttl);
        // One answer per host is enough, and less to keep.
        options.cache_size = 256;
        let provider = TokioRuntimeProvider::default();
        let hickory = Hickory::builder_with_config(servers, provider)
            .with_options(options)
            .build()
            .map_err(|error| DnsError::Config {
                path: config.resolv_conf.clone().unwrap_or_default(),
                reason: error.to_string(),
            })?;
        Ok(Self { hickory, config })
    }

    fn answers<T>(
        &self,
        name: &str,
        records: Vec<T>,
        valid_until: Instant,
    ) -> Result<Answers<T>, DnsError> {
        if records.is_empty() {
            return Err(DnsError::NotFound(name.to_owned()));
        }
        let ttl = valid_until.saturating_duration_since(Instant::now());
        Ok(Answers {
            records,
            valid_for: bounded(ttl, &self.config),
        })
    }
}

impl Resolve for SystemResolver {
    fn srv<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Answers<Srv>, DnsError>> {
        async move {
            let found = self.hickory.srv_lookup(name).await;
            let found = found.map_err(|error| failure(name, &error))?;
            let mut records: Vec<_> = found
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::SRV(srv) => Some(srv),
                    _ => None,
                })
                .collect();
            records.sort_by_key(|srv| srv.priority);
            let record = |srv: &hickory_resolver::proto::rr::rdata::SRV| Srv {
                host: srv.target.to_utf8(),
                port: srv.port,
            };
            let records = records.into_iter().map(record).collect();
            self.answers(name, records, found.valid_until().into())
        }
        .boxed()
    }

    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Answers<IpAddr>, DnsError>> {
        async move {
            let found = self.hickory.lookup_ip(name).await;
            let found = found.map_err(|error| failure(name, &error))?;
            let mut records: Vec<_> = found.iter().collect();
            records.sort_by_key(|ip| ip.is_ipv6());
            self.answers(name, records, found.as_lookup().valid_until().into())
        }
        .boxed()
    }
}

/// hickory bounds what it caches, but not what it reads from the hosts file.
fn bounded(ttl: Duration, config: &DnsConfig) -> Duration {
    ttl.min(config.max_ttl).max(config.min_ttl)
}

fn failure(name: &str, error: &NetError) -> DnsError {
    if error.is_no_records_found() {
        return DnsError::NotFound(name.to_owned());
    }
    DnsError::Failed {
        name: name.to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
