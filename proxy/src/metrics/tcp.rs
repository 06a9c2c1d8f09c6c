//! Connections and bytes.

use super::{
    Metrics,
    labels::{Direction, Labels, Peer},
    names,
    registry::Registry,
    table::Table,
};
use crate::transport::io::CountBytes;
use ::metrics::{Counter, Gauge};
use rustix::io::Errno;
use std::{io, sync::Arc};

/// Connections with one kind of peer.
#[derive(Debug)]
pub struct TcpMetrics {
    /// Bytes read from the peer.
    pub read: Counter,
    /// Bytes written to the peer.
    pub write: Counter,
    opened: Counter,
    open: Gauge,
    closed: Table<&'static str, Counter>,
    labels: Labels,
    registry: Arc<Registry>,
}

/// One open connection; counted as closed when dropped.
#[derive(Debug)]
#[must_use = "the connection counts as closed when this is dropped"]
pub struct TcpOpen {
    metrics: Arc<TcpMetrics>,
    errno: &'static str,
}

/// Bytes to and from endpoints, by how far away they are.
#[derive(Clone, Debug)]
pub struct TransferCost {
    /// Bytes received.
    pub recv: Counter,
    /// Bytes sent.
    pub send: Counter,
}

impl Metrics {
    /// Connections of `direction` with `peer`, told apart by `labels`.
    pub fn tcp(&self, direction: Direction, peer: Peer, labels: &Labels) -> Arc<TcpMetrics> {
        let labels = labels.clone().direction(direction).peer(peer);
        let registry = &self.registry;
        Arc::new(TcpMetrics {
            read: registry.counter(&names::TCP_READ, &labels),
            write: registry.counter(&names::TCP_WRITE, &labels),
            opened: registry.counter(&names::TCP_OPEN, &labels),
            open: registry.gauge(&names::TCP_OPEN_NOW, &labels),
            closed: Table::default(),
            registry: registry.clone(),
            labels,
        })
    }

    /// Bytes exchanged with endpoints of `zone_locality` (`Local`, `Remote`, `Unknown`).
    pub fn transfer_cost(&self, zone_locality: &'static str) -> TransferCost {
        let labels = Labels::new().with("zone_locality", zone_locality);
        let counter = |op| {
            let labels = labels.clone().with("op", op);
            self.registry.counter(&names::TRANSFER_COST, &labels)
        };
        TransferCost {
            recv: counter("Recv"),
            send: counter("Send"),
        }
    }
}

impl TcpMetrics {
    /// Counts a connection as open until the result is dropped.
    pub fn opened(self: &Arc<Self>) -> TcpOpen {
        self.opened.increment(1);
        self.open.increment(1);
        TcpOpen {
            metrics: self.clone(),
            errno: "",
        }
    }
}

impl CountBytes for TcpMetrics {
    fn read(&self, bytes: u64) {
        self.read.increment(bytes);
    }

    fn written(&self, bytes: u64) {
        self.write.increment(bytes);
    }
}

impl TcpOpen {
    /// Counts the connection as closed, by `error` if there was one.
    pub fn close(mut self, error: Option<&io::Error>) {
        self.errno = error.map_or("", errno);
    }

    /// The connection's handles.
    pub fn metrics(&self) -> &Arc<TcpMetrics> {
        &self.metrics
    }
}

impl Drop for TcpOpen {
    fn drop(&mut self) {
        let (metrics, errno) = (&self.metrics, self.errno);
        metrics.open.decrement(1);
        let make = || {
            let labels = metrics.labels.clone().with("errno", errno);
            metrics.registry.counter(&names::TCP_CLOSE, &labels)
        };
        metrics.closed.with(errno, make, |count| count.increment(1));
    }
}

/// The label `errno` of an error: the system's name for it, where there is one.
pub fn errno(error: &io::Error) -> &'static str {
    const NAMES: [(Errno, &str); 13] = [
        (Errno::CONNRESET, "ECONNRESET"),
        (Errno::CONNREFUSED, "ECONNREFUSED"),
        (Errno::CONNABORTED, "ECONNABORTED"),
        (Errno::PIPE, "EPIPE"),
        (Errno::TIMEDOUT, "ETIMEDOUT"),
        (Errno::NOTCONN, "ENOTCONN"),
        (Errno::HOSTUNREACH, "EHOSTUNREACH"),
        (Errno::NETUNREACH, "ENETUNREACH"),
        (Errno::ADDRNOTAVAIL, "EADDRNOTAVAIL"),
        (Errno::ADDRINUSE, "EADDRINUSE"),
        (Errno::MFILE, "EMFILE"),
        (Errno::NFILE, "ENFILE"),
        (Errno::NOBUFS, "ENOBUFS"),
    ];
    if let Some(code) = Errno::from_io_error(error) {
        let known = NAMES.iter().find(|(errno, _)| *errno == code);
        return known.map_or("OTHER", |(_, name)| name);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "UNEXPECTED_EOF",
        io::ErrorKind::ConnectionReset => "ECONNRESET",
        io::ErrorKind::BrokenPipe => "EPIPE",
        io::ErrorKind::TimedOut => "ETIMEDOUT",
        io::ErrorKind::InvalidData => "INVALID_DATA",
        _ => "OTHER",
    }
}
