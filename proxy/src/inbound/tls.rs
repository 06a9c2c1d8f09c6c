//! Ending the peers' mutual TLS, and reading what a connection is for.

use super::{Shared, client::PeerTls};
use crate::transport::{
    header::{self, TransportHeader},
    io::Io,
};
use std::{net::SocketAddr, sync::Arc};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

impl Shared {
    /// Ends TLS; `None` after a handshake that failed, which is logged.
    pub(super) async fn terminate<I: Io>(
        &self,
        io: I,
        client: SocketAddr,
        config: Arc<rustls::ServerConfig>,
    ) -> Option<(PeerTls, TlsStream<I>)> {
        let limit = self.settings.handshake_timeout;
        match timeout(limit, TlsAcceptor::from(config).accept(io)).await {
            Ok(Ok(io)) => {
                let (_, session) = io.get_ref();
                let identity = session
                    .peer_certificates()
                    .and_then(mesh_identity::peer_identity);
                let tls = identity.map_or(PeerTls::Anonymous, |id| PeerTls::Identified(id.into()));
                Some((tls, io))
            }
            Ok(Err(error)) => {
                self.metrics.tls_failed();
                tracing::info!(%client, %error, "TLS handshake failed");
                None
            }
            Err(_) => {
                self.metrics.tls_timed_out();
                tracing::info!(%client, ?limit, "TLS handshake timed out");
                None
            }
        }
    }

    /// Reads the transport header. It needs a client with an identity that
    /// announced it: anyone else has no business with this port.
    pub(super) async fn transport_header<I: Io>(
        &self,
        io: &mut TlsStream<I>,
        client: SocketAddr,
        tls: &PeerTls,
    ) -> Option<TransportHeader> {
        if tls.identity().is_none() {
            return self.refuse_direct(client, "no client certificate");
        }
        let session = io.get_ref().1;
        if session.server_name() != Some(self.tls.name()) {
            return self.refuse_direct(client, "it asks for another name");
        }
        if session.alpn_protocol() != Some(header::ALPN) {
            return self.refuse_direct(client, "no transport header was announced");
        }
        match TransportHeader::read(io, self.settings.handshake_timeout).await {
            Ok(header) if header.name.is_some() => {
                tracing::info!(%client, name = ?header.name, "Connection refused: this proxy is no gateway");
                None
            }
            Ok(header) => Some(header),
            Err(error) => {
                tracing::info!(%client, %error, "Transport header is broken");
                None
            }
        }
    }

    fn refuse_direct(&self, client: SocketAddr, reason: &'static str) -> Option<TransportHeader> {
        self.metrics.identity_required();
        tracing::info!(
            %client,
            reason,
            "Connection to the inbound port refused: it needs mutual TLS and a transport header"
        );
        None
    }
}
