//! Commands in containers.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a command in a container said, and whether it succeeded.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command.
    pub command: String,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error, and why it failed.
    pub stderr: String,
    /// Whether its exit code was 0.
    pub success: bool,
}

impl Output {
    /// Standard output of a command that must succeed.
    ///
    /// # Panics
    /// When it did not.
    pub fn ok(self) -> String {
        assert!(self.success, "{self}");
        self.stdout
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "$ {}\n{}{}", self.command, self.stdout, self.stderr)
    }
}

/// Runs a command to its end in a running container.
pub(super) async fn exec(
    pods: &Api<Pod>,
    pod: &str,
    container: &str,
    command: &[&str],
) -> Result<Output, kube::Error> {
    let params = AttachParams::default().container(container);
    let mut attached = pods.exec(pod, command.iter().copied(), &params).await?;
    let (stdout, stderr) = (attached.stdout(), attached.stderr());
    let status = attached.take_status();
    let (stdout, mut stderr) = tokio::join!(read(stdout), read(stderr));
    let status = match status {
        Some(status) => status.await,
        None => None,
    };
    let success = status.as_ref().and_then(|status| status.status.as_deref()) == Some("Success");
    if !success {
        let message = status.and_then(|status| status.message);
        stderr += message.as_deref().unwrap_or("it ended without a status");
    }
    attached.join().await.ok();
    Ok(Output {
        command: format!("{pod}/{container}: {}", command.join(" ")),
        stdout,
        stderr,
        success,
    })
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).await.ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
