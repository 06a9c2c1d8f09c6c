//! Connections of a load, made before it begins: setting them up is not what is measured, unless it is.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Load, LoadError, PATIENCE, Shared, http1, http2, tcp};
use crate::case::Protocol;

/// Made at a time; more would overflow queues.
const AT_ONCE: usize = 64;
/// How often one is tried, and the time between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// One of any protocol.
pub(super) enum Connection {
    Http1(http1::Connection),
    Http2(http2::Connection),
    Tcp(tcp::Connection),
}

impl Connection {
    /// A connection that has had a request answered, so that proxies are connected behind it as well.
    async fn open(load: &Load) -> Result<Self, LoadError> {
        Ok(match load.case.protocol {
            Protocol::Http1 => {
                let mut connection = http1::Connection::open(load).await?;
                connection.exchange(load).await?;
                Self::Http1(connection)
            }
            Protocol::Http2 | Protocol::Grpc => {
                let connection = http2::Connection::open(load).await?;
                connection.exchange(load).await?;
                Self::Http2(connection)
            }
            Protocol::Tcp => Self::Tcp(tcp::Connection::open(load).await?),
        })
    }

    /// As [`Self::open`], tried again: a thousand handshakes at once are more than some have the patience for.
    async fn open_at_last(load: &Load) -> Result<Self, LoadError> {
        for _ in 1..ATTEMPTS {
            if let Ok(Ok(connection)) = tokio::time::timeout(PATIENCE, Self::open(load)).await {
                return Ok(connection);
            }
            tokio::time::sleep(PAUSE).await;
        }
        match tokio::time::timeout(PATIENCE, Self::open(load)).await {
            Ok(result) => result,
            Err(_) => Err(LoadError::Answer(format!("no answer within {PATIENCE:?}"))),
        }
    }

    /// Starts what sends on it.
    pub(super) fn work(self, shared: &Rc<Shared>, workers: &mut JoinSet<()>) {
        match self {
            Self::Http1(connection) => {
                workers.spawn_local(http1::work(connection, shared.clone()));
            }
            Self::Http2(connection) => {
                for _ in 0..shared.load.case.streams {
                    workers.spawn_local(http2::work(connection.clone(), shared.clone()));
                }
            }
            Self::Tcp(connection) => {
                workers.spawn_local(tcp::work(connection, shared.clone()));
            }
        }
    }
}

/// All connections of a load, ready to be used.
pub(super) async fn open(load: &Load) -> Result<Vec<Connection>, LoadError> {
    let mut connections = Vec::with_capacity(load.case.connections);
    while connections.len() < load.case.connections {
        let count = AT_ONCE.min(load.case.connections - connections.len());
        let batch = (0..count).map(|_| Connection::open_at_last(load));
        connections.extend(futures::future::try_join_all(batch).await?);
    }
    Ok(connections)
}
