//! What two hops cost when everything a mesh adds is free.
//!
//! A proxy on the libraries of `mesh-proxy` and nothing else: HTTP in, one HTTP/2 connection over mutual TLS 1.3 to the other side,
//! HTTP out, on one `current_thread` runtime. The ratio to this is what our own code costs; absolute numbers say more about the
//! machine. Ports and files are those of `peers.rs` in `make bench`.
//!
//! `floor client SERVER-IP CERTIFICATES` beside the client, `floor server APP-IP CERTIFICATES` beside the server.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::server::conn;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::{TlsAcceptor, TlsConnector};

type BoxError = Box<dyn Error + Send + Sync>;
type Pool = Rc<RefCell<Vec<http1::SendRequest<Incoming>>>>;
type Multiplexed = http2::SendRequest<Incoming>;

/// More streams than there are clients: all of them share a connection.
const STREAMS: u32 = 100_000;
const COPY_BUFFER: usize = 64 * 1024;

fn main() -> Result<(), BoxError> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [side, to, certificates] = &args[..] else {
        return Err("usage: floor client|server IP CERTIFICATES".into());
    };
    let (to, certificates) = (to.parse()?, Path::new(certificates));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        if side == "client" {
            client(to, client_tls(certificates)?).await
        } else {
            server(to, server_tls(certificates)?).await
        }
    })
}

type Identity = (
    Vec<CertificateDer<'static>>,
    PrivateKeyDer<'static>,
    RootCertStore,
);

fn identity(dir: &Path, name: &str) -> Result<Identity, BoxError> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(dir.join("ca.pem"))?)?;
    let certificate = CertificateDer::from_pem_file(dir.join(format!("{name}.crt")))?;
    let key = PrivateKeyDer::from_pem_file(dir.join(format!("{name}.key")))?;
    Ok((vec![certificate], key, roots))
}

fn client_tls(dir: &Path) -> Result<TlsConnector, BoxError> {
    let (certificate, key, roots) = identity(dir, "client")?;
    let config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(roots)
        .with_client_auth_cert(certificate, key)?;
    Ok(TlsConnector::from(Arc::new(config)))
}

fn server_tls(dir: &Path) -> Result<TlsAcceptor, BoxError> {
    let (certificate, key, roots) = identity(dir, "server")?;
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build()?;
    let config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificate, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn client(server: IpAddr, tls: TlsConnector) -> Result<(), BoxError> {
    let [http1, http2, tcp] = listeners([4140, 4141, 4142]).await?;
    let way = multiplexed(TokioIo::new(connect_tls(&tls, server, 4143).await?)).await?;
    let way2 = multiplexed(TokioIo::new(connect_tls(&tls, server, 4144).await?)).await?;
    loop {
        tokio::select! {
            accepted = http1.accept() => {
                let stream = TokioIo::new(ready(accepted?.0)?);
                let way = way.clone();
                let service = service_fn(move |req| to_server(way.clone(), req));
                spawn_local(conn::http1::Builder::new().serve_connection(stream, service));
            }
            accepted = http2.accept() => {
                let stream = TokioIo::new(ready(accepted?.0)?);
                let way = way2.clone();
                let service = service_fn(move |req| forward(way.clone(), req));
                spawn_local(http2_server().serve_connection(stream, service));
            }
            accepted = tcp.accept() => {
                let (stream, tls) = (ready(accepted?.0)?, tls.clone());
                spawn_local(async move { copy(stream, connect_tls(&tls, server, 4145).await?).await });
            }
        }
    }
}

async fn server(app: IpAddr, tls: TlsAcceptor) -> Result<(), BoxError> {
    let [http1, http2, tcp] = listeners([4143, 4144, 4145]).await?;
    let pool = Pool::default();
    loop {
        tokio::select! {
            accepted = http1.accept() => {
                let (stream, tls, pool) = (ready(accepted?.0)?, tls.clone(), pool.clone());
                spawn_local(async move {
                    let service = service_fn(move |req| to_app(pool.clone(), app, req));
                    let stream = TokioIo::new(tls.accept(stream).await?);
                    http2_server().serve_connection(stream, service).await.map_err(BoxError::from)
                });
            }
            accepted = http2.accept() => {
                let (stream, tls) = (ready(accepted?.0)?, tls.clone());
                spawn_local(async move {
                    let stream = TokioIo::new(tls.accept(stream).await?);
                    let way = multiplexed(TokioIo::new(connect(app, 8081).await?)).await?;
                    let service = service_fn(move |req| forward(way.clone(), req));
                    http2_server().serve_connection(stream, service).await.map_err(BoxError::from)
                });
            }
            accepted = tcp.accept() => {
                let (stream, tls) = (ready(accepted?.0)?, tls.clone());
                spawn_local(async move { copy(tls.accept(stream).await?, connect(app, 8082).await?).await });
            }
        }
    }
}

async fn listeners(ports: [u16; 3]) -> Result<[TcpListener; 3], BoxError> {
    let [one, two, three] = ports.map(|port| TcpListener::bind(("0.0.0.0", port)));
    Ok([one.await?, two.await?, three.await?])
}

fn ready(stream: TcpStream) -> Result<TcpStream, BoxError> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connect(ip: IpAddr, port: u16) -> Result<TcpStream, BoxError> {
    ready(TcpStream::connect((ip, port)).await?)
}

async fn connect_tls(
    tls: &TlsConnector,
    ip: IpAddr,
    port: u16,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, BoxError> {
    let stream = connect(ip, port).await?;
    Ok(tls.connect("server".try_into()?, stream).await?)
}

async fn multiplexed<T>(stream: TokioIo<T>) -> Result<Multiplexed, BoxError>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, driver) = http2::handshake(TokioExecutor::new(), stream).await?;
    tokio::spawn(driver);
    Ok(sender)
}

