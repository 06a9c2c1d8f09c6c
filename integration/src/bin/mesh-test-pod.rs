//! What runs in the pods of the Kubernetes ring: one static binary, because images there have nothing else in them.
//!
//! ```text
//! mesh-test-pod                 waits for SIGTERM: the node's `pause`, and a sidecar with nothing to do
//! mesh-test-pod serve PORT      answers HTTP/1 with the pod's name and the path
//! mesh-test-pod get URL         prints the body; fails unless the status is 200
//! mesh-test-pod resolve NAME    prints its addresses, a line each
//! mesh-test-pod cat FILE        prints a file
//! mesh-test-pod crash FILE      fails, but the second time it waits for SIGTERM: FILE tells
//! ```
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::net::IpAddr;
use std::process::ExitCode;

use bytes::Bytes;
use hickory_resolver::TokioResolver;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *arguments {
        [] => terminated().await,
        ["serve", port] => serve(port).await,
        ["get", url] => get(url).await,
        ["resolve", name] => resolve(name).await,
        ["cat", file] => cat(file),
        ["crash", file] => crash(file).await,
        _ => Err("see the head of mesh-test-pod.rs".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("mesh-test-pod {}: {failure}", arguments.join(" "));
            ExitCode::FAILURE
        }
    }
}

async fn terminated() -> Result<(), Failure> {
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}

async fn serve(port: &str) -> Result<(), Failure> {
    let listener = TcpListener::bind(("0.0.0.0", port.parse()?)).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = terminate.recv() => return Ok(()),
        };
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            http.serve_connection(TokioIo::new(stream), service_fn(answer))
                .await
                .ok();
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let pod = env::var("HOSTNAME").unwrap_or_default();
    let body = format!("{pod} {}\n", request.uri().path());
    Ok(Response::new(Full::from(body)))
}

/// With the search list of `/etc/resolv.conf`. Not by libc: a static one can't.
async fn look_up(name: &str) -> Result<Vec<IpAddr>, Failure> {
    let resolver = TokioResolver::builder_tokio()?.build()?;
    Ok(resolver.lookup_ip(name).await?.iter().collect())
}

async fn resolve(name: &str) -> Result<(), Failure> {
    for ip in look_up(name).await? {
        println!("{ip}");
    }
    Ok(())
}

async fn get(url: &str) -> Result<(), Failure> {
    let uri: Uri = url.parse()?;
    let host = uri.host().ok_or("no host")?;
    let ips = look_up(host).await?;
    let ip = *ips.first().ok_or("no address")?;
    let stream = TcpStream::connect((ip, uri.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(uri.path())
        .header("host", host)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    print!("{}", String::from_utf8_lossy(&body));
    status
        .is_success()
        .then_some(())
        .ok_or_else(|| status.to_string().into())
}

fn cat(file: &str) -> Result<(), Failure> {
    print!("{}", std::fs::read_to_string(file)?);
    Ok(())
}

async fn crash(file: &str) -> Result<(), Failure> {
    if std::fs::exists(file)? {
        return terminated().await;
    }
    std::fs::write(file, "")?;
    Err("as told".into())
}
