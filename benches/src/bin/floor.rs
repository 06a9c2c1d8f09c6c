//! What two hops cost when everything a mesh adds is free.
//!
//! Two proxies on the libraries of `mesh-proxy` and nothing else: HTTP/1.1 in,
//! one HTTP/2 connection over TLS 1.3 between them, HTTP/1.1 out, each on its
//! own `current_thread` runtime. The ratio to this is what our own code costs;
//! absolute numbers say more about the machine.
//!
//! `floor LISTEN APP`, e.g. `floor 127.0.0.1:4140 127.0.0.1:8080`.
#![forbid(unsafe_code)]

use http::{Request, Response, Uri, header::HOST, uri::Authority};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
    server::conn,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
use std::{cell::RefCell, error::Error, net::SocketAddr, rc::Rc, sync::Arc, thread};
use tokio::{
    net::{TcpListener, TcpStream},
    task::LocalSet,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

type BoxError = Box<dyn Error + Send + Sync>;
type Pool = Rc<RefCell<Vec<http1::SendRequest<Incoming>>>>;

fn main() -> Result<(), BoxError> {
    let args: Vec<SocketAddr> = std::env::args()
        .skip(1)
        .map(|arg| arg.parse())
        .collect::<Result<_, _>>()?;
    let [listen, app] = args[..] else {
        return Err("usage: floor LISTEN APP".into());
    };
    let (server, client) = tls()?;
    let inside = std::net::TcpListener::bind("127.0.0.1:0")?;
    let peer = inside.local_addr()?;
    thread::spawn(move || run(inbound(inside, server, app)));
    run(outbound(listen, peer, client))
}

fn run(proxy: impl Future<Output = Result<(), BoxError>>) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, proxy)
}

fn tls() -> Result<(Arc<ServerConfig>, Arc<ClientConfig>), BoxError> {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["floor".to_owned()])?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone())?;
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((Arc::new(server), Arc::new(client)))
}

/// HTTP/1.1 to HTTP/2 over TLS.
async fn outbound(
    listen: SocketAddr,
    peer: SocketAddr,
    tls: Arc<ClientConfig>,
) -> Result<(), BoxError> {
    let listener = TcpListener::bind(listen).await?;
    let tcp = TcpStream::connect(peer).await?;
    tcp.set_nodelay(true)?;
    let tls = TlsConnector::from(tls)
        .connect("floor".try_into()?, tcp)
        .await?;
    let (sender, driver) =
        http2::handshake::<_, _, Incoming>(TokioExecutor::new(), TokioIo::new(tls)).await?;
    tokio::spawn(driver);
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let sender = sender.clone();
        let service = service_fn(move |mut req: Request<Incoming>| {
            let mut sender = sender.clone();
            async move {
                let host = req.headers_mut().remove(HOST);
                let host = host.ok_or("no Host")?;
                let mut uri = std::mem::take(req.uri_mut()).into_parts();
                uri.scheme = Some(http::uri::Scheme::HTTP);
                uri.authority = Some(Authority::try_from(host.as_bytes())?);
                *req.uri_mut() = Uri::from_parts(uri)?;
                *req.version_mut() = http::Version::HTTP_2;
                Ok::<_, BoxError>(sender.send_request(req).await?)
            }
        });
        let connection = conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service);
        tokio::task::spawn_local(connection);
    }
}

/// HTTP/2 over TLS to pooled HTTP/1.1.
async fn inbound(
    listener: std::net::TcpListener,
    tls: Arc<ServerConfig>,
    app: SocketAddr,
) -> Result<(), BoxError> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let (tcp, _) = listener.accept().await?;
    tcp.set_nodelay(true)?;
    let tls = TlsAcceptor::from(tls).accept(tcp).await?;
    let pool = Pool::default();
    let service = service_fn(move |req| to_app(pool.clone(), app, req));
    conn::http2::Builder::new(LocalExecutor)
        .serve_connection(TokioIo::new(tls), service)
        .await?;
    Ok(())
}

async fn to_app(
    pool: Pool,
    app: SocketAddr,
    mut req: Request<Incoming>,
) -> Result<Response<Incoming>, BoxError> {
    let mut uri = std::mem::take(req.uri_mut()).into_parts();
    if let Some(authority) = uri.authority.take() {
        req.headers_mut().insert(HOST, authority.as_str().parse()?);
    }
    uri.scheme = None;
    *req.uri_mut() = Uri::from_parts(uri)?;
    *req.version_mut() = http::Version::HTTP_11;
    let idle = pool.borrow_mut().pop();
    let mut sender = match idle {
        Some(mut sender) => {
            sender.ready().await?;
            sender
        }
        None => {
            let tcp = TcpStream::connect(app).await?;
            tcp.set_nodelay(true)?;
            let (sender, driver) = http1::handshake(TokioIo::new(tcp)).await?;
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
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}
