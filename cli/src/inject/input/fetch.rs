//! A GET for `mesh inject URL`.
//!
//! With what the mesh is made of anyway: hyper, rustls, hickory. The roots of the
//! web are the machine's own file of them (`SSL_CERT_FILE`, or where distributions
//! keep it), so that a company's root counts and no list is built in.

use bytes::Bytes;
use hickory_resolver::Resolver;
use http::{Request, Response, StatusCode, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{io, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// For each of the steps of a redirected GET.
const PATIENCE: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 5;
/// Far more than manifests have.
const LARGEST: usize = 16 * 1024 * 1024;
/// Debian and Alpine, Fedora, openSUSE.
const ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// Why nothing came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("no http or https URL")]
    Url,
    #[error("can't find the host: {0}")]
    Name(String),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("no roots of trust for https: name a file of them with SSL_CERT_FILE")]
    NoRoots,
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("the answer was {0}")]
    Status(StatusCode),
    #[error("more than {REDIRECTS} redirects")]
    Redirects,
    #[error("the body broke off, or has more than 16 MiB")]
    Body,
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Timeout(#[from] tokio::time::error::Elapsed),
}

/// Fetches a URL, over redirects.
pub(super) async fn get(url: &str) -> Result<Vec<u8>, FetchError> {
    let mut uri: Uri = url.parse().map_err(|_| FetchError::Url)?;
    for _ in 0..=REDIRECTS {
        let response = tokio::time::timeout(PATIENCE, ask(&uri)).await??;
        let status = response.status();
        if status.is_redirection() {
            uri = redirected(&uri, &response).ok_or(FetchError::Status(status))?;
            continue;
        }
        if !status.is_success() {
            return Err(FetchError::Status(status));
        }
        let body = Limited::new(response.into_body(), LARGEST).collect();
        let body = tokio::time::timeout(PATIENCE, body).await?;
        return Ok(body.map_err(|_| FetchError::Body)?.to_bytes().into());
    }
    Err(FetchError::Redirects)
}

/// An absolute URL, or a path on the same host; never from https to http.
fn redirected(from: &Uri, response: &Response<Incoming>) -> Option<Uri> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let to: Uri = location.parse().ok()?;
    if to.scheme().is_none() {
        let mut parts = from.clone().into_parts();
        parts.path_and_query = to.into_parts().path_and_query;
        return Uri::from_parts(parts).ok();
    }
    let weaker = from.scheme() == Some(&Scheme::HTTPS) && to.scheme() != Some(&Scheme::HTTPS);
    (!weaker).then_some(to)
}

async fn ask(uri: &Uri) -> Result<Response<Incoming>, FetchError> {
    let host = uri.host().ok_or(FetchError::Url)?.trim_matches(['[', ']']);
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(FetchError::Url),
    };
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let tcp = connect(&addresses(host).await?, port).await?;
    let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(
            header::HOST,
            uri.authority().map_or(host, |authority| authority.as_str()),
        )
        .header(
            header::USER_AGENT,
            concat!("mesh/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|_| FetchError::Url)?;
    if !tls {
        return send(tcp, request).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| FetchError::Url)?;
    let tls = TlsConnector::from(Arc::new(client()?))
        .connect(name, tcp)
        .await?;
    send(tls, request).await
}

async fn send(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<Response<Incoming>, FetchError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
    // Ends with the body; what fails shows there.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

async fn addresses(host: &str) -> Result<Vec<IpAddr>, FetchError> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![ip]);
    }
    let failed = |error: hickory_resolver::net::NetError| FetchError::Name(error.to_string());
    let resolver = Resolver::builder_tokio()
        .map_err(failed)?
        .build()
        .map_err(failed)?;
    let found = resolver.lookup_ip(host).await.map_err(failed)?;
    Ok(found.iter().collect())
}

/// The first address that answers.
async fn connect(addresses: &[IpAddr], port: u16) -> Result<TcpStream, FetchError> {
    let mut last = FetchError::Name("it has no address".to_owned());
    for ip in addresses {
        match TcpStream::connect((*ip, port)).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

fn client() -> Result<ClientConfig, FetchError> {
    let own = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let files = own.into_iter().chain(ROOTS.map(PathBuf::from));
    let pem = files.filter_map(|file| std::fs::read(file).ok()).next();
    let pem = pem.ok_or(FetchError::NoRoots)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
    // Not the mesh's own provider: the web has other signatures than ours.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// A server that answers each connection with the next text.
    async fn server(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for answer in answers {
                let (mut tcp, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(tcp.read_u8().await.unwrap());
                }
                tcp.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        format!("http://{addr}/web.yaml")
    }

    #[tokio::test]
    async fn a_redirect_is_followed() {
        let moved = "HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n";
        let found = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\na: 1";
        let url = server(vec![moved.to_owned(), found.to_owned()]).await;
        assert_eq!(get(&url).await.unwrap(), b"a: 1");
    }

    #[tokio::test]
    async fn failures_are_told_apart() {
        let url = server(vec![
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ])
        .await;
        assert_eq!(
            get(&url).await.unwrap_err().to_string(),
            "the answer was 404 Not Found"
        );
        let url = server(vec![
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na".to_owned(),
        ])
        .await;
        assert!(matches!(get(&url).await, Err(FetchError::Body)));
        assert!(matches!(get("ftp://x/").await, Err(FetchError::Url)));
    }
}
