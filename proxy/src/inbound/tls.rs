//! Ending the peers' mutual TLS, and reading what a connection is for.

use super::{Shared, client::PeerTls};
use crate::{
    log::flood::sparsely,
    transport::{
        header::{self, TransportHeader},
        io::{Io, ReadAhead},
    },
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
    ) -> Option<(PeerTls, TlsStream<ReadAhead<I>>)> {
        let limit = self.settings.handshake_timeout;
        match timeout(limit, TlsAcceptor::from(config).accept(ReadAhead::new(io))).await {
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
                sparsely!(info, %client, %error, "TLS handshake failed");
                None
            }
            Err(_) => {
                self.metrics.tls_timed_out();
                sparsely!(info, %client, ?limit, "TLS handshake timed out");
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
        if let Some(reason) = self.not_direct(io, tls) {
            self.metrics.identity_required();
            reason.log(client);
            return None;
        }
        match TransportHeader::read(io, self.settings.handshake_timeout).await {
            Ok(header) if header.name.is_some() => {
                sparsely!(info, %client, name = ?header.name, "Connection refused: this proxy is no gateway");
                None
            }
            Ok(header) => Some(header),
            Err(error) => {
                sparsely!(info, %client, %error, "Transport header is broken");
                None
            }
        }
    }

    /// Why a connection to the inbound port itself is refused.
    fn not_direct<I: Io>(&self, io: &TlsStream<I>, tls: &PeerTls) -> Option<NotDirect> {
        let session = io.get_ref().1;
        if tls.identity().is_none() {
            Some(NotDirect::Unidentified)
        } else if session.server_name() != Some(self.tls.name()) {
            Some(NotDirect::OtherName)
        } else if session.alpn_protocol() != Some(header::ALPN) {
            Some(NotDirect::NoHeader)
        } else {
            None
        }
    }
}

/// The inbound port itself is for mutual TLS and a transport header.
#[derive(Clone, Copy, Debug)]
enum NotDirect {
    Unidentified,
    OtherName,
    NoHeader,
}

impl NotDirect {
    fn log(self, client: SocketAddr) {
        match self {
            Self::Unidentified => {
                sparsely!(info, %client, "Connection to the inbound port refused: no client certificate");
            }
            Self::OtherName => {
                sparsely!(info, %client, "Connection to the inbound port refused: it asks for another name");
            }
            Self::NoHeader => {
                sparsely!(info, %client, "Connection to the inbound port refused: no transport header was announced");
            }
        }
    }
}
