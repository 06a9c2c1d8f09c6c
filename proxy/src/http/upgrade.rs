//! HTTP/1.1 upgrades (WebSocket, CONNECT) end to end.
//!
//! An upgrade turns both connections, the client's and the server's, into
//! bytes. hyper hands over each side when its message exchange is done, so the
//! two are joined in a task of their own that keeps the drain waiting, for as
//! long as its grace period.

use super::server::ServerIo;
use crate::{
    drain,
    transport::{
        connect::Connection,
        io::{BoxIo, Io, Prefixed},
        splice::{self, SpliceOptions},
    },
};
use http::{Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;

/// Whether `rsp` switches protocols, for a request with `connect` method or not.
pub fn is_switched<B>(rsp: &Response<B>, connect: bool) -> bool {
    rsp.status() == StatusCode::SWITCHING_PROTOCOLS || connect && rsp.status().is_success()
}

/// Joins the two sides when both are handed over.
pub fn join(client: OnUpgrade, server: OnUpgrade, options: SpliceOptions, drain: drain::Watch) {
    let work = async move {
        let (client, server) = match tokio::try_join!(client, server) {
            Ok(sides) => sides,
            Err(error) => {
                tracing::debug!(%error, "Upgrade failed");
                return;
            }
        };
        if let Err(error) = splice::join(bytes(client), bytes(server), options).await {
            tracing::debug!(%error, "Upgraded connection failed");
        }
    };
    tokio::spawn(async move {
        let _forced = drain.run(work, |_| ()).await;
    });
}

/// The connection itself, without what hyper put around it: a hyper upgrade can't
/// be reset.
pub fn bytes(upgraded: Upgraded) -> BoxIo {
    let upgraded = match upgraded.downcast::<TokioIo<ServerIo>>() {
        Ok(parts) => return BoxIo::new(Prefixed::new(parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<Connection>>() {
        Ok(parts) => BoxIo::new(Prefixed::new(parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => BoxIo::new(TokioIo::new(upgraded)),
    }
}

/// A stream of an HTTP/2 connection, which is not ours to reset.
impl Io for TokioIo<Upgraded> {
    fn reset_on_drop(&self) {}
}
