//! Opaque connections to the application.

use super::{Shared, client::Conn};
use crate::{
    http::error::{Kind, ProxyError},
    log::flood::sparsely,
    metrics::Authz,
    transport::{
        connect::{ConnectError, Connection, Session, track},
        io::Io,
        splice::join,
    },
};

/// Forwards `io` to the application as long as policy allows it.
pub(super) async fn forward(shared: &Shared, conn: Conn, io: impl Io) {
    let tcp = shared.metrics.tcp(conn.app, &conn.tls, &conn.server());
    let io = track(io, &tcp);
    let work = async {
        if let Err(error) = conn.allow_connection(&shared.metrics) {
            shared.metrics.tcp_error(error.kind());
            return;
        }
        let Some(app) = connect(shared, &conn).await else {
            return;
        };
        tokio::select! {
            result = join(io, app, shared.settings.splice) => {
                if let Err(error) = result {
                    tracing::debug!(client = %conn.client, %error, "Connection ended");
                }
            }
            () = no_longer_allowed(shared, &conn) => {
                let server = conn.server();
                let metrics = &shared.metrics;
                metrics.tcp_decided(Authz::Terminate, conn.app, &conn.tls, &server, None);
            }
        }
    };
    let _forced = shared.drain.clone().run(work, |_| ()).await;
}

/// A connection to the application; `None`, counted and logged, without one.
async fn connect(shared: &Shared, conn: &Conn) -> Option<Connection> {
    let connector = shared.apps.connector(conn.app);
    let error = match connector.connect(Session::Opaque).await {
        Ok(app) => return Some(app),
        Err(error) => error,
    };
    let kind = match error {
        ConnectError::Loop { .. } => Kind::Loop,
        _ => Kind::Connect,
    };
    let error = ProxyError::new(kind, "connect", conn.app.to_string(), error);
    shared.metrics.tcp_error(error.kind());
    sparsely!(info, client = %conn.client, %error, "Connection failed");
    None
}

/// Resolves when a change of policy forbids the connection.
async fn no_longer_allowed(shared: &Shared, conn: &Conn) {
    let mut policy = conn.policy.clone();
    while policy.changed().await.is_ok() {
        if conn.allow_connection(&shared.metrics).is_err() {
            return;
        }
    }
    // Policy is no longer watched: what was allowed stays so.
    std::future::pending().await
}
