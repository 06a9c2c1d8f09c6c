//! A real Kubernetes of one node, made and removed by the ring.
//!
//! What `mesh` promises to a platform team (admission, token reviews, native sidecars, rolling restarts, evictions) is decided by
//! Kubernetes' own code, so that is what has to run: the real API server, controller manager, scheduler, kubelet, kube-proxy and CoreDNS,
//! built from their Go modules, on Debian's etcd, containerd and runc. kind and k3d would need Docker and images from a registry.
//!
//! The run starts itself again in namespaces of its own (network, mount, pid), where the test binary is process 1. That is what makes
//! it leave nothing behind and lets runs work beside each other: everything that Kubernetes scatters over a machine (`/var/lib/kubelet`,
//! `/run/containerd`, pods' network namespaces, mounts, shims that outlive containerd) goes with the namespaces, however the run ends.
//! What is left over is a tree of empty cgroups and one folder, which the same run or the next one removes.
//!
//! ```no_run
//! use mesh_integration::kubernetes::{Cluster, scenario};
//!
//! async fn answers(cluster: Cluster) {
//!     let space = cluster.space("shop").await;
//!     space.apply("kind: Deployment ...").await;
//!     space.rolled_out("web").await;
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     mesh_integration::kubernetes::main(vec![scenario("answers", answers)])
//! }
//! ```

mod archive;
mod capture;
mod cluster;
mod debian;
mod dockerfile;
mod exec;
mod external;
mod forward;
pub(crate) mod golang;
mod images;
mod isolation;
mod leftovers;
mod manifests;
mod mesh;
mod node;
mod report;
mod ring;
mod scenario;
mod shell;
mod space;
mod tools;

pub use capture::Capture;
pub use cluster::Cluster;
pub use exec::Output;
pub use mesh::{Mesh, PROXY};
pub use ring::main;
pub use scenario::{Scenario, exclusive, scenario};
pub use space::Space;
