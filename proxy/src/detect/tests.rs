use super::*;
use proptest::prelude::*;
use std::sync::Arc;
use tokio::io::{AsyncWriteExt, duplex};

const TIMEOUT: Duration = Duration::from_secs(3);

/// The number of bytes at which `bytes` are decided, and how.
fn decided(bytes: &[u8]) -> (usize, Detected) {
    let first = (0..=bytes.len()).find_map(|n| Some((n, classify(&bytes[..n])?)));
    first.unwrap_or_else(|| panic!("undecided: {:?}", String::from_utf8_lossy(bytes)))
}

#[test]
fn http_is_known_by_its_first_line() {
    for (bytes, at) in [
        ("GET / HTTP/1.1\r\nhost: web\r\n\r\n", 13),
        ("POST /a?b=%20 HTTP/1.0\r\n", 21),
        ("CONNECT web.shop:443 HTTP/1.1\r\n", 28),
        ("GET http://web.shop/ HTTP/1.1\r\n", 28),
        ("OPTIONS * HTTP/1.1\r\n", 17),
        ("PROPFIND /x HTTP/1.1\r\n", 19),
        ("M-SEARCH * HTTP/1.1\r\n", 18),
        ("x / HTTP/1.9\r\n", 11),
        ("PRI /not-the-preface HTTP/1.1\r\n", 28),
        ("\r\n\r\nGET / HTTP/1.1\r\n", 17),
        ("GET /caf\u{e9} HTTP/1.1\r\n", 18),
    ] {
        assert_eq!(decided(bytes.as_bytes()), (at, Detected::Http1), "{bytes}");
    }
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_eq!(decided(preface), (14, Detected::H2));
}

#[test]
fn other_protocols_are_known_by_their_first_bytes() {
    let cases: [(&[u8], usize); 21] = [
        (b"\x00\x00\x00\x54\x00\x03\x00\x00user", 1), // PostgreSQL
        (b"*1\r\n$4\r\nPING\r\n", 3),                 // Redis
        (b"PING\r\n", 5),                             // Redis, inline
        (b"\x10\x1a\x00\x04MQTT", 1),                 // MQTT
        (b"AMQP\x00\x00\x09\x01", 5),                 // AMQP
        (b"SSH-2.0-OpenSSH_9.9\r\n", 20),             // SSH
        (b"SSH-2.0-OpenSSH_9.9 Debian-1\r\n", 29),    // SSH
        (b"EHLO client.example\r\n", 20),             // SMTP
        (b"220 smtp.example ESMTP ready\r\n", 18),    // SMTP's server side
        (b"get key\r\n", 8),                          // memcached
        (b"set key 0 900 5\r\nvalue\r\n", 9),         // memcached
        (b"CONNECT {\"verbose\":false}\r\n", 27),     // NATS
        (b"\x3a\x00\x00\x00\x01\x00\x00\x00", 1),     // MongoDB
        (b"A\x00\x00\x00\x01\x00\x00\x00", 2),        // MongoDB, a length that is a letter
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", 12), // PROXY protocol 1
        (b"\r\n\r\n\x00\r\nQUIT\n", 5),               // PROXY protocol 2
        (b"GET /index.html\r\n", 17),                 // HTTP/0.9
        (b"GET key\r\n", 9),                          // Redis, inline
        (b"get / HTTP/2.0\r\n", 12),                  // A method is in capitals
        (b"PRI * HTTP/3.0\r\n", 12),                  // No preface that is known
        (b"a-token-longer-than-any-method-is\r\n", 33),
    ];
    for (bytes, at) in cases {
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(decided(bytes), (at, Detected::Opaque), "{shown}");
    }
}

#[test]
fn what_a_careless_server_takes_for_a_request_is_left_to_http() {
    for line in [
        "GET  / HTTP/1.1\r\n",
        "GET\t/ HTTP/1.1\r\n",
        "GET / \tHTTP/1.1\n",
        "POST / x HTTP/1.1 \r\n",
        "GET / HTTP/2.0\r\n",
        "GET / HTTP/11\r\n",
    ] {
        assert_eq!(
            decided(line.as_bytes()),
            (line.len(), Detected::Http1),
            "{line:?}"
        );
    }
}

