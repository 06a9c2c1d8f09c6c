use super::*;
use metrics::Counter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_test::io::Builder;

/// A counter and a way to read it.
pub(crate) fn counter() -> (Counter, impl Fn() -> u64) {
    let count = Arc::new(AtomicU64::new(0));
    let counter = Counter::from_arc(count.clone());
    (counter, move || count.load(Ordering::Relaxed))
}

#[tokio::test]
async fn the_prefix_comes_first_then_the_stream() {
    let io = Builder::new().read(b" world").build();
    let mut io = Prefixed::new(io, Bytes::from_static(b"hello"));
    let mut two = [0; 2];
    io.read_exact(&mut two).await.unwrap();
    assert_eq!((&two, &io.prefix()[..]), (b"he", &b"llo"[..]));
    let mut rest = String::new();
    io.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "llo world");
}

#[tokio::test]
async fn writes_do_not_wait_for_the_prefix() {
    let io = Builder::new().write(b"ping").build();
    let mut io = Prefixed::new(io, Bytes::from_static(b"unread"));
    io.write_all(b"ping").await.unwrap();
    assert_eq!(&io.into_parts().1[..], b"unread");
}

#[tokio::test]
async fn vectored_writes_stay_vectored_and_are_counted() {
    let (near, mut far) = duplex(64);
    let ((read, reads), (write, writes)) = (counter(), counter());
    let counted = Counted::new(near, Arc::new(ByteCounters { read, write }));
    let mut io = Prefixed::new(counted, Bytes::new());
    assert!(io.is_write_vectored());
    let n = io
        .write_vectored(&[io::IoSlice::new(b"ab"), io::IoSlice::new(b"cde")])
        .await
        .unwrap();
    assert_eq!((n, writes()), (5, 5));
    io.write_all(b"f").await.unwrap();
    far.write_all(b"123").await.unwrap();
    io.read_exact(&mut [0; 3]).await.unwrap();
    assert_eq!((reads(), writes()), (3, 6));
}

#[tokio::test]
async fn bulk_is_read_ahead_and_small_messages_are_not() {
    let bulk: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let io = Builder::new()
        .read(&bulk[..8])
        // Asked for 8 and got them: all there is comes at once.
        .read(&bulk[8..1000])
        .read(b"end")
        .build();
    let mut io = ReadAhead::new(io);
    let mut seen = Vec::new();
    while seen.len() < bulk.len() {
        let mut eight = [0; 8];
        let n = io.read(&mut eight).await.unwrap();
        seen.extend_from_slice(&eight[..n]);
    }
    assert_eq!(seen, bulk);
    let mut eight = [0; 8];
    assert_eq!(io.read(&mut eight).await.unwrap(), 3);
    assert!(io.is_without_buffer());
    assert_eq!(io.read(&mut eight).await.unwrap(), 0);
}
