//! Which endpoint a request goes to, and what happens while there is none.
//!
//! A [`Balancer`] holds the endpoints of one service. It is pure: no sockets and no tasks; the time and the random
//! numbers are arguments, so a simulator or a test runs exactly the code that runs in the proxy.
//!
//! # The three parts
//! - **Load** (`load.rs`): what a request to an endpoint is likely to cost now. Requests in flight, a peak-EWMA of
//!   the time to the first byte, and a penalty for recent failures. A [`Pick`] (and the [`InFlight`] inside it)
//!   counts its request for as long as it lives, so a cancelled request can't leak load.
//! - **Pick** (`pick.rs`): the choice among the endpoints whose [`Gate`] is open: power of two choices by load or by
//!   requests in flight, smooth weighted round robin, or weighted random.
//! - **Update** (`endpoint.rs`): discovery's view applied as a difference. An endpoint whose key and metadata are
//!   unchanged keeps its service (its connections) and its load estimate; a new weight alone keeps both too.
//!
//! Around them, [`Balance`] is a `tower` service that dispatches requests to the picked endpoint, and lets them wait
//! in a bounded queue while no endpoint is ready.
//!
//! # Adding a policy
//! Add a variant to [`Policy`], a file in `pick/` with one function that takes the endpoint set and returns an open
//! endpoint of it, and an arm in `Picker::pick`. State that belongs to an endpoint goes into `Endpoint` (it lives as
//! long as the endpoint does), state of the policy into the `Picker`. A policy that only ranks endpoints differently
//! is a cost function for `pick/p2c.rs`.
//!
//! # Example
//! ```
//! use mesh_balancer::{Balancer, Config, Outcome, Target, Update};
//! use rand::{SeedableRng, rngs::SmallRng};
//! use tokio::time::Instant;
//!
//! let balancer = Balancer::new(Config::default());
//! let targets = vec![Target::new("10.0.0.1:80", ()), Target::new("10.0.0.2:80", ())];
//! balancer.update(Update::Reset(targets), |key, _meta, _gate| format!("client of {key}"));
//!
//! let mut rng = SmallRng::seed_from_u64(1);
//! let mut pick = balancer.pick(Instant::now(), &mut rng)?;
//! assert!(pick.starts_with("client of 10.0.0."));
//! pick.first_byte(Instant::now(), Outcome::Success);
//! pick.complete();
//! # Ok::<(), mesh_balancer::Unavailable>(())
//! ```
#![forbid(unsafe_code)]

mod balancer;
mod config;
mod endpoint;
mod gate;
mod load;
mod observe;
mod pick;
mod queue;
mod service;

pub use self::{
    balancer::{Balancer, EndpointStatus, Unavailable},
    config::{Config, Policy},
    endpoint::{Target, Update},
    gate::Gate,
    load::{InFlight, Outcome},
    observe::{Observer, UpdateKind},
    pick::Pick,
    queue::{QueueConfig, QueueError},
    service::{Balance, BalanceError, BalanceFuture, OnResponse, Track, Unsent},
};
