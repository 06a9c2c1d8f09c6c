//! What one process of the controller does.

/// A part of the control plane that a controller can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Destinations, balancing and policies, for proxies.
    Destination,
    /// The injection webhook and the trust bundles of namespaces; in a cluster.
    Injector,
}
