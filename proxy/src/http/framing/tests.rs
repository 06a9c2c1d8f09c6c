use super::*;
use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::{Answer, serve};

mod differential;
mod table;
mod vectors;
mod wire;

/// A valid request, to see what happens behind one that is not.
const NEXT: &str = "GET /next HTTP/1.1\r\nhost: a\r\n\r\n";

/// The step `bytes` come to, all at once.
fn step(bytes: &str) -> Step {
    Framing::new().advance(bytes.as_bytes())
}

#[test]
fn what_is_allowed_passes() {
    for bytes in [
        NEXT,
        "GET / HTTP/1.0\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nHoSt: \t[::1]:80 \t\r\n\r\n",
        "GET /caf\u{e9} HTTP/1.1\r\nhost: a\r\nx: caf\u{e9}\t.\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nContent-Length: 03\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked \r\n\r\n\
         3;a=\"b\";c\r\nabc\r\n00A\r\n0123456789\r\n0;last\r\nx-sum: 1\r\n\r\n",
    ] {
        let twice = [bytes, bytes, NEXT].concat();
        let mut framing = Framing::new();
        assert_eq!(framing.advance(twice.as_bytes()), Step::Pass, "{bytes}");
        assert_eq!(framing.requests(), 3, "{bytes}");
    }
}

#[test]
fn a_request_that_may_make_a_tunnel_holds_what_follows() {
    for bytes in [
        "CONNECT b:443 HTTP/1.1\r\nhost: b\r\n\r\n",
        "CONNECT b:443 HTTP/1.0\r\ncontent-length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\nupgrade: x\r\ncontent-length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\nupgrade: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let mut framing = Framing::new();
        let held = Step::Hold { at: bytes.len() };
        assert_eq!(
            framing.advance([bytes, "\0"].concat().as_bytes()),
            held,
            "{bytes}"
        );
        framing.resume();
        assert_eq!(framing.advance(NEXT.as_bytes()), Step::Pass);
    }
    // HTTP/1.0 has no Upgrade, and CONNECT is written in capitals.
    assert_eq!(
        step("GET / HTTP/1.0\r\nupgrade: websocket\r\n\r\n"),
        Step::Pass
    );
    assert_eq!(
        step("connect b:443 HTTP/1.1\r\nhost: b\r\n\r\n"),
        Step::Pass
    );
}

#[test]
fn a_violation_is_found_before_the_byte_that_completes_it() {
    let refused = |bytes: &str| match step(bytes) {
        Step::Refuse { at, part, .. } => (at, part),
        step => panic!("{step:?}"),
    };
    // The last LF of a head is never passed on.
    let head = "GET / HTTP/1.1\r\nx: y\r\n\r\n";
    assert_eq!(refused(head), (head.len() - 1, Part::Head));
    let line = "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n";
    assert_eq!(refused(line), (line.len() - 1, Part::Head));
    let chunk = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc";
    assert_eq!(refused(chunk), (chunk.len() - 2, Part::Body));
}

#[test]
fn a_violation_is_found_in_the_source_of_an_error() {
    let io = std::io::Error::other(Violation::ChunkSize);
    assert_eq!(Violation::in_error(&io), Some(Violation::ChunkSize));
    let io = std::io::Error::other(std::io::Error::other(Violation::ChunkEnd));
    assert_eq!(Violation::in_error(&io), Some(Violation::ChunkEnd));
    assert_eq!(Violation::in_error(&std::io::Error::other("lost")), None);
}

#[tokio::test]
async fn earlier_answers_keep_their_order() {
    let bytes = [NEXT, NEXT, "GET / HTTP/1.1\r\n\r\n", NEXT].concat();
    let served = serve(&bytes, &[bytes.len()]).await;
    assert_eq!(served.statuses(), [200, 200, 400]);
    assert_eq!(served.violation, Some("no Host header"));
}

#[tokio::test]
async fn no_tunnel_means_checks_go_on() {
    let upgrade = "GET / HTTP/1.1\r\nhost: a\r\nupgrade: x\r\n\r\n";
    let bytes = [NEXT, upgrade, NEXT, "GET / HTTP/1.1\nhost: a\r\n\r\n", NEXT].concat();
    for size in [1, 7, bytes.len()] {
        let served = serve(&bytes, &[size]).await;
        assert_eq!(served.statuses(), [200, 200, 200, 400]);
        assert_eq!(served.violation, Some("bare CR or LF"));
    }
}

#[tokio::test]
async fn a_tunnel_is_left_alone() {
    let early = "\0not HTTP\n";
    for (request, answer) in [
        (
            "GET / HTTP/1.1\r\nhost: a\r\nupgrade: echo\r\n\r\n",
            Answer::Switch,
        ),
        ("CONNECT b:443 HTTP/1.1\r\nhost: b\r\n\r\n", Answer::Connect),
    ] {
        let bytes = [NEXT, request, early, early].concat();
        for size in [1, 50, bytes.len()] {
            let served = wire::serve_with(&bytes, &[size], answer).await;
            assert_eq!(
                served.tunnelled,
                [early, early].concat().as_bytes(),
                "{request}"
            );
            assert_eq!(served.violation, None);
        }
    }
}

/// Unread bytes would make the kernel reset the connection when it is closed,
/// and a reset can take the answer with it.
#[tokio::test]
async fn what_was_sent_behind_a_refused_head_is_read_away() {
    let (mut client, server) = tokio::io::duplex(10_000);
    let (mut guarded, handle) = Guarded::new(server);
    let bytes = ["GET / HTTP/1.1\r\n\r\n", &"x".repeat(10_000)].concat();
    client.write_all(&bytes.as_bytes()[..10_000]).await.unwrap();
    let mut passed = String::new();
    guarded.read_to_string(&mut passed).await.unwrap();
    assert_eq!(passed, "GET / HTTP/1.1\r\n\r\0\r\n\r\n");
    assert_eq!(handle.violation(), Some("no Host header"));
    guarded.shutdown().await.unwrap();
    // All the room is there again.
    client
        .write_all(&[0; 10_000])
        .now_or_never()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn too_much_is_hypers_to_refuse() {
    let long = "x".repeat(1 << 20);
    let many = "x: y\r\n".repeat(200);
    for fields in [format!("x: {long}\r\n"), many] {
        let bytes = format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
        let served = serve(&bytes, &[8192]).await;
        assert_eq!(served.statuses(), [431]);
        assert_eq!(served.violation, None);
    }
}
