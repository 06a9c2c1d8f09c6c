//! Waiting until a process serves.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::error::LocalError;
use super::http_get::get;

/// Generous: a debug build on a busy machine takes a few seconds for six certificates.
const TIMEOUT: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(50);

/// What tells that a process serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// A connection to this address is accepted.
    Accepts(SocketAddr),
    /// `GET /ready` on this address answers 200.
    Ready(SocketAddr),
}

impl Probe {
    fn addr(self) -> SocketAddr {
        match self {
            Self::Accepts(addr) | Self::Ready(addr) => addr,
        }
    }

    async fn try_once(self) -> Result<(), String> {
        match self {
            Self::Accepts(addr) => TcpStream::connect(addr)
                .await
                .map(drop)
                .map_err(|error| error.to_string()),
            Self::Ready(addr) => match get(addr, "/ready").await {
                Ok(response) if response.status().is_success() => Ok(()),
                Ok(response) => Err(format!("GET /ready: {}", response.status())),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

/// Asks again and again until the probe succeeds.
///
/// # Errors
/// When it has not for 30 s; the error has the last answer.
pub(crate) async fn wait_until_ready(
    name: &str,
    probe: Probe,
    log: PathBuf,
) -> Result<(), LocalError> {
    let start = Instant::now();
    loop {
        match probe.try_once().await {
            Ok(()) => return Ok(()),
            Err(last) if start.elapsed() >= TIMEOUT => {
                let name = name.to_owned();
                return Err(LocalError::NotReady {
                    name,
                    addr: probe.addr(),
                    after: TIMEOUT,
                    last,
                    log,
                });
            }
            Err(_) => tokio::time::sleep(INTERVAL).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_is_ready() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let probe = Probe::Accepts(listener.local_addr().unwrap());
        wait_until_ready("one", probe, PathBuf::new())
            .await
            .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn giving_up_tells_the_last_answer() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(listener);
        let error = wait_until_ready("one", Probe::Accepts(addr), "/tmp/one.log".into())
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("one was not ready within 30 s"), "{text}");
        assert!(
            text.contains("Connection refused") && text.ends_with("/tmp/one.log"),
            "{text}"
        );
    }
}
