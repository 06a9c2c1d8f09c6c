//! `mesh-proxy init --check`: proof that redirection works.
//!
//! That the kernel took the rules does not say that connections follow them: another
//! program's rules may come first, or the kernel of a sandbox may take rules and not
//! run them. So a connection is made that only redirection can bring back: to an
//! address kept for documentation, which nobody has, while this process listens in
//! the proxy's place. Nothing leaves the host when it works.
//!
//! Outbound is what a process can prove alone. For inbound a packet has to come from
//! outside; that the rule is there is all that is looked at.

use super::{
    existing,
    kernel::{Kernel, KernelError},
    options::Interception,
};
use crate::transport::orig_dst::{Kernel as SocketOption, OriginalDst, normalise};
use rustix::process::{getegid, geteuid};
use std::{
    fmt::Write,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// For a connection within this host.
const PATIENCE: Duration = Duration::from_secs(3);

/// Of the documentation networks of RFC 5737 and RFC 3849.
const NOBODY_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const NOBODY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// Why redirection is not proven.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("this process runs as the proxy's {0}, {1}, whose connections are exempt: use another")]
    Exempt(&'static str, u32),
    #[error(
        "port {port} is taken, most likely by the proxy: run the check before the proxy starts \
         ({error})"
    )]
    Taken { port: u16, error: io::Error },
    #[error("can't listen on {addr}: {error}")]
    Listen { addr: SocketAddr, error: io::Error },
    #[error("a connection to {target} did not come to {listener} ({how}). {rules}")]
    NotRedirected {
        target: SocketAddr,
        listener: SocketAddr,
        how: String,
        rules: String,
    },
    #[error(
        "a connection to {target} came to {listener}, but SO_ORIGINAL_DST did not tell where it \
         was meant to go ({found:?}): is there nf_conntrack in this kernel?"
    )]
    NoOriginalDst {
        target: SocketAddr,
        listener: SocketAddr,
        found: Option<SocketAddr>,
    },
    #[error("nothing could be tried, is there a default route? {0}")]
    NothingTried(String),
}

/// What a trial showed.
enum Trial {
    Proven(String),
    Skipped(String),
}

/// Tries each IP family and says what was seen, a line each.
pub(super) async fn run(options: &Interception) -> Result<String, CheckError> {
    exempt(options)?;
    let mut report = String::new();
    let mut proven = false;
    let families = [
        (Ipv4Addr::LOCALHOST.into(), NOBODY_V4, true),
        (Ipv6Addr::LOCALHOST.into(), NOBODY_V6, options.ipv6),
    ];
    for (loopback, nobody, _) in families.into_iter().filter(|family| family.2) {
        let listener = SocketAddr::new(loopback, options.outbound_port);
        let target = SocketAddr::new(nobody, redirected_port(options));
        let line = match outbound(listener, target).await? {
            Trial::Proven(line) => {
                proven = true;
                line
            }
            Trial::Skipped(line) => line,
        };
        let _ = writeln!(report, "outbound: {line}");
    }
    if !proven {
        return Err(CheckError::NothingTried(report.trim().replace('\n', "; ")));
    }
    let _ = writeln!(report, "inbound: {}", inbound());
    Ok(report)
}

/// What this process connects to would not be redirected.
fn exempt(options: &Interception) -> Result<(), CheckError> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    if uid == options.proxy_uid {
        return Err(CheckError::Exempt("user", uid));
    }
    if options.proxy_gid == Some(gid) {
        return Err(CheckError::Exempt("group", gid));
    }
    Ok(())
}

/// A port that is not among the exceptions; the first if all are.
fn redirected_port(options: &Interception) -> u16 {
    let mut ports = 20_001..=u16::MAX;
    let redirected = ports.find(|port| !options.outbound_ignored.contains(*port));
    redirected.unwrap_or(20_001)
}

async fn outbound(addr: SocketAddr, target: SocketAddr) -> Result<Trial, CheckError> {
    let skipped = |error| Ok(Trial::Skipped(format!("{target} not tried: {error}")));
    let not_redirected = |how| not_redirected(target, addr, how);
    let listener = match TcpListener::bind(addr).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let port = addr.port();
            return Err(CheckError::Taken { port, error });
        }
        // No IPv6 here.
        Err(error) if addr.is_ipv6() => return skipped(error),
        Err(error) => return Err(CheckError::Listen { addr, error }),
    };
    let client = match timeout(PATIENCE, TcpStream::connect(target)).await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) if no_route(&error) => return skipped(error),
        Ok(Err(error)) => return Err(not_redirected(error.to_string())),
        Err(_) => return Err(not_redirected(format!("none in {PATIENCE:?}"))),
    };
    let Ok(Some(stream)) = timeout(PATIENCE, arrival(&listener, &client)).await else {
        return Err(not_redirected("somebody else accepted it".to_owned()));
    };
    told(&stream, addr, target)
}

/// Whether the kernel tells that `stream`, which came to `listener`, was meant for `target`.
fn told(stream: &TcpStream, listener: SocketAddr, target: SocketAddr) -> Result<Trial, CheckError> {
    match SocketOption.original_dst(stream, listener) {
        Some(found) if found == target => Ok(Trial::Proven(format!(
            "a connection to {target} came to {listener}, which was told so"
        ))),
        found => Err(CheckError::NoOriginalDst {
            target,
            listener,
            found,
        }),
    }
}

/// The other end of `client`, among what others may send here.
async fn arrival(listener: &TcpListener, client: &TcpStream) -> Option<TcpStream> {
    let wanted = client.local_addr().ok()?;
    loop {
        let (stream, peer) = listener.accept().await.ok()?;
        if normalise(peer) == wanted {
            return Some(stream);
        }
    }
}

/// Routing comes before the rules.
fn no_route(error: &io::Error) -> bool {
    use ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
    [AddrNotAvailable, HostUnreachable, NetworkUnreachable].contains(&error.kind())
}

fn not_redirected(target: SocketAddr, listener: SocketAddr, how: String) -> CheckError {
    let rules = match our_chain("outbound") {
        Ok(true) => {
            "The rules are there: was it another --outgoing-proxy-port, or do the rules of \
                     another program come first?"
                .to_owned()
        }
        Ok(false) => "There are no rules of ours: run mesh-proxy init".to_owned(),
        Err(error) => format!("The rules can't be read: {error}"),
    };
    CheckError::NotRedirected {
        target,
        listener,
        how,
        rules,
    }
}

fn inbound() -> String {
    match our_chain("inbound") {
        Ok(true) => "the rule is in place; only a connection from outside can prove it".to_owned(),
        Ok(false) => "no rules of ours: another program's redirect here".to_owned(),
        Err(error) => format!("not looked at: {error}"),
    }
}

fn our_chain(name: &str) -> Result<bool, KernelError> {
    let chains = existing::redirecting(&Kernel::open()?)?;
    Ok(chains.iter().any(|chain| chain.is(name)))
}
