//! HTTP/1.1 as bytes: one request, written once, and no more of the response than its length.

use std::io;
use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Load, LoadError, Shared};

const BUFFER: usize = 64 * 1024;
const MAX_HEADERS: usize = 64;

/// A connection, and what is sent on it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Option<TcpStream>,
    request: Vec<u8>,
    buffer: Box<[u8]>,
}

impl Connection {
    pub(super) async fn open(load: &Load) -> Result<Self, LoadError> {
        let Load {
            authority, case, ..
        } = load;
        let close = if case.churn {
            "connection: close\r\n"
        } else {
            ""
        };
        let size = case.bytes();
        let request = format!("GET /{size} HTTP/1.1\r\nhost: {authority}\r\n{close}\r\n");
        // Thousands of small exchanges need no large buffers.
        let buffer = BUFFER.min(4096 + size);
        let stream = if case.churn {
            None
        } else {
            Some(connect(load).await?)
        };
        Ok(Self {
            stream,
            request: request.into_bytes(),
            buffer: vec![0; buffer].into_boxed_slice(),
        })
    }

    /// One request and its whole response.
    pub(super) async fn exchange(&mut self, load: &Load) -> Result<(), LoadError> {
        // Given back only when the connection can be used again.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(load).await?,
        };
        stream.write_all(&self.request).await?;
        let mut filled = 0;
        let head = loop {
            filled += read(&mut stream, &mut self.buffer[filled..]).await?;
            if let Some(head) = Head::parse(&self.buffer[..filled])? {
                break head;
            }
        };
        if head.body != load.case.bytes() {
            return Err(LoadError::Answer(format!("{} bytes of body", head.body)));
        }
        let mut left = (head.length + head.body)
            .checked_sub(filled)
            .ok_or_else(|| LoadError::Answer("more than the response".to_owned()))?;
        while left > 0 {
            let limit = self.buffer.len().min(left);
            left -= read(&mut stream, &mut self.buffer[..limit]).await?;
        }
        if load.case.churn {
            // The server ends it, so that no port here is left in TIME_WAIT.
            if stream.read(&mut self.buffer).await? > 0 {
                return Err(LoadError::Answer("more than the response".to_owned()));
            }
        } else if !head.close {
            self.stream = Some(stream);
        }
        Ok(())
    }
}

/// Sends on `connection` until the end, and opens another if it broke.
pub(super) async fn work(mut connection: Connection, shared: Rc<Shared>) {
    while let Some(due) = shared.due().await {
        let result = connection.exchange(&shared.load).await;
        shared.record(due, &result);
        if result.is_err() {
            // What fails at once would take the machine from what is measured.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

async fn connect(load: &Load) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(load.target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    match stream.read(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => Ok(read),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    length: usize,
    body: usize,
    close: bool,
}

impl Head {
    /// None when there is more to come.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, LoadError> {
        let wrong = |what: String| LoadError::Answer(what);
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let status = response
            .parse(bytes)
            .map_err(|error| wrong(format!("response: {error}")))?;
        let httparse::Status::Complete(length) = status else {
            return Ok(None);
        };
        let code = response.code.unwrap_or_default();
        if code != 200 {
            return Err(wrong(format!("HTTP {code}")));
        }
        let header = |name: &str| {
            let mut headers = response.headers.iter();
            let header = headers.find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()
        };
        let body = header("content-length").and_then(|length| length.parse().ok());
        let body = body.ok_or_else(|| wrong("a response without content-length".to_owned()))?;
        let close = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Ok(Some(Self {
            length,
            body,
            close,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_tell_where_the_response_ends() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        let head = Head::parse(bytes).unwrap().unwrap();
        assert_eq!((head.length, head.body, head.close), (57, 5, true));
        assert_eq!(Head::parse(&bytes[..30]).unwrap(), None);
        assert!(Head::parse(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").is_err());
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