#[test]
fn beginnings_wait_for_more() {
    for bytes in [
        "",
        "G",
        "GET",
        "GET ",
        "GET /",
        "GET / HTTP/1",
        "PRI * HTTP/2",
        "\r",
        "\r\nG",
    ] {
        assert_eq!(classify(bytes.as_bytes()), None, "{bytes:?}");
    }
}

#[test]
fn a_long_target_is_left_to_http() {
    let mut line = b"GET /".to_vec();
    line.resize(MAX_PREFIX - 1, b'a');
    assert_eq!(classify(&line), None);
    line.push(b'a');
    assert_eq!(classify(&line), Some(Detected::Http1));
}

/// The first flight of rustls, which we did not write.
fn real_hello(name: &'static str, alpn: &[&[u8]]) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = name.try_into().unwrap();
    let mut client = rustls::ClientConnection::new(config.into(), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

fn tls(sni: Option<&str>, alpn: &[&[u8]]) -> Detected {
    let alpn = alpn.iter().map(|name| name.to_vec()).collect();
    Detected::Tls(ClientHello {
        sni: sni.map(Into::into),
        alpn,
    })
}

/// The same handshake message in records of at most `size` bytes.
fn fragmented(hello: &[u8], size: usize) -> Vec<u8> {
    let records = hello[5..].chunks(size);
    records
        .flat_map(|part| [&record_header(part.len())[..], part].concat())
        .collect()
}

fn record_header(length: usize) -> [u8; 5] {
    let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
    [22, 3, 1, high, low]
}

#[test]
fn a_client_hello_is_read_whole() {
    let hello = real_hello("Web.Shop.serviceaccount.example", &[b"h2", b"http/1.1"]);
    let expected = tls(
        Some("web.shop.serviceaccount.example"),
        &[b"h2", b"http/1.1"],
    );
    assert_eq!(decided(&hello), (hello.len(), expected.clone()));
    for size in [1, 4, 100] {
        let records = fragmented(&hello, size);
        assert_eq!(decided(&records), (records.len(), expected.clone()));
    }
    // An address has no server name.
    assert_eq!(decided(&real_hello("10.0.0.1", &[])).1, tls(None, &[]));
}

#[test]
fn what_only_starts_like_tls_is_opaque_at_once() {
    for (bytes, at) in [
        (&b"\x16\x02\x01"[..], 2),
        (b"\x16\x03\x09", 3),
        (b"\x16\x03\x01\x00\x00", 5),                 // An empty record
        (b"\x16\x03\x01\x41", 4),                     // A record over 16 KiB
        (b"\x16\x03\x01\x02\x00\x02", 6),             // A ServerHello
        (b"\x16\x03\x01\x02\x00\x01\x01\x00\x00", 9), // A message of 64 KiB
        (b"\x16\x03\x01\x00\x01\x01\x15", 7),         // An alert within the message
        (b"\x15\x03\x01\x00\x02\x02\x28", 1),         // An alert
    ] {
        assert_eq!(decided(bytes), (at, Detected::Opaque), "{bytes:x?}");
    }
}

/// A ClientHello with one extension, lengths right.
fn hello_with(extension: &[u8]) -> Vec<u8> {
    let length = |n: usize| u16::try_from(n).unwrap().to_be_bytes();
    let mut body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 1], &[1, 0]].concat();
    body.extend(length(extension.len()));
    body.extend(extension);
    let message = [&[1, 0][..], &length(body.len()), &body].concat();
    [&record_header(message.len())[..], &message].concat()
}

