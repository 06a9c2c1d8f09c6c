//! Pods of real programs: network namespaces that a test makes itself.
//!
//! What the proxy promises (the application does not know) can only be shown by a kernel that intercepts and by programs that
//! nobody wrote for the occasion. So a run starts itself again inside namespaces of its own (user, network, mount, pid), where it is
//! root over 65 536 uids and nobody outside: no root is needed, copies run beside each other, and when the run ends or crashes the
//! kernel takes everything away with the pid namespace. In there
//!
//! - `/` is a Debian made of packages ([`programs`](self)), so nginx, PostgreSQL and also `ip` and `nft` are always the same;
//! - a [`Cluster`] is a node: a namespace that forwards, answers DNS and does kube-proxy's part by nftables; the control plane and every
//!   [`Pod`] have namespaces of their own, each on a link of its own to the node. Links of their own rather than one bridge: what is
//!   bridged passes the node's rules only with br_netfilter, a setting of the whole machine, and without it the way back of a connection
//!   to a service would miss its translation. It is also how faults hit one pod;
//! - processes are the shipped binaries, each with the uid it has in a cluster (2102 for proxies), so the rules see what they would there.
//!
//! ```no_run
//! use mesh_integration::pods::{Cluster, programs};
//! let cluster = Cluster::start();
//! let web = cluster.pod("web").meshed().run(programs::nginx()).start();
//! cluster.service("web").port(80, 8080).of(&[&web]).create();
//! let client = cluster.pod("client").meshed().start();
//! let said = client.run(["curl", "-sS", "http://web/"]).ok();
//! assert_eq!(said, "nginx says hello\n");
//! ```
//! A test binary hands its tests to [`main`], which also looks at the arguments (they are those of `cargo test`). Another program uses
//! [`place`] and [`start`], with programs of its own choice.

mod apt;
mod cluster;
mod control;
mod dns;
mod enter;
mod faults;
mod identities;
mod interception;
mod manifests;
mod netns;
mod node;
mod pod;
mod process;
mod program;
pub mod programs;
mod proxy;
mod relay;
mod root;
mod service;

pub use cluster::{Builder as ClusterBuilder, Cluster, Families};
pub use enter::{Place, World, main, place, start};
pub use libtest_mimic::Trial;
pub use netns::Netns;
pub use pod::{Pod, PodBuilder};
pub use process::{Output, Process};
pub use program::Program;
pub use proxy::ProxyProgram;
pub use root::built;
pub use service::ServiceBuilder;
pub use wait::{until, until_some};

use crate::wait::blocking as wait;
