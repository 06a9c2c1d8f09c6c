//! Each message as a controller sends it, and what is wrong with a bad one.

mod endpoint;
mod inbound;
mod outbound;
