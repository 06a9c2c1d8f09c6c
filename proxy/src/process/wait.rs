//! `mesh-proxy await`: holds an application back until its proxy is ready.
//!
//! Kubernetes starts the containers of a pod in order and runs a `postStart` hook
//! to its end before the next; the image has no shell and no `curl`, so the proxy
//! itself is what the hook runs. It takes the options of `linkerd-await`. It asks
//! for `/ready` as the kubelet does and knows nothing else of the proxy: that is
//! another process, which may not even have started.

use super::args::Args;
use crate::config::{self, Vars};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout, timeout_at},
};

/// Between two questions.
const INTERVAL: Duration = Duration::from_millis(100);
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest answer that is read, in bytes: all of ours are shorter.
const ANSWER: u64 = 4096;

/// What to wait for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// The admin server.
    admin: SocketAddr,
    /// For how long at most; for ever without.
    limit: Option<Duration>,
}

/// Why there is nothing to wait for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidWait {
    /// The command line.
    #[error("await: {0}; expected --timeout DURATION (as 30s) or --port PORT")]
    Argument(String),
    /// `ADMIN_LISTEN_ADDR`.
    #[error(transparent)]
    Config(#[from] config::InvalidConfig),
}

/// The proxy did not become ready.
#[derive(Debug, thiserror::Error)]
#[error("the proxy at {admin} is not ready after {limit:?}: {last}")]
pub(super) struct TooLate {
    admin: SocketAddr,
    limit: Duration,
    last: String,
}

impl Wait {
    /// From the arguments after `await`: `--timeout 30s`, `--port 4191`, both also
    /// with `=`.
    pub(super) fn parse(
        args: impl Iterator<Item = String>,
        vars: &Vars,
    ) -> Result<Self, InvalidWait> {
        let mut wait = Self {
            admin: reachable(config::admin_addr(vars)?),
            limit: None,
        };
        let mut args = Args::new(args);
        while let Some(flag) = args.flag() {
            let value = args.value(&flag);
            let wrong = || InvalidWait::Argument(format!("{} {value:?}", flag.name));
            match &*flag.name {
                "--timeout" => wait.limit = Some(config::duration(&value).ok_or_else(wrong)?),
                "--port" => wait.admin.set_port(value.parse().map_err(|_| wrong())?),
                _ => return Err(wrong()),
            }
        }
        Ok(wait)
    }

    /// Asks until the answer is 200.
    ///
    /// # Errors
    /// [`TooLate`] with the last answer when the time is over.
    pub(super) async fn run(self) -> Result<(), TooLate> {
        let end = self.limit.map(|limit| (limit, Instant::now() + limit));
        let mut last = String::new();
        let ready = async {
            loop {
                match timeout(PATIENCE, ask(self.admin)).await {
                    Ok(Ok(answer)) if is_ready(&answer) => return,
                    Ok(Ok(answer)) => last = body(&answer).to_owned(),
                    Ok(Err(error)) => last = error.to_string(),
                    Err(_) => last = format!("no answer within {PATIENCE:?}"),
                }
                sleep(INTERVAL).await;
            }
        };
        match end {
            None => ready.await,
            Some((limit, end)) => {
                let late = timeout_at(end, ready).await.is_err();
                if late {
                    let admin = self.admin;
                    return Err(TooLate { admin, limit, last });
                }
            }
        }
        Ok(())
    }
}

/// Where to connect to reach who listens on `addr`.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

async fn ask(admin: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = format!("GET /ready HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn is_ready(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200 ")
}

/// The reason, in the words of the admin server; the status line of another's.
fn body(answer: &str) -> &str {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    match body.trim() {
        "" => answer.lines().next().unwrap_or("an empty answer"),
        reason => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str], admin: &str) -> Result<Wait, InvalidWait> {
        let name = "MESH_PROXY_ADMIN_LISTEN_ADDR".to_owned();
        let vars = Vars::from([(name, admin.to_owned())]);
        Wait::parse(args.iter().map(|&arg| arg.to_owned()), &vars)
    }

    #[test]
    fn takes_the_options_of_linkerd_await() {
        let expected = |admin: &str, limit| Wait {
            admin: admin.parse().unwrap(),
            limit,
        };
        assert_eq!(
            parse(&[], "0.0.0.0:4191"),
            Ok(expected("127.0.0.1:4191", None))
        );
        let two = Some(Duration::from_secs(120));
        for args in [
            &["--timeout=2m", "--port=1234"][..],
            &["--port", "1234", "--timeout", "2m"],
        ] {
            assert_eq!(parse(args, "[::]:4191"), Ok(expected("[::1]:1234", two)));
        }
    }

    #[test]
    fn names_what_is_wrong() {
        for (args, said) in [
            (&["--timeout"][..], "--timeout \"\""),
            (&["--timeout=soon"], "--timeout \"soon\""),
            (&["--port", "x"], "--port \"x\""),
            (&["--help"], "--help \"\""),
        ] {
            let error = parse(args, "127.0.0.1:4191").unwrap_err().to_string();
            assert!(error.starts_with(&format!("await: {said};")), "{error}");
        }
        let error = parse(&[], "here").unwrap_err().to_string();
        assert!(error.contains("MESH_PROXY_ADMIN_LISTEN_ADDR"), "{error}");
    }

    #[test]
    fn tells_the_reason_or_the_status() {
        let answer = |body| format!("HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\n{body}");
        assert_eq!(
            body(&answer("not ready: the first\n")),
            "not ready: the first"
        );
        assert_eq!(body(&answer("")), "HTTP/1.1 503 Service Unavailable");
        assert_eq!(body(""), "an empty answer");
        assert!(is_ready("HTTP/1.1 200 OK\r\n\r\n") && !is_ready(&answer("")));
    }
}
