//! Who is compared: each with a pod for the client and one for the server, and its proxies between them.
//!
//! Ports are the same for all, so that one set of rules intercepts for all: the application listens on 8080 (HTTP/1.1), 8081 (HTTP/2
//! and gRPC) and 8082 (bytes). Our proxy and Linkerd's find out what is spoken by themselves, from one port; the others are told, by a
//! port for each, which spares them the work: their best configuration.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mesh_integration::pods::{Cluster, Pod, Process, Program};
use rustix::process::Pid;

use crate::case::{Case, Protocol};
use crate::load::Load;

mod app;
mod certificates;
mod configured;
mod meshed;

pub use app::{SIZES, serves};
pub use certificates::Certificates;

/// A way from client to server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub enum Peer {
    /// Without proxies.
    None,
    /// The bare libraries of our proxy (`bin/floor.rs`).
    Floor,
    /// Our proxy, with its control plane.
    Mesh,
    /// HAProxy of Debian.
    Haproxy,
    /// nginx of Debian.
    Nginx,
    /// Envoy of the Python package.
    Envoy,
    /// linkerd2-proxy, with our control plane.
    Linkerd,
}

impl Peer {
    /// All, in the order of tables.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Floor,
        Self::Mesh,
        Self::Haproxy,
        Self::Nginx,
        Self::Envoy,
        Self::Linkerd,
    ];

    /// As in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Floor => "floor",
            Self::Mesh => "mesh",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::Linkerd => "linkerd",
        }
    }

    /// Its program, inside.
    #[must_use]
    pub fn binary(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Floor => Some("/mesh/bin/floor"),
            Self::Mesh => Some("/mesh/bin/mesh-proxy"),
            Self::Haproxy => Some("/usr/sbin/haproxy"),
            Self::Nginx => Some("/usr/sbin/nginx"),
            Self::Envoy => Some("/mesh/bin/envoy"),
            Self::Linkerd => Some("/mesh/bin/linkerd2-proxy"),
        }
    }

    /// Starts its pods.
    #[must_use]
    pub fn start(self, place: &Place<'_>, how: How<'_>) -> Pair {
        match self {
            Self::Mesh | Self::Linkerd => meshed::start(self, place, how),
            _ => configured::start(self, place, how),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where peers are started.
#[derive(Debug)]
pub struct Place<'a> {
    /// Holds the pods.
    pub cluster: &'a Cluster,
    /// For those without an identity service.
    pub certificates: &'a Certificates,
}

/// What tells the pods of one peer apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct How<'a> {
    /// After the peer's name in theirs.
    pub tag: &'a str,
    /// A command that its proxies run under, such as valgrind.
    pub under: &'a str,
}

/// The pods of a peer, running.
#[derive(Debug)]
pub struct Pair {
    /// Where the load is made.
    pub client: Pod,
    /// Where the application is.
    pub server: Pod,
    /// The client's proxy and the server's; none without proxies.
    pub proxies: Vec<Arc<Process>>,
    /// From starting the client's proxy to its readiness.
    pub start_up: Option<Duration>,
    target: IpAddr,
    host: String,
}

impl Pair {
    /// The load of a case, on this pair.
    #[must_use]
    pub fn load(&self, case: Case, warmup: Duration, window: Duration) -> Load {
        let port = match case.protocol {
            Protocol::Http1 => 8080,
            Protocol::Http2 | Protocol::Grpc => 8081,
            Protocol::Tcp => 8082,
        };
        Load {
            target: SocketAddr::new(self.target, port),
            authority: format!("{}:{port}", self.host),
            case,
            warmup,
            window,
        }
    }

    /// The processes whose cost counts.
    #[must_use]
    pub fn pids(&self) -> Vec<Pid> {
        self.proxies.iter().map(|proxy| proxy.id()).collect()
    }

    /// What its proxies have said; for when something failed.
    #[must_use]
    pub fn logs(&self) -> String {
        let logs = self.proxies.iter().map(|proxy| proxy.log());
        logs.collect::<Vec<_>>().join("\n")
    }

    /// Ends all its processes.
    pub fn end(self) {
        self.client.end();
        self.server.end();
    }
}

/// The proxies' uid, which interception exempts.
const PROXY_UID: u32 = 2102;

/// A program that runs as a proxy does.
fn proxy_program(script: &str) -> Program {
    Program::new("proxy", script).uid(PROXY_UID)
}

/// Lets many short connections follow each other in a pod: what closed ones leave behind is otherwise kept for minutes.
fn prepare(pod: &Pod) {
    let settings = [
        // Above every port that something listens on.
        ("ipv4/ip_local_port_range", "10000 65535"),
        ("core/somaxconn", "4096"),
        ("ipv4/tcp_max_syn_backlog", "4096"),
        ("netfilter/nf_conntrack_tcp_timeout_time_wait", "1"),
        ("netfilter/nf_conntrack_tcp_timeout_close", "1"),
    ];
    pod.netns().within(|| {
        for (name, value) in settings {
            // Not all kernels let a user namespace set all of them; they only matter for churn.
            std::fs::write(format!("/proc/sys/net/{name}"), value).ok();
        }
    });
}
