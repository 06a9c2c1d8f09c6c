//! What the controller costs at scale: the parts of `make bench-controller`.
//!
//! The real process, with a cluster of 2 000 Services and 20 000 Pods and 2 000 proxies, none of which exist: an API server that makes
//! the objects up as they are asked for ([`api_server`]), and clients that open the streams a proxy opens and read them
//! ([`watcher`]). All on one machine and over loopback, so times include the work of the clients; processor time and memory are the
//! controller's alone.
//!
//! Start reading at [`run`](mod@run); how to read the results is in `benches/README.md`.

pub mod api_server;
pub mod args;
pub mod board;
pub mod changes;
pub mod cluster;
pub mod pod;
pub mod process;
pub mod report;
pub mod run;
pub mod template;
pub mod watcher;
pub mod webhook;