#[test]
fn odd_server_names_are_none_and_false_lengths_opaque() {
    let sni = |name: &[u8]| {
        let n = u8::try_from(name.len()).unwrap();
        [&[0, 0, 0, n + 5, 0, n + 3, 0, 0, n][..], name].concat()
    };
    for (name, expected) in [
        (&b"a_b.C"[..], Some("a_b.c")),
        (b"", None),
        (b"nul\x00.example", None),
        (b"caf\xc3\xa9.example", None),
        (b"a b", None),
    ] {
        assert_eq!(
            decided(&hello_with(&sni(name))).1,
            tls(expected, &[]),
            "{name:?}"
        );
    }
    for extension in [
        &b"\x00\x00\x00\x09\x00"[..],     // An extension longer than all of them
        b"\x00\x00\x00\x03\x00\x09\x00",  // A name list longer than its extension
        b"\x00\x10\x00\x04\x00\x02\x09h", // A protocol longer than its list
        b"\x00",
    ] {
        assert_eq!(
            decided(&hello_with(extension)).1,
            Detected::Opaque,
            "{extension:x?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_read_is_given_back() {
    let (mut client, server) = duplex(4096);
    client.write_all(b"GET / HT").await.unwrap();
    let detecting = tokio::spawn(detect(server, TIMEOUT));
    tokio::task::yield_now().await;
    client.write_all(b"TP/1.1\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    let (detected, mut io) = detecting.await.unwrap().unwrap();
    assert_eq!(detected, Detected::Http1);
    let mut all = String::new();
    io.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "GET / HTTP/1.1\r\n");
}

/// What a client is that sends `part` and no more.
async fn stalled(part: &[u8]) -> Detected {
    let (mut client, server) = duplex(4096);
    client.write_all(part).await.unwrap();
    let start = tokio::time::Instant::now();
    let (detected, io) = detect(server, TIMEOUT).await.unwrap();
    assert_eq!((&io.prefix()[..], start.elapsed()), (part, TIMEOUT));
    detected
}

#[tokio::test(start_paused = true)]
async fn silence_and_halves_time_out() {
    let hello = real_hello("web.shop", &[]);
    for part in [&b""[..], b"\r\n", b"SSH-2.0-x", &hello[..hello.len() / 2]] {
        assert_eq!(stalled(part).await, Detected::TimedOut, "{part:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_request_line_is_not_opaque_after_a_while() {
    for part in [
        "G",
        "GET",
        "GET ",
        "\r\nPOST /x",
        "x-method /",
        "GET / HTTP/1",
        "CONNECT a:1 ",
    ] {
        assert_eq!(stalled(part.as_bytes()).await, Detected::Http1, "{part:?}");
    }
    assert_eq!(stalled(b"PRI * HTTP").await, Detected::H2);
}

#[tokio::test(start_paused = true)]
async fn an_end_is_told_from_silence() {
    for (part, expected) in [(&b""[..], Detected::Closed), (b"GET /", Detected::Opaque)] {
        let start = tokio::time::Instant::now();
        let (detected, io) = detect(part, TIMEOUT).await.unwrap();
        assert_eq!((detected, &io.prefix()[..]), (expected, part));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}

#[tokio::test]
async fn a_reset_is_an_error() {
    let reset = io::ErrorKind::ConnectionReset;
    let io = tokio_test::io::Builder::new()
        .read(b"GET")
        .read_error(reset.into())
        .build();
    assert_eq!(detect(io, TIMEOUT).await.unwrap_err().kind(), reset);
}

#[tokio::test]
async fn no_more_than_the_bound_is_read() {
    let endless = [&b"GET /"[..], &[b'a'; 4 * MAX_PREFIX]].concat();
    let (detected, io) = detect(&endless[..], TIMEOUT).await.unwrap();
    assert_eq!((detected, io.prefix().len()), (Detected::Http1, MAX_PREFIX));
}

proptest! {
    #[test]
    fn random_bytes_never_panic_and_a_decision_stands(
        start in prop_oneof![
            Just(&b""[..]), Just(&b"\x16\x03\x01"[..]), Just(&b"\x16\x03\x01\x00\x20\x01\x00"[..]),
            Just(&b"GET "[..]), Just(&b"PRI * "[..]), Just(&b"\r\n"[..]),
        ],
        rest in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let bytes = [start, &rest].concat();
        let decisions: Vec<_> = (0..=bytes.len()).map(|n| classify(&bytes[..n])).collect();
        let first = decisions.iter().position(Option::is_some).unwrap_or(decisions.len());
        prop_assert!(decisions[first..].iter().all(|decision| *decision == decisions[first]));
    }

    #[test]
    fn damaged_hellos_never_panic(at in 0..200usize, with in any::<u8>(), cut in 0..200usize) {
        let mut hello = real_hello("web.shop", &[b"h2"]);
        let at = at.min(hello.len() - 1);
        hello[at] = with;
        let _ = classify(&hello);
        let _ = classify(&hello[..cut.min(hello.len())]);
    }

    #[test]
    fn the_bound_always_decides(start in "(\r\n)*|[A-Z]{0,9}", fill in any::<u8>()) {
        let mut bytes = start.into_bytes();
        bytes.resize(MAX_PREFIX, fill);
        prop_assert!(classify(&bytes).is_some());
    }
}
