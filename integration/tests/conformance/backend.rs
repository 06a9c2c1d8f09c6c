//! Applications of different parsers, which all answer with what they saw.
//!
//! - [`hyper`], which the proxies use themselves;
//! - [`lenient`], the worst that could stand behind a proxy: it takes every line
//!   ending, every spelling of a number and every hint of `chunked`.
//!
//! Each reads a request's body to its end, then answers 200 with one line:
//! `METHOD TARGET host=H body=B x=X`, where X is the field X-Case.

use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use mesh_integration::{
    Application, app,
    body::{empty, full},
};
use parking_lot::Mutex;
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

/// The requests a back end has read completely.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// What came since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }

    fn add(&self, line: &str) {
        self.0.lock().push(line.to_owned());
    }
}

fn line(method: &str, target: &str, host: &str, body: &str, x: &str) -> String {
    format!("{method} {target} host={host} body={body} x={x}")
}

/// hyper's server.
pub(crate) fn hyper(log: &Log) -> Application {
    let log = log.clone();
    app::http(move |req| {
        let log = log.clone();
        async move {
            let (head, body) = req.into_parts();
            let Ok(body) = body.collect().await else {
                return Response::new(empty());
            };
            let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            let target = head.uri.to_string();
            let (host, x) = (text(&head.headers, "host"), text(&head.headers, "x-case"));
            let saw = line(head.method.as_str(), &target, &host, &body, &x);
            log.add(&saw);
            Response::new(full(saw))
        }
    })
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).into_iter();
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    values.join(",")
}

/// A parser that doubts nothing.
pub(crate) fn lenient(log: &Log) -> Application {
    let log = log.clone();
    app::connections(move |stream| {
        let log = log.clone();
        async move {
            let mut io = BufStream::new(stream);
            while serve_leniently(&mut io, &log).await.is_ok() {}
        }
    })
}

async fn serve_leniently(io: &mut BufStream<TcpStream>, log: &Log) -> io::Result<()> {
    let first = loop {
        let line = lenient_line(io).await?;
        if !line.is_empty() {
            break line;
        }
    };
    let (mut host, mut x, mut length, mut chunked) = Default::default();
    loop {
        let line = lenient_line(io).await?;
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.trim().to_owned();
        match name.trim().to_ascii_lowercase().as_str() {
            "" => break,
            "host" => host = value,
            "x-case" => x = value,
            "content-length" => length = lenient_number(&value, 10),
            "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
            _ => {}
        }
    }
    let body = lenient_body(io, chunked, length).await?;
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (host, x): (String, String) = (host, x);
    let saw = line(method, target, &host, &body, &x);
    log.add(&saw);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", saw.len());
    io.write_all(head.as_bytes()).await?;
    if method != "HEAD" {
        io.write_all(saw.as_bytes()).await?;
    }
    io.flush().await
}

async fn lenient_line(io: &mut BufStream<TcpStream>) -> io::Result<String> {
    let mut line = Vec::new();
    if io.read_until(b'\n', &mut line).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = String::from_utf8_lossy(&line);
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn lenient_body(
    io: &mut BufStream<TcpStream>,
    chunked: bool,
    length: usize,
) -> io::Result<String> {
    if chunked {
        return lenient_chunks(io).await;
    }
    let mut body = vec![0; length];
    io.read_exact(&mut body).await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

async fn lenient_chunks(io: &mut BufStream<TcpStream>) -> io::Result<String> {
    let mut body = Vec::new();
    loop {
        let size = lenient_number(lenient_line(io).await?.trim(), 16);
        if size == 0 {
            break;
        }
        let mut chunk = vec![0; size];
        io.read_exact(&mut chunk).await?;
        body.append(&mut chunk);
        lenient_line(io).await?;
    }
    while !lenient_line(io).await?.is_empty() {}
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// As C's strtol: what can be read of a number, else 0.
fn lenient_number(text: &str, radix: u32) -> usize {
    let text = text.trim_start_matches(['+', '-']).trim_start_matches("0x");
    let end = text
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(text.len());
    usize::from_str_radix(&text[..end], radix)
        .unwrap_or(0)
        .min(1 << 20)
}
