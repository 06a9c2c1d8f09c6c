//! What two hops cost, beside what they cost with other proxies: the parts of `make bench`.
//!
//! A run makes pods in network namespaces (`mesh_integration::pods`), two for each peer: a client's and a server's. The load is made
//! in the client's namespace by this process, so every connection goes the way of an application's: intercepted, through the client's
//! proxy, by mutual TLS to the server's proxy, to the application. Peers take turns within each repetition of each case, because a
//! machine changes more from minute to minute than proxies differ.
//!
//! Start reading at [`run`](mod@run); how to read the results is in `benches/README.md`.
#![forbid(unsafe_code)]

pub mod app;
pub mod args;
pub mod callgrind;
pub mod case;
pub mod controller;
pub mod cost;
pub mod footprint;
pub mod load;
pub mod machine;
pub mod measure;
pub mod peers;
pub mod report;
pub mod run;
pub mod world;
