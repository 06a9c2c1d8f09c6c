//! A connection as bytes.

use crate::wait::soon;
use bytes::BytesMut;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// Reads and writes bytes, with deadlines.
#[derive(Debug)]
pub struct Raw<I = TcpStream> {
    io: I,
    read: BytesMut,
}

impl Raw {
    /// Connects.
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::new(soon(addr, TcpStream::connect(addr)).await.unwrap())
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Raw<I> {
    /// Over `io`.
    pub fn new(io: I) -> Self {
        Self {
            io,
            read: BytesMut::new(),
        }
    }

    /// The connection; what was read and not taken is lost.
    pub fn into_inner(self) -> I {
        self.io
    }

    /// Sends all of `bytes`.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = async {
            self.io.write_all(bytes.as_ref()).await?;
            self.io.flush().await
        };
        soon("sending", sent).await.unwrap();
    }

    /// Sends, without minding that the other side has closed.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sent = soon("sending", self.io.write_all(bytes.as_ref())).await;
        sent.is_ok() && self.io.flush().await.is_ok()
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        soon("shutdown", self.io.shutdown()).await.unwrap();
    }

    /// Exactly `len` bytes.
    pub async fn take(&mut self, len: usize) -> Vec<u8> {
        while self.read.len() < len {
            assert!(self.fill().await, "closed after {:?}", self.read);
        }
        self.read.split_to(len).to_vec()
    }

    /// All bytes until `end`, inclusive, as text.
    pub async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self
                .read
                .windows(end.len())
                .position(|w| w == end.as_bytes());
            if let Some(at) = found {
                let bytes = self.read.split_to(at + end.len());
                return String::from_utf8_lossy(&bytes).into_owned();
            }
            assert!(
                self.fill().await,
                "closed before {end:?}, after {:?}",
                self.read
            );
        }
    }

    /// The head of an HTTP/1 message, in lower case but its first line.
    pub async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Everything until the other side is done; a reset counts as an end.
    pub async fn rest(&mut self) -> String {
        while self.fill().await {}
        String::from_utf8_lossy(&self.read.split()).into_owned()
    }

    /// Whether a byte or the end has come within `time`.
    pub async fn is_silent(&mut self, time: std::time::Duration) -> bool {
        tokio::time::timeout(time, self.io.read_buf(&mut self.read))
            .await
            .is_err()
    }

    /// Whether the other side closes before it sends a byte.
    pub async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.fill().await
    }

    async fn fill(&mut self) -> bool {
        let read = soon("bytes", self.io.read_buf(&mut self.read)).await;
        read.is_ok_and(|read| read > 0)
    }
}
