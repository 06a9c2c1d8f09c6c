use super::*;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio_test::io::Builder;

const TIMEOUT: Duration = Duration::from_secs(1);

fn header(port: u16) -> TransportHeader {
    TransportHeader {
        port,
        name: None,
        session: None,
    }
}

fn raw(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [PREFACE, &length, message].concat()
}

async fn read(bytes: &[u8]) -> Result<TransportHeader, HeaderError> {
    TransportHeader::read(bytes, TIMEOUT).await
}

/// Bytes written out by hand from the protobuf encoding rules, so that our two
/// sides agreeing is not the proof.
#[tokio::test]
async fn the_bytes_are_linkerds() {
    let cases: [(TransportHeader, &[u8]); 4] = [
        (header(5432), b"\x08\xb8\x2a"),
        (
            TransportHeader {
                name: Some("web.shop:80".into()),
                ..header(4143)
            },
            b"\x08\xaf\x20\x12\x0bweb.shop:80",
        ),
        (
            TransportHeader {
                session: Some(SessionProtocol::Http1),
                ..header(80)
            },
            b"\x08\x50\x1a\x02\x0a\x00",
        ),
        (
            TransportHeader {
                session: Some(SessionProtocol::Http2),
                ..header(80)
            },
            b"\x08\x50\x1a\x02\x12\x00",
        ),
    ];
    for (header, message) in cases {
        assert_eq!(header.encode(), raw(message));
        assert_eq!(read(&raw(message)).await.unwrap(), header);
    }
}

#[tokio::test]
async fn what_we_do_not_know_is_passed_over() {
    // A session protocol of a later version, and a field of a later version.
    assert_eq!(
        read(&raw(b"\x08\x50\x1a\x02\x1a\x00\x20\x01"))
            .await
            .unwrap(),
        header(80)
    );
}

#[tokio::test]
async fn nothing_after_the_header_is_taken() {
    let bytes = [&header(80).encode()[..], b"the rest"].concat();
    let mut io = &bytes[..];
    TransportHeader::read(&mut io, TIMEOUT).await.unwrap();
    assert_eq!(io, b"the rest");
}

#[tokio::test]
async fn every_fault_has_its_name() {
    let is_named = async |bytes: &[u8], name: &str| {
        let error = read(bytes).await.unwrap_err();
        assert!(
            format!("{error:?}").starts_with(name),
            "{error:?}, not {name}"
        );
    };
    is_named(b"GET / HTTP/1.1\r\nhost: web.shop\r\n\r\n", "Preface").await;
    is_named(b"", "Truncated").await;
    is_named(&PREFACE[..9], "Truncated").await;
    is_named(&raw(b"\x08\x50")[..28], "Truncated").await;
    is_named(&[PREFACE, &[0xff; 4]].concat(), "TooLong(4294967295)").await;
    is_named(&[PREFACE, &[0, 0, 4, 1]].concat(), "TooLong(1025)").await;
    is_named(&raw(b"\x08"), "Decode").await;
    is_named(&raw(b"\x12\x02\xff\xff"), "Decode").await; // A name that is no UTF-8.
    is_named(&raw(b""), "Port(0)").await;
    is_named(&raw(b"\x08\x80\x80\x04"), "Port(65536)").await;
    is_named(
        &raw(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        "Port(-1)",
    )
    .await;
    let io = Builder::new()
        .read_error(io::ErrorKind::ConnectionReset.into())
        .build();
    let error = TransportHeader::read(io, TIMEOUT).await.unwrap_err();
    assert!(matches!(error, HeaderError::Io(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_is_given_up() {
    let (mut near, far) = tokio::io::duplex(64);
    near.write_all(&header(80).encode()[..25]).await.unwrap();
    let error = TransportHeader::read(far, TIMEOUT).await.unwrap_err();
    assert!(matches!(error, HeaderError::TimedOut(TIMEOUT)), "{error:?}");
}

fn headers() -> impl Strategy<Value = TransportHeader> {
    use SessionProtocol::*;
    let session = prop_oneof![Just(None), Just(Some(Http1)), Just(Some(Http2))];
    let name = proptest::option::of("[a-z.:0-9]{1,253}");
    (1..=u16::MAX, name, session).prop_map(|(port, name, session)| TransportHeader {
        port,
        name,
        session,
    })
}

/// `bytes` arriving in pieces of the given sizes.
fn segmented(bytes: &[u8], sizes: &[usize]) -> tokio_test::io::Mock {
    let mut mock = Builder::new();
    let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(1).min(rest.len());
        mock.read(&rest[..size]);
        rest = &rest[size..];
    }
    mock.build()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(future)
}

proptest! {
    #[test]
    fn any_header_in_any_segments_comes_back(
        header in headers(),
        sizes in proptest::collection::vec(1..64usize, 1..8),
    ) {
        let io = segmented(&header.encode(), &sizes);
        prop_assert_eq!(block_on(TransportHeader::read(io, TIMEOUT)).unwrap(), header);
    }

    #[test]
    fn random_messages_never_panic(message in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = block_on(read(&raw(&message)));
        let _ = block_on(read(&message));
    }
}
