//! What runs in the pods of the Kubernetes ring: one static binary, because images there have nothing else in them.
//!
//! ```text
//! mesh-test-pod                 waits for SIGTERM: the node's `pause`, and a sidecar with nothing to do
//! mesh-test-pod serve PORT      answers HTTP/1 with the pod's name and the path; /headers with the request's headers
//! mesh-test-pod greet PORT      speaks first: the pod's name to everybody who connects
//! mesh-test-pod get URL         prints the body; fails unless the status is 200
//! mesh-test-pod hear HOST:PORT  prints what a server that speaks first says
//! mesh-test-pod load URL RPS    asks so many times a second, and tells at port 9000 how that goes, in JSON
//! mesh-test-pod resolve NAME    prints its addresses, a line each
//! mesh-test-pod cat FILE        prints a file
//! mesh-test-pod crash FILE      fails, but the second time it waits for SIGTERM: FILE tells
//! ```
#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use hickory_resolver::TokioResolver;
use tokio::signal::unix::{SignalKind, signal};

mod http;
mod load;
mod stream;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *arguments {
        [] => terminated().await,
        ["serve", port] => http::serve(port).await,
        ["greet", port] => stream::greet(port).await,
        ["get", url] => http::get(url).await,
        ["hear", server] => stream::hear(server).await,
        ["load", url, rps] => load::load(url, rps).await,
        ["resolve", name] => resolve(name).await,
        ["cat", file] => cat(file),
        ["crash", file] => crash(file).await,
        _ => Err("see the head of mesh-test-pod/main.rs".into()),
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

/// What the pod is called.
fn pod() -> String {
    env::var("HOSTNAME").unwrap_or_default()
}

/// With the search list of `/etc/resolv.conf`. Not by libc: a static one can't.
async fn look_up(name: &str) -> Result<Vec<IpAddr>, Failure> {
    let resolver = TokioResolver::builder_tokio()?.build()?;
    Ok(resolver.lookup_ip(name).await?.iter().collect())
}

/// The first address of a name.
async fn address(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let ips = look_up(host).await?;
    let ip = ips.first().ok_or("no address")?;
    Ok((*ip, port).into())
}

async fn resolve(name: &str) -> Result<(), Failure> {
    for ip in look_up(name).await? {
        println!("{ip}");
    }
    Ok(())
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
