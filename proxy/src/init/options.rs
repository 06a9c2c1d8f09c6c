//! The flags of `mesh-proxy init`: those of Linkerd's proxy-init, so that its
//! injector can start it, and four ways to run.
//!
//! Linkerd logs a wrong port and goes on without it, which leaves a database open
//! to the proxy or a proxy in a loop; here a wrong value stops everything.

use super::ranges::Ranges;
use crate::{
    config,
    process::args::{Args, Flag},
};
use ipnet::IpNet;

/// Ranges in one list, at most, after what touches was joined: more do not fit into
/// one netlink attribute, whose length has 16 bits.
const MAX_RANGES: usize = 500;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) mode: Mode,
    pub(super) interception: Interception,
    /// Seconds for `nf_conntrack_tcp_timeout_close_wait`; as it is without.
    pub(super) close_wait: Option<u32>,
}

/// One of four things to do with the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Apply,
    /// Print them.
    DryRun,
    /// Prove that they are in force.
    Check,
    Remove,
}

/// What is redirected and what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interception {
    /// Where inbound connections go.
    pub(super) inbound_port: u16,
    /// Where outbound connections go.
    pub(super) outbound_port: u16,
    /// Whose connections are the proxy's own.
    pub(super) proxy_uid: u32,
    /// As `proxy_uid`, by group.
    pub(super) proxy_gid: Option<u32>,
    /// Whether IPv6 is intercepted too.
    pub(super) ipv6: bool,
    /// Inbound ports that are; all when empty.
    pub(super) inbound_redirected: Ranges<u16>,
    pub(super) inbound_ignored: Ranges<u16>,
    pub(super) outbound_ignored: Ranges<u16>,
    /// Where inbound connections come from that are not.
    pub(super) subnets_ignored: Vec<IpNet>,
}

/// What is wrong with the command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidOptions {
    #[error("init: unknown argument {0:?}; see mesh-proxy --help")]
    Unknown(String),
    #[error("init: {flag} {value:?}: expected {expected}, for example {flag} {example}")]
    Value {
        flag: String,
        value: String,
        expected: &'static str,
        example: &'static str,
    },
    #[error("init: {flag} has {count} separate ranges, more than {MAX_RANGES}: join some")]
    TooMany { flag: &'static str, count: usize },
    #[error(
        "init: --incoming-proxy-port and --outgoing-proxy-port are both {0}: expected two ports, \
         for example 4143 and 4140"
    )]
    SamePort(u16),
    #[error("init: {0} and {1} exclude each other: expected one of them")]
    TwoModes(&'static str, &'static str),
}

/// A value that is not of its kind.
struct Expected(&'static str, &'static str);

type Parsed<T> = Result<T, Expected>;

/// What was written, before what it means as a whole is known.
#[derive(Default)]
struct Written {
    modes: Vec<Mode>,
    inbound_port: Option<u16>,
    outbound_port: Option<u16>,
    proxy_uid: Option<u32>,
    proxy_gid: Option<u32>,
    ipv4_only: bool,
    redirected: Vec<config::PortSet>,
    inbound_ignored: Option<Vec<config::PortSet>>,
    outbound_ignored: Vec<config::PortSet>,
    subnets_ignored: Vec<IpNet>,
    close_wait: u32,
}

impl Options {
    /// From the arguments after `init`.
    pub(super) fn parse(args: impl Iterator<Item = String>) -> Result<Self, InvalidOptions> {
        let mut args = Args::new(args);
        let mut written = Written::default();
        while let Some(flag) = args.flag() {
            if !written.switch(&flag)? {
                let value = args.value(&flag);
                written.value(&flag, &value)?;
            }
        }
        written.finish()
    }
}

impl Written {
    /// Takes a flag that needs no value; `false` when it is another.
    fn switch(&mut self, flag: &Flag) -> Result<bool, InvalidOptions> {
        let mode = match &*flag.name {
            "--dry-run" | "--simulate" => Some(Mode::DryRun),
            "--check" => Some(Mode::Check),
            "--remove" => Some(Mode::Remove),
            // There is no lock to wait for: the kernel takes one batch after another.
            "--ipv6" | "--use-wait-flag" | "-w" => None,
            _ => return Ok(false),
        };
        let on = match flag.switch() {
            "true" => true,
            "false" => false,
            other => {
                let expected = Expected("true or false", "true");
                return Err(expected.instead_of(flag, other));
            }
        };
        match mode {
            Some(mode) if on => self.modes.push(mode),
            None if flag.name == "--ipv6" => self.ipv4_only = !on,
            _ => {}
        }
        Ok(true)
    }

