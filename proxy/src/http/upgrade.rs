//! HTTP/1.1 upgrades (WebSocket, CONNECT) end to end.
//!
//! An upgrade turns both connections, the client's and the server's, into
//! bytes. hyper hands over each side when its message exchange is done, so the
//! two are joined in a task of their own that keeps the drain waiting.

use crate::{
    drain,
    transport::splice::{SpliceOptions, splice},
};
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

/// Whether `rsp` switches protocols, for a request with `connect` method or not.
pub fn is_switched<B>(rsp: &Response<B>, connect: bool) -> bool {
    rsp.status() == StatusCode::SWITCHING_PROTOCOLS || connect && rsp.status().is_success()
}

/// Joins the two sides when both are handed over.
pub fn join(client: OnUpgrade, server: OnUpgrade, options: SpliceOptions, drain: drain::Watch) {
    tokio::spawn(async move {
        let _drain = drain;
        let (client, server) = match tokio::try_join!(client, server) {
            Ok(sides) => sides,
            Err(error) => {
                tracing::debug!(%error, "Upgrade failed");
                return;
            }
        };
        let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
        if let Err(error) = splice(&mut client, &mut server, options).await {
            tracing::debug!(%error, "Upgraded connection failed");
        }
    });
}