/// Without limits against attacks: one that was reached would end the connection that everyone uses.
fn http2_server() -> conn::http2::Builder<LocalExecutor> {
    let mut builder = conn::http2::Builder::new(LocalExecutor);
    builder
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(None)
        .max_local_error_reset_streams(None);
    builder
}

async fn copy<A, B>(mut one: A, mut other: B) -> Result<(), BoxError>
where
    A: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    B: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let copied =
        tokio::io::copy_bidirectional_with_sizes(&mut one, &mut other, COPY_BUFFER, COPY_BUFFER);
    copied.await?;
    Ok(())
}

async fn forward(
    mut way: Multiplexed,
    req: Request<Incoming>,
) -> Result<Response<Incoming>, BoxError> {
    Ok(way.send_request(req).await?)
}

/// HTTP/1.1 to HTTP/2.
async fn to_server(
    way: Multiplexed,
    mut req: Request<Incoming>,
) -> Result<Response<Incoming>, BoxError> {
    let host = req.headers_mut().remove(HOST).ok_or("no Host")?;
    req.headers_mut().remove(http::header::CONNECTION);
    let mut uri = std::mem::take(req.uri_mut()).into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(Authority::try_from(host.as_bytes())?);
    *req.uri_mut() = Uri::from_parts(uri)?;
    *req.version_mut() = Version::HTTP_2;
    forward(way, req).await
}

/// HTTP/2 to pooled HTTP/1.1.
async fn to_app(
    pool: Pool,
    app: IpAddr,
    mut req: Request<Incoming>,
) -> Result<Response<Incoming>, BoxError> {
    let mut uri = std::mem::take(req.uri_mut()).into_parts();
    if let Some(authority) = uri.authority.take() {
        req.headers_mut().insert(HOST, authority.as_str().parse()?);
    }
    uri.scheme = None;
    *req.uri_mut() = Uri::from_parts(uri)?;
    *req.version_mut() = Version::HTTP_11;
    let idle = pool.borrow_mut().pop();
    let mut sender = match idle {
        Some(mut sender) => {
            sender.ready().await?;
            sender
        }
        None => {
            let (sender, driver) =
                http1::handshake(TokioIo::new(connect(app, 8080).await?)).await?;
            tokio::spawn(driver);
            sender
        }
    };
    let rsp = sender.send_request(req).await?;
    // Early by one body, which the next user waits for: good enough for a floor.
    pool.borrow_mut().push(sender);
    Ok(rsp)
}

#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        spawn_local(async move {
            future.await;
        });
    }
}