    fn value(&mut self, flag: &Flag, value: &str) -> Result<(), InvalidOptions> {
        let wrong = |expected: Expected| expected.instead_of(flag, value);
        match &*flag.name {
            "--incoming-proxy-port" | "-p" => self.inbound_port = Some(port(value).map_err(wrong)?),
            "--outgoing-proxy-port" | "-o" => {
                self.outbound_port = Some(port(value).map_err(wrong)?);
            }
            "--proxy-uid" | "-u" => self.proxy_uid = Some(user(value).map_err(wrong)?),
            "--proxy-gid" => self.proxy_gid = Some(user(value).map_err(wrong)?),
            "--ports-to-redirect" | "-r" => self.redirected.push(ports(value).map_err(wrong)?),
            "--inbound-ports-to-ignore" => self
                .inbound_ignored
                .get_or_insert_default()
                .push(ports(value).map_err(wrong)?),
            "--outbound-ports-to-ignore" => {
                self.outbound_ignored.push(ports(value).map_err(wrong)?);
            }
            "--subnets-to-ignore" => self.subnets_ignored.extend(subnets(value).map_err(wrong)?),
            "--timeout-close-wait-secs" => self.close_wait = seconds(value).map_err(wrong)?,
            // Of Linkerd; no other program is run, and there is little to log.
            "--firewall-bin-path" | "--firewall-save-bin-path" | "--log-format" | "--log-level" => {
            }
            name => return Err(InvalidOptions::Unknown(name.to_owned())),
        }
        Ok(())
    }

    fn finish(self) -> Result<Options, InvalidOptions> {
        let mode = match *self.modes {
            [] => Mode::Apply,
            [one, ref others @ ..] => match others.iter().find(|other| **other != one) {
                Some(other) => return Err(InvalidOptions::TwoModes(one.flag(), other.flag())),
                None => one,
            },
        };
        let interception = Interception {
            inbound_port: self.inbound_port.unwrap_or(4143),
            outbound_port: self.outbound_port.unwrap_or(4140),
            proxy_uid: self.proxy_uid.unwrap_or(2102),
            proxy_gid: self.proxy_gid,
            ipv6: !self.ipv4_only,
            inbound_redirected: joined("--ports-to-redirect", &self.redirected)?,
            inbound_ignored: match self.inbound_ignored {
                Some(ignored) => joined("--inbound-ports-to-ignore", &ignored)?,
                // Tap and admin: the kubelet's probes must reach the proxy itself.
                None => [4190..=4191].into_iter().collect(),
            },
            outbound_ignored: joined("--outbound-ports-to-ignore", &self.outbound_ignored)?,
            subnets_ignored: few("--subnets-to-ignore", self.subnets_ignored, Vec::len)?,
        };
        if interception.inbound_port == interception.outbound_port {
            return Err(InvalidOptions::SamePort(interception.inbound_port));
        }
        Ok(Options {
            mode,
            interception,
            close_wait: (self.close_wait > 0).then_some(self.close_wait),
        })
    }
}

impl Mode {
    fn flag(self) -> &'static str {
        match self {
            Self::Apply => "init",
            Self::DryRun => "--dry-run",
            Self::Check => "--check",
            Self::Remove => "--remove",
        }
    }
}

impl Expected {
    fn instead_of(self, flag: &Flag, value: &str) -> InvalidOptions {
        let Self(expected, example) = self;
        InvalidOptions::Value {
            flag: flag.name.clone(),
            value: value.to_owned(),
            expected,
            example,
        }
    }
}

fn port(text: &str) -> Parsed<u16> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or(Expected("a port from 1 to 65535", "4143"))
}

fn user(text: &str) -> Parsed<u32> {
    let id = text.parse().ok().filter(|id| (1..u32::MAX).contains(id));
    id.ok_or(Expected(
        "a number from 1 to 4294967294 (0 would let all of root's traffic pass by)",
        "2102",
    ))
}

fn seconds(text: &str) -> Parsed<u32> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= 86_400);
    seconds.ok_or(Expected("seconds from 0 (as it is) to 86400", "3600"))
}

fn ports(text: &str) -> Parsed<config::PortSet> {
    config::ports(text).ok_or(Expected(
        "ports and ranges of ports (1 to 65535) with commas between",
        "25,587,9000-9002",
    ))
}

fn subnets(text: &str) -> Parsed<Vec<IpNet>> {
    config::networks(text).ok_or(Expected(
        "networks with commas between",
        "10.0.0.0/8,fd00::/8",
    ))
}

fn joined(flag: &'static str, sets: &[config::PortSet]) -> Result<Ranges<u16>, InvalidOptions> {
    let ranges = sets.iter().flat_map(|set| set.ranges().iter().cloned());
    few(flag, ranges.collect(), Ranges::len)
}

fn few<T>(flag: &'static str, list: T, len: fn(&T) -> usize) -> Result<T, InvalidOptions> {
    match len(&list) {
        count if count > MAX_RANGES => Err(InvalidOptions::TooMany { flag, count }),
        _ => Ok(list),
    }
}

#[cfg(test)]
mod tests;
