//! A meshed peer that is not ours: rustls, and bytes written by hand.
//!
//! It does what a stock linkerd2-proxy was seen to do, and what one may do wrong:
//! TLS 1.3 with the peer's identity as SNI, `transport.l5d.io/v1` as ALPN exactly
//! when a transport header follows, an ordinary web-PKI verification of the
//! certificate (a Linkerd proxy knows no other), HTTP/1 as HTTP/2 with
//! `l5d-orig-proto`.

use crate::{
    Ca, Endpoint,
    ca::{self, Leaf},
    mesh::address,
    wait::soon,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{ParsedCertificate, WebPkiClientVerifier},
    version::TLS13,
};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// The ALPN of connections with a transport header, and the header's preface.
pub const TRANSPORT: &[u8] = b"transport.l5d.io/v1";

/// What a transport header says is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Nothing said.
    Opaque,
    /// HTTP/1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A transport header for `port`, byte by byte.
pub fn header(port: u16, session: Session) -> Vec<u8> {
    // Field 1, varint.
    let mut message = vec![0x08];
    let mut rest = port;
    while rest >= 0x80 {
        message.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    message.push(rest as u8);
    // Field 3, a message with an empty message as its field 1 or 2.
    match session {
        Session::Opaque => {}
        Session::Http1 => message.extend([0x1a, 2, 0x0a, 0]),
        Session::Http2 => message.extend([0x1a, 2, 0x12, 0]),
    }
    framed(&message)
}

/// `message` with preface and length.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = [TRANSPORT, b"\r\n\r\n"].concat();
    bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend(message);
    bytes
}

/// A peer that connects.
pub struct Client {
    roots: Arc<RootCertStore>,
    leaf: Option<Leaf>,
    alpn: Vec<Vec<u8>>,
    sni: Option<String>,
}

impl Client {
    /// With an identity for service account `sa`, announcing a transport header.
    pub fn new(ca: &Ca, sa: &str) -> Self {
        Self {
            roots: ca.roots(),
            leaf: Some(ca.leaf(&ca::identity(sa))),
            alpn: vec![TRANSPORT.to_vec()],
            sni: None,
        }
    }

    /// Asking for `name` while it is the server's identity that is verified.
    #[must_use]
    pub fn asking_for(mut self, name: &str) -> Self {
        self.sni = Some(name.into());
        self
    }

    /// Announcing nothing, as to a port that is redirected.
    #[must_use]
    pub fn without_alpn(mut self) -> Self {
        self.alpn.clear();
        self
    }

    /// Presenting another certificate, or none.
    #[must_use]
    pub fn presenting(self, leaf: Option<Leaf>) -> Self {
        Self { leaf, ..self }
    }

    /// TLS to `server_name` at `addr`.
    ///
    /// # Errors
    /// When the handshake fails on this side.
    pub async fn connect(
        self,
        addr: SocketAddr,
        server_name: &str,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let roots = self.roots;
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots.clone());
        let mut config = match self.leaf {
            Some(Leaf { chain, key }) => config.with_client_auth_cert(chain, key).unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn;
        let mut name = ServerName::try_from(server_name.to_owned()).unwrap();
        if let Some(sni) = self.sni {
            let verifier = WebPkiServerVerifier::builder_with_provider(
                roots,
                aws_lc_rs::default_provider().into(),
            );
            let verifier = Named(verifier.build().unwrap(), name);
            let dangerous = &mut config.dangerous();
            dangerous.set_certificate_verifier(Arc::new(verifier));
            name = ServerName::try_from(sni).unwrap();
        }
        let tcp = soon(addr, TcpStream::connect(addr)).await?;
        let connect = TlsConnector::from(Arc::new(config)).connect(name, tcp);
        soon("the handshake", connect).await
    }
}

/// Verifies one name, whatever was asked for.
#[derive(Debug)]
struct Named(Arc<WebPkiServerVerifier>, ServerName<'static>);

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.0
            .verify_server_cert(leaf, intermediates, &self.1, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Whether the server ends the connection without a byte: a TLS 1.3 client sees
/// that its certificate was refused after its own part of the handshake only.
pub async fn is_refused(connected: io::Result<client::TlsStream<TcpStream>>) -> bool {
    let Ok(mut tls) = connected else {
        return true;
    };
    let mut byte = [0];
    !matches!(soon("the end", tls.read(&mut byte)).await, Ok(1..))
}

/// A peer that is connected to.
pub struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    identity: String,
}

/// One connection to a [`Server`].
pub struct Accepted {
    /// What the client asked for.
    pub sni: Option<String>,
    /// What was agreed.
    pub alpn: Option<Vec<u8>>,
    /// The connection, after the handshake.
    pub io: server::TlsStream<TcpStream>,
}

impl Server {
    /// With an identity for service account `sa`; `direct` offers the ALPN of
    /// connections with a transport header.
    pub async fn new(ca: &Ca, sa: &str, direct: bool) -> Self {
        let identity = ca::identity(sa);
        let leaf = ca.leaf(&identity);
        Self::with_leaf(ca, identity, leaf, direct).await
    }

    /// The same, presenting any certificate.
    pub async fn with_leaf(ca: &Ca, identity: String, leaf: Leaf, direct: bool) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(ca.roots(), provider.clone())
            .allow_unauthenticated()
            .build()
            .unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(leaf.chain, leaf.key)
            .unwrap();
        if direct {
            config.alpn_protocols = vec![TRANSPORT.to_vec()];
        }
        Self {
            listener: TcpListener::bind((address(), 0)).await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
            identity,
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Its identity.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// As an endpoint that is redirected to its proxy.
    pub fn intercepted_endpoint(&self) -> Endpoint {
        Endpoint::meshed(self.addr(), self.identity.clone())
    }

    /// As an endpoint whose application listens on `port`, to be reached with a
    /// transport header.
    pub fn endpoint(&self, port: u16) -> Endpoint {
        let app = SocketAddr::new(self.addr().ip(), port);
        Endpoint::meshed(app, self.identity.clone()).via(self.addr().port())
    }

    /// The next connection.
    ///
    /// # Errors
    /// When its handshake fails.
    pub async fn try_accept(&self) -> io::Result<Accepted> {
        let (tcp, _) = soon("a connection", self.listener.accept()).await?;
        let io = soon("the handshake", self.acceptor.accept(tcp)).await?;
        let session = io.get_ref().1;
        Ok(Accepted {
            sni: session.server_name().map(str::to_owned),
            alpn: session.alpn_protocol().map(<[u8]>::to_vec),
            io,
        })
    }

    /// The next connection, which must succeed.
    pub async fn accept(&self) -> Accepted {
        self.try_accept().await.unwrap()
    }
}

impl Accepted {
    /// Whether the client has proved to be `identity`, by web-PKI rules.
    pub fn is_from(&self, identity: &str) -> bool {
        let Some([leaf, ..]) = self.io.get_ref().1.peer_certificates() else {
            return false;
        };
        let name = ServerName::try_from(identity.to_owned()).unwrap();
        verify_server_name(&ParsedCertificate::try_from(leaf).unwrap(), &name).is_ok()
    }

    /// Reads exactly `expected`.
    pub async fn expect(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        soon("bytes", self.io.read_exact(&mut bytes)).await.unwrap();
        assert_eq!(bytes, expected);
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
        self.io.flush().await.unwrap();
    }
}
