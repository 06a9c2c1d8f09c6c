//! The proxy's settings, from the environment.
//!
//! Linkerd's names, units and defaults hold, so that its injector, charts and
//! habits carry over (each name is `MESH_PROXY_NAME`, else `LINKERD2_PROXY_NAME`).
//! We differ where a default is known to hurt: detection waits 3 s instead of
//! 10 s, and everything that a client controls has a limit. `docs/config.md`
//! lists every setting; a test keeps it true.
//!
//! [`Config::from_vars`] reads everything before it fails, and its error names
//! each wrong variable, what was expected, and an example. There is one small
//! function per section; the types say what the rest of the proxy needs, not how
//! it was written.

mod control;
mod direction;
mod env;
mod h2;
mod inbound;
mod outbound;
mod ports;
mod process;
mod value;

pub use direction::DirectionConfig;
pub use env::{Problem, Setting, Vars};
pub use h2::{H2ClientSettings, H2ServerSettings, H2Settings};
pub use inbound::InboundConfig;
pub use outbound::OutboundConfig;
pub use ports::PortSet;
pub use process::{AdminConfig, LogConfig, LogFormat, MetricsConfig};

use crate::{
    control::{ControlConfig, DnsConfig},
    discovery::DiscoveryConfig,
    identity::IdentityConfig,
};
use ipnet::IpNet;
use std::{fmt, net::SocketAddr, num::NonZeroUsize, time::Duration};

/// All settings of a proxy. `Debug` prints what `/config` does: nothing secret.
#[derive(Clone)]
pub struct Config {
    /// Traffic to the application.
    pub inbound: InboundConfig,
    /// Traffic of the application.
    pub outbound: OutboundConfig,
    /// The admin server.
    pub admin: AdminConfig,
    /// Who this proxy is.
    pub identity: IdentityConfig,
    /// The destination service: targets and endpoints.
    pub destination: ControlConfig,
    /// The policy service.
    pub policy: ControlConfig,
    /// What discovery asks, assumes and keeps.
    pub discovery: DiscoveryConfig,
    /// How names are resolved.
    pub dns: DnsConfig,
    /// `SHUTDOWN_GRACE_PERIOD`: how long open work may take to finish.
    pub shutdown_grace_period: Duration,
    /// Runtimes to run, one thread each.
    pub cores: NonZeroUsize,
    /// What is logged, and how.
    pub log: LogConfig,
    /// What is counted, and for how long.
    pub metrics: MetricsConfig,
    /// Every setting as it is in force, for `/config`.
    pub settings: Settings,
    /// Variables with our prefix that are no setting; to be warned about.
    pub unknown: Vec<String>,
}

/// Every setting as it is in force, in the order read. Prints one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(pub Vec<Setting>);

/// Settings that are missing or wrong, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig(pub Vec<Problem>);

impl std::error::Error for InvalidConfig {}

/// The environment of this process. What is no UTF-8 is replaced by a character
/// that no setting takes.
pub fn process_vars() -> Vars {
    let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
    let vars = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    vars.collect()
}

/// `ADMIN_LISTEN_ADDR` alone, for who only wants to ask the proxy something.
///
/// # Errors
/// When it is wrong.
pub(crate) fn admin_addr(vars: &Vars) -> Result<SocketAddr, InvalidConfig> {
    let mut env = env::Env::new(vars);
    let addr = process::admin_listen(&mut env);
    match env.problems.is_empty() {
        true => Ok(addr),
        false => Err(InvalidConfig(env.problems)),
    }
}

/// Reads a duration as settings are written.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    value::Value::parse(text)
}

/// Reads ports and ranges of ports as settings are written.
pub(crate) fn ports(text: &str) -> Option<PortSet> {
    value::Value::parse(text)
}

/// Reads networks as settings are written.
pub(crate) fn networks(text: &str) -> Option<Vec<IpNet>> {
    value::Value::parse(text)
}

impl Config {
    /// Reads the process environment.
    ///
    /// # Errors
    /// [`InvalidConfig`] names every setting that is missing or wrong.
    pub fn from_env() -> Result<Self, InvalidConfig> {
        Self::from_vars(&process_vars())
    }

    /// Reads `vars`.
    ///
    /// # Errors
    /// As [`Self::from_env`].
    pub fn from_vars(vars: &Vars) -> Result<Self, InvalidConfig> {
        let mut env = env::Env::new(vars);
        let env = &mut env;
        let windows = h2::windows(env);
        let inbound = InboundConfig::read(env, windows);
        let outbound = OutboundConfig::read(env, windows);
        let admin = AdminConfig::read(env);
        let client = control::ClientSettings::read(env);
        let identity = control::identity(env, &client);
        let destination = client.service(env, "DESTINATION_SVC");
        let policy = client.service(env, "POLICY_SVC");
        let discovery = control::discovery(env, &inbound, &outbound);
        let dns = control::dns(env);
        let shutdown_grace_period = process::shutdown_grace_period(env);
        let cores = process::cores(env);
        let log = LogConfig::read(env);
        let metrics = MetricsConfig::read(env);
        let (Some(identity), Some(destination), Some(policy), Some(discovery), true) = (
            identity,
            destination,
            policy,
            discovery,
            env.problems.is_empty(),
        ) else {
            return Err(InvalidConfig(std::mem::take(&mut env.problems)));
        };
        Ok(Self {
            inbound,
            outbound,
            admin,
            identity,
            destination,
            policy,
            discovery,
            dns,
            shutdown_grace_period,
            cores,
            log,
            metrics,
            unknown: env.unknown(),
            settings: Settings(std::mem::take(&mut env.settings)),
        })
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config:\n{}", self.settings)
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "1 setting is wrong:")?,
            many => write!(f, "{many} settings are wrong:")?,
        }
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Setting {
            name,
            value,
            source,
            ..
        } in &self.0
        {
            let source = source.as_deref().unwrap_or("default");
            writeln!(f, "{name}={value} ({source})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
