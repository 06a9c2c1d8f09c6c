//! Connections into pods.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::Portforwarder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Cluster, ClusterError, PATIENCE, PodName};
use crate::local::{GetError, get_over};

/// A connection to a port of a pod. It ends with an error where the node could not open it, instead of just ending.
pub(crate) struct Forwarded {
    io: Pin<Box<dyn Io>>,
    /// What the node says when it can't; none once it said so.
    error: Option<Pin<Box<dyn Future<Output = Option<String>> + Send>>>,
    /// Carries the bytes as long as it lives.
    _forwarder: Portforwarder,
}

trait Io: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

impl Cluster {
    /// A connection to `port` of a pod. That nobody listens there shows when it is read from.
    ///
    /// # Errors
    /// When the API server or the node refuses.
    pub(crate) async fn port_forward(
        &self,
        pod: &PodName,
        port: u16,
    ) -> Result<Forwarded, ClusterError> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &pod.namespace);
        let mut forwarder = match pods.portforward(&pod.name, &[port]).await {
            Ok(forwarder) => forwarder,
            Err(error) => return Err(self.not_forwarded(&error, pod, port)),
        };
        let stream = forwarder.take_stream(port);
        let error = forwarder.take_error(port);
        Ok(Forwarded {
            io: Box::pin(stream.expect("the port was asked for, and is taken once")),
            error: error.map(|error| Box::pin(error) as _),
            _forwarder: forwarder,
        })
    }

    /// The body of a GET to a port of a pod, as text.
    ///
    /// # Errors
    /// When no answer came in time, or another than 200.
    pub(crate) async fn get(
        &self,
        pod: &PodName,
        port: u16,
        path: &str,
    ) -> Result<String, ClusterError> {
        let exchange = async {
            let stream = self.port_forward(pod, port).await?;
            let response = get_over(stream, "localhost", path).await;
            response.map_err(|source| self.not_got(pod, port, path, source))
        };
        let response = match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(response) => response?,
            Err(elapsed) => return Err(self.not_got(pod, port, path, elapsed.into())),
        };
        match response.status() {
            http::StatusCode::OK => Ok(text(response.into_body())),
            status => Err(ClusterError::Status {
                pod: pod.clone(),
                port,
                path: path.to_owned(),
                status,
            }),
        }
    }

    fn not_forwarded(&self, error: &kube::Error, pod: &PodName, port: u16) -> ClusterError {
        let failed = self.failed(error, "create", "pods/portforward");
        ClusterError::Forward {
            pod: pod.clone(),
            port,
            cause: failed.to_string(),
        }
    }

    fn not_got(&self, pod: &PodName, port: u16, path: &str, source: GetError) -> ClusterError {
        ClusterError::Get {
            pod: pod.clone(),
            port,
            path: path.to_owned(),
            source,
        }
    }
}

fn text(body: Bytes) -> String {
    String::from_utf8_lossy(&body).into_owned()
}

impl Forwarded {
    /// What the node said, where the connection just ended.
    fn said(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(error) = &mut self.error else {
            return Poll::Ready(Ok(()));
        };
        let said = std::task::ready!(error.as_mut().poll(cx));
        self.error = None;
        Poll::Ready(match said {
            Some(text) => Err(io::Error::other(text.trim().to_owned())),
            None => Ok(()),
        })
    }
}

impl AsyncRead for Forwarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match self.io.as_mut().poll_read(cx, buf) {
            Poll::Ready(Ok(())) if buf.filled().len() == before => self.said(cx),
            other => other,
        }
    }
}

impl AsyncWrite for Forwarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_shutdown(cx)
    }
}
