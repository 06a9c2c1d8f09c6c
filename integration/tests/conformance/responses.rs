//! Answers as bytes, back through each proxy alone and both.
//!
//! The client has sent two requests at once. Whatever the application answers to
//! the first, the client gets one answer that can be read in one way, the second
//! request has its own answer, and so has the next client's.

mod table;

use crate::paths::Paths;
use mesh_integration::{
    Application, Raw, app,
    framing::{Answer, answers},
};
use std::net::SocketAddr;
use table::{Came, ROWS, Row};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

/// Sends a row's bytes to its first request, and is well behaved otherwise.
fn answering(row: &'static Row) -> Application {
    app::connections(move |stream| {
        let mut io = BufStream::new(stream);
        async move { while answer(&mut io, row).await.is_some() {} }
    })
}

/// `None` when the connection is to end.
async fn answer(io: &mut BufStream<TcpStream>, row: &Row) -> Option<()> {
    let (mut line, mut target) = (String::new(), String::new());
    while line != "\r\n" {
        line.clear();
        io.read_line(&mut line)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        if target.is_empty() {
            target = line.split(' ').nth(1).unwrap_or("").to_owned();
        }
    }
    let fine = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";
    let case = target.starts_with("/case");
    let bytes = if case { row.bytes() } else { fine.into() };
    io.write_all(bytes.as_bytes()).await.ok()?;
    io.flush().await.ok()?;
    if case && row.closes {
        io.shutdown().await.ok()?;
        return None;
    }
    Some(())
}

/// Sends requests at once, and reads until the proxy closes behind the last.
async fn ask(addr: SocketAddr, requests: &[&str]) -> Vec<Answer> {
    let mut bytes = String::new();
    for (left, request) in (0..requests.len()).rev().zip(requests) {
        let connection = if left == 0 { "close" } else { "keep-alive" };
        bytes += &format!("{request} HTTP/1.1\r\nhost: web\r\nconnection: {connection}\r\n\r\n");
    }
    let mut raw = Raw::connect(addr).await;
    raw.send(bytes).await;
    answers(&raw.rest().await, &[requests[0].starts_with("HEAD ")])
}

/// Status, body, and whether the body is complete.
type Short<'a> = (u16, &'a str, bool);

const FINE: Short<'_> = (200, "fine", true);

fn short(answers: &[Answer]) -> Vec<Short<'_>> {
    let all = answers.iter();
    all.map(|answer| (answer.status, answer.body.as_str(), answer.complete))
        .collect()
}

/// What came, if it is wrong.
fn check(row: &Row, came: &[Answer]) -> Result<(), String> {
    let came = short(came);
    let right = match (row.came, &came[..]) {
        (Came::Whole(status, body), [first, FINE]) => *first == (status, body, true),
        (Came::Last(status, body), [first]) => *first == (status, body, true),
        (Came::BadGateway, [(502, _, true), FINE]) => true,
        (Came::Part(status, body), [first]) => *first == (status, body, false),
        // The break may overtake what came before it.
        (Came::Part(..), []) => true,
        _ => false,
    };
    right.then_some(()).ok_or_else(|| format!("{came:?}"))
}

#[tokio::test]
async fn an_answer_has_one_end_and_belongs_to_one_request() {
    for row in ROWS {
        let paths = Paths::start(answering(row)).await;
        for (path, addr) in paths.all() {
            let came = ask(addr, &[&format!("{} /case", row.method), "GET /next"]).await;
            check(row, &came).unwrap_or_else(|came| {
                panic!("{path}: {}: came {came}, not {:?}", row.name, row.came)
            });
            let next = ask(addr, &["GET /next"]).await;
            assert_eq!(short(&next), [FINE], "{path}: after {}", row.name);
        }
    }
}
