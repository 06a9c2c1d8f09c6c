//! A mesh inside of a test.
//!
//! A test names its pods, services and faults; each pod has a real proxy
//! ([`mesh_proxy::app::App`]), bound to a loopback address of its own, so tests
//! run beside each other. What the proxies talk to is not ours, so that nothing
//! is proved by our own two sides agreeing: the control plane ([`control`]) and
//! the meshed peer ([`peer`]) are written from `linkerd2-proxy-api`'s generated
//! types and from what linkerd2-proxy was seen to do, clients and servers
//! ([`client`], [`app`]) are hyper, h2 or bytes.
//!
//! ```no_run
//! # async fn test() {
//! use mesh_integration::{Mesh, app};
//! let mesh = Mesh::start().await;
//! let web = mesh.pod("web").app(app::reflect()).start().await;
//! let client = mesh.pod("client").start().await;
//! mesh.service("web.shop.svc.cluster.local:80").endpoints([web.endpoint()]);
//! let rsp = client.get("http://web.shop.svc.cluster.local/hello").await;
//! assert_eq!(rsp.status(), 200);
//! # }
//! ```
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

pub mod app;
mod binaries;
pub mod body;
pub mod ca;
pub mod cache;
pub mod client;
pub mod control;
pub mod framing;
pub mod helm;
pub mod kubernetes;
mod load;
mod mesh;
mod metrics;
pub mod peer;
mod pod;
pub mod pods;
pub mod process;
pub mod raw;
pub mod wait;

pub use ca::Ca;
pub use control::{ControlPlane, Endpoint, Service};
pub use load::Load;
pub use mesh::{Builder, Mesh, Pair, WEB, web};
pub use pod::{Application, Pod, PodBuilder};
pub use raw::Raw;
