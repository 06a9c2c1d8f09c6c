//! The controller: from Kubernetes objects to what proxies ask for.
//!
//! ```text
//! source (directory, kubernetes) -> batches of changes -> hub: model behind a lock
//!                                              | one answer per question
//!            Destination, Balancing, policies <-+ shared by all who ask it
//!
//! namespaces -> injector: webhook, its roots, trust bundles
//! ```
//!
//! [`Controller::bind`] reads nothing but opens the listeners; [`Controller::run`]
//! reads the objects, then serves. State is only a cache of the source: any
//! number of controllers can run side by side, and a proxy keeps what it last
//! heard while none does.

#![forbid(unsafe_code)]

mod balancing;
mod config;
mod context;
mod controller;
mod destination;
mod events;
pub mod generated;
mod grpc;
mod hub;
mod identity;
pub mod injector;
mod metrics;
mod model;
mod policy;
mod source;
mod stream;
mod trust_bundle;

pub use config::{Config, Flags, Role, SourceConfig};
pub use controller::{Controller, Error};
pub use identity::{HostPort, IdentityError, IdentitySource, NoHostPort};
pub use metrics::install_metrics;
pub use model::{
    inbound::DefaultPolicy,
    ports::{BadPort, PortSet},
};
pub use source::directory::DirectoryError;

/// How manifests are read: the same for the controller and the command line.
pub mod manifests {
    use crate::source::convert::Convert as _;
    pub use crate::source::directory::{documents, read};
    use k8s_openapi::api::core::v1::Service;

    /// What of a Service the controller can't use, as sentences: annotations that it leaves out, or
    /// the field that makes it unusable.
    #[must_use]
    pub fn service_warnings(service: Service) -> Vec<String> {
        match service.convert() {
            Ok(converted) => converted.warnings,
            Err(invalid) => vec![invalid.to_string()],
        }
    }
}

use std::future::Future;

/// [`Controller::bind`], then [`Controller::run`].
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run(config: Config, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
    Controller::bind(config).await?.run(shutdown).await
}
