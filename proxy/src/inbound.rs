//! The inbound path: what peers send, to the application.
//!
//! A connection was either meant for the application and redirected here, or
//! made to this port by a meshed proxy, which then says in a transport header
//! what it is for. Both end in the same place: a port with a policy, a client
//! with or without an identity, and bytes or requests that policy allows or
//! does not. This file is the path on one screen, in the order a connection
//! travels; the steps are in `inbound/`.

pub mod app;
mod client;
mod demand;
pub mod http;
pub mod metrics;
mod policy;
pub mod tcp;
mod tls;

pub use self::{client::PeerTls, demand::Demands};

use self::{app::Apps, client::Conn, metrics::InboundMetrics};
use crate::{
    detect::{Detected, detect},
    discovery::Discovery,
    drain,
    http::{Version, client::ClientSettings, server::ServerSettings},
    limits::Limit,
    log::flood::sparsely,
    policy::ServerProtocol,
    tls::Tls,
    transport::{
        connect::track,
        header::SessionProtocol,
        io::{BoxIo, Io, Prefixed},
        listener::{Accepted, SocketOptions},
        splice::SpliceOptions,
    },
};
use std::{collections::HashSet, net::IpAddr, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::Instant};

/// What the inbound path is configured with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our own addresses; a redirected connection to another is refused. Empty
    /// allows all.
    pub ips: HashSet<IpAddr>,
    /// Our own listeners, both ways: nothing a peer sends is for them. A peer
    /// that reached one through here would come from our own address.
    pub listeners: Arc<[SocketAddr]>,
    /// What ports demand of clients before policy is asked.
    pub demands: Demands,
    /// For a TLS handshake and a transport header.
    pub handshake_timeout: Duration,
    /// For a connection to the application.
    pub connect_timeout: Duration,
    /// Sockets to the application.
    pub connect: SocketOptions,
    /// Limits on HTTP from peers.
    pub server: ServerSettings,
    /// HTTP to the application.
    pub client: ClientSettings,
    /// Opaque connections.
    pub splice: SpliceOptions,
    /// How long an application's client is kept after its last use.
    pub idle: Duration,
}

/// What the inbound path is made of.
pub struct Parts {
    /// Limits and timeouts.
    pub settings: Settings,
    /// Policy of our ports.
    pub discovery: Discovery,
    /// Our identity.
    pub tls: Tls,
    /// All numbers.
    pub metrics: InboundMetrics,
    /// Requests in work.
    pub in_flight: Limit,
    /// Held by each connection.
    pub drain: drain::Watch,
}

/// Serves peers' connections; clones are the same.
#[derive(Clone)]
pub struct Inbound(Arc<Shared>);

struct Shared {
    settings: Settings,
    discovery: Discovery,
    tls: Tls,
    apps: Apps,
    metrics: InboundMetrics,
    in_flight: Limit,
    drain: drain::Watch,
}

impl Inbound {
    /// The inbound path over these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared {
            apps: Apps::new(&parts.settings, parts.metrics.clone()),
            settings: parts.settings,
            discovery: parts.discovery,
            tls: parts.tls,
            metrics: parts.metrics,
            in_flight: parts.in_flight,
            drain: parts.drain,
        }))
    }

    /// Serves one accepted connection to its end.
    pub async fn serve(self, accepted: Accepted) {
        let Accepted {
            stream,
            client,
            local,
            orig_dst,
            permit,
        } = accepted;
        match orig_dst {
            Some(dst) => self.intercepted(stream, client, dst).await,
            None => self.direct(stream, client, local).await,
        }
        drop(permit);
    }

    /// A connection that was meant for the application at `dst`.
    async fn intercepted(&self, io: TcpStream, client: SocketAddr, dst: SocketAddr) {
        let ips = &self.0.settings.ips;
        if !ips.is_empty() && !ips.contains(&dst.ip()) {
            sparsely!(warn, %client, %dst, "Connection to an address that is not ours refused");
            return;
        }
        let Some(conn) = self.0.conn(client, dst) else {
            return;
        };
        let timeout = match conn.protocol() {
            // Nothing is looked at: the application may have to speak first.
            ServerProtocol::Opaque => return self.opaque(conn, io).await,
            ServerProtocol::Detect { timeout } => timeout,
            _ => self.0.settings.handshake_timeout,
        };
        let start = Instant::now();
        let Ok((detected, io)) = detect(io, timeout).await else {
            return;
        };
        match detected {
            // A peer that was redirected here without its proxy knowing.
            Detected::Tls(hello) if hello.sni.as_deref() == Some(self.0.tls.name()) => {
                let Some((tls, io)) = self.0.terminate(io, client, self.0.tls.intercepted()).await
                else {
                    return;
                };
                self.inside_tls(conn.with_tls(tls), io, timeout).await;
            }
            detected => self.detected(conn, detected, start, io).await,
        }
    }

    /// A connection of a meshed proxy to this port itself.
    async fn direct(&self, io: TcpStream, client: SocketAddr, local: SocketAddr) {
        let io = Prefixed::new(io, bytes::Bytes::new());
        let Some((tls, mut io)) = self.0.terminate(io, client, self.0.tls.direct()).await else {
            return;
        };
        let Some(header) = self.0.transport_header(&mut io, client, &tls).await else {
            return;
        };
        let app = SocketAddr::new(local.ip(), header.port);
        let Some(conn) = self.0.conn(client, app) else {
            return;
        };
        let (session, conn) = (header.session, conn.with_tls(tls));
        *conn.announced.lock() = Some(header);
        match session {
            Some(SessionProtocol::Http1) => self.http(conn, Version::Http1, io).await,
            Some(SessionProtocol::Http2) => self.http(conn, Version::H2, io).await,
            None => self.opaque(conn, io).await,
        }
    }

    /// What a meshed client says inside of its TLS. A port known to speak
    /// HTTP/1 is looked at as well: the peer may carry it over HTTP/2.
    async fn inside_tls(&self, conn: Conn, io: impl Io, timeout: Duration) {
        let start = Instant::now();
        if let Ok((detected, io)) = detect(io, timeout).await {
            self.detected(conn, detected, start, io).await;
        }
    }

    async fn detected<I: Io>(
        &self,
        conn: Conn,
        detected: Detected,
        start: Instant,
        io: Prefixed<I>,
    ) {
        let (server, port) = (conn.server(), conn.app.port());
        self.0
            .metrics
            .detected(&server, port, &detected, start.elapsed());
        match detected {
            Detected::Http1 => self.http(conn, Version::Http1, io).await,
            Detected::H2 => self.http(conn, Version::H2, io).await,
            // Policy knows better than a silent client.
            Detected::TimedOut if conn.protocol() == ServerProtocol::Http1 => {
                self.http(conn, Version::Http1, io).await;
            }
            Detected::Tls(_) | Detected::Opaque | Detected::TimedOut => self.opaque(conn, io).await,
            Detected::Closed => {}
        }
    }

    async fn http(&self, conn: Conn, version: Version, io: impl Io) {
        let tcp = self.0.metrics.tcp(conn.app, &conn.tls, &conn.server());
        let io = BoxIo::new(track(io, &tcp));
        http::serve(&self.0, conn, version, io).await;
    }

    async fn opaque(&self, conn: Conn, io: impl Io) {
        tcp::forward(&self.0, conn, io).await;
    }
}
