//! A mesh on this machine: a control plane, a client and five replicas, each behind its own proxy, as processes of this binary.
//!
//! `mesh demo` shows it to people and `mesh-bench` lets its parts fail; both need the same processes, identities, manifests and load,
//! so these are here, and what either does with them is its own.

pub(crate) mod app;
mod error;
mod http_get;
mod identities;
mod load;
mod manifests;
mod memory;
mod policy;
mod ports;
pub(crate) mod process;
pub mod progress;
mod proxy_env;
mod ready;
mod session;
mod settings;
mod specs;
mod topology;

pub use app::behaviour::Settings as ReplicaSettings;
pub use error::LocalError;
pub(crate) use http_get::get_over;
pub use http_get::{GetError, get};
pub use load::{Count, Load, Pacer, Schedule, SharedStats, Stats};
pub(crate) use manifests::Manifests;
pub use memory::resident;
pub use policy::Policy;
pub use ports::Owner;
pub use session::Session;
pub use settings::{Certificates, Settings};
pub use specs::Part;
pub(crate) use topology::{MESH_NAMESPACE, TRUST_DOMAIN, replica_name};
pub use topology::{Network, REPLICAS, Topology, Workload, authority, port};

/// The arguments of one process of each kind.
#[cfg(test)]
pub(crate) fn child_arguments(dir: &std::path::Path) -> Vec<Vec<std::ffi::OsString>> {
    let settings = Settings::for_tests();
    let identities = identities::Identities::create(dir, settings.topology).unwrap();
    let folders = specs::Folders {
        identities: &identities,
        manifests: dir,
    };
    [
        Part::Identity,
        Part::Controller,
        Part::App(0),
        Part::Proxy(0),
    ]
    .map(|part| part.spec(&settings, &folders).args)
    .into()
}
