//! A meshed peer.
