use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::task::JoinHandle;

const OPTIONS: SpliceOptions = SpliceOptions {
    idle_timeout: Duration::from_secs(60),
    buffer: 64 * 1024,
};

type Ended = JoinHandle<Result<Transferred, SpliceError>>;

/// A client and a server with a splice between them.
fn spliced(size: usize) -> (DuplexStream, DuplexStream, Ended) {
    let (client, mut a) = duplex(size);
    let (mut b, server) = duplex(size);
    let ended = tokio::spawn(async move { splice(&mut a, &mut b, OPTIONS).await });
    (client, server, ended)
}

#[tokio::test]
async fn each_side_may_close_its_half() {
    let (mut client, mut server, ended) = spliced(64);
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut question = String::new();
    server.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question");
    // The other direction goes on after the end of the first.
    server.write_all(b"a longer answer").await.unwrap();
    server.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "a longer answer");
    assert_eq!(
        ended.await.unwrap().unwrap(),
        Transferred {
            a_to_b: 8,
            b_to_a: 15
        }
    );
}

#[tokio::test(start_paused = true)]
async fn silence_both_ways_ends_it() {
    let (mut client, mut server, ended) = spliced(64);
    // One direction speaking keeps both alive, ten times over the timeout.
    for _ in 0..15 {
        tokio::time::advance(OPTIONS.idle_timeout * 2 / 3).await;
        server.write_all(b"tick").await.unwrap();
        client.read_exact(&mut [0; 4]).await.unwrap();
    }
    let silent_since = Instant::now();
    let error = ended.await.unwrap().unwrap_err();
    assert_eq!(
        silent_since.elapsed().as_secs(),
        OPTIONS.idle_timeout.as_secs()
    );
    assert_eq!(error.side, Side::Both);
    assert!(matches!(error.cause, SpliceCause::Idle(_)), "{error}");
    assert_eq!(
        error.transferred,
        Transferred {
            a_to_b: 0,
            b_to_a: 60
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_the_sender_back() {
    let (mut client, mut server, ended) = spliced(1024);
    let (kib, mut sent) = ([7; 1024], 0);
    // What fits is two pipes of 1 KiB and one buffer; then the sender waits.
    while tokio::time::timeout(Duration::from_millis(20), client.write_all(&kib))
        .await
        .is_ok()
    {
        sent += kib.len();
        assert!(sent <= 2 * 1024 + OPTIONS.buffer, "unbounded");
    }
    drop(client);
    let mut received = Vec::new();
    server.read_to_end(&mut received).await.unwrap();
    assert!(received.len() >= sent);
    drop(server);
    assert_eq!(ended.await.unwrap().unwrap().a_to_b, received.len() as u64);
}

/// A stream that does as told, in order, then stays silent.
#[derive(Default)]
struct Script {
    reads: VecDeque<io::Result<&'static [u8]>>,
    write: Option<io::ErrorKind>,
    written: Vec<u8>,
    flushed: usize,
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.reads.pop_front() {
            Some(read) => Poll::Ready(read.map(|bytes| buf.put_slice(bytes))),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(error) = self.write {
            return Poll::Ready(Err(error.into()));
        }
        self.written.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed = self.written.len();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
    }
}

#[tokio::test]
async fn a_reset_is_told_with_its_side() {
    let mut a = Script {
        reads: [Ok(&b"hi"[..])].into(),
        ..Script::default()
    };
    let reset = Err(io::ErrorKind::ConnectionReset.into());
    let mut b = Script {
        reads: [Ok(&b"half an ans"[..]), reset].into(),
        ..Script::default()
    };
    let error = splice(&mut a, &mut b, OPTIONS).await.unwrap_err();
    assert_eq!(error.side, Side::B);
    assert!(matches!(error.cause, SpliceCause::Read(_)), "{error}");
    assert_eq!(
        (&a.written[..], &b.written[..]),
        (&b"half an ans"[..], &b"hi"[..])
    );
    assert_eq!(
        error.transferred,
        Transferred {
            a_to_b: 2,
            b_to_a: 11
        }
    );
}

#[tokio::test]
async fn an_answer_survives_that_its_sender_stopped_listening() {
    let mut a = Script {
        reads: [Ok(&b"upload"[..])].into(),
        ..Script::default()
    };
    let mut b = Script {
        reads: [Ok(&b"413 "[..]), Ok(&b"too large"[..])].into(),
        write: Some(io::ErrorKind::BrokenPipe),
        ..Script::default()
    };
    let error = splice(&mut a, &mut b, OPTIONS).await.unwrap_err();
    assert!(
        matches!((error.side, &error.cause), (Side::B, SpliceCause::Write(_))),
        "{error}"
    );
    assert_eq!((&a.written[..], a.flushed), (&b"413 too large"[..], 13));
}

#[tokio::test]
async fn a_sink_that_is_gone_already_may_refuse_its_shutdown() {
    let mut a = Script {
        reads: [Ok(&b""[..])].into(),
        ..Script::default()
    };
    let mut b = Script {
        reads: [Ok(&b""[..])].into(),
        ..Script::default()
    };
    splice(&mut a, &mut b, OPTIONS).await.unwrap();
}

#[test]
fn what_was_written_is_flushed_when_the_reader_waits() {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut pipe = Pipe::new(Side::A, Side::B, 1024);
    let mut a = Script {
        reads: [Ok(&b"hello"[..])].into(),
        ..Script::default()
    };
    let mut b = Script::default();
    assert!(pipe.poll(&mut cx, &mut a, &mut b).is_pending());
    assert_eq!(b.flushed, 5);
    assert!(pipe.take_progress());
    assert!(pipe.poll(&mut cx, &mut a, &mut b).is_pending());
    assert!(!pipe.take_progress());
}

#[test]
fn a_sender_that_never_pauses_gives_way() {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut pipe = Pipe::new(Side::A, Side::B, OPTIONS.buffer);
    let (mut a, mut b) = (tokio::io::repeat(1), tokio::io::sink());
    assert!(pipe.poll(&mut cx, &mut a, &mut b).is_pending());
    // 8 KiB, doubled to 64 KiB while reads are full: bulk soon moves in big pieces.
    assert!(pipe.delivered() > 512 * 1024, "{}", pipe.delivered());
    assert!(pipe.delivered() < 1024 * 1024, "{}", pipe.delivered());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn all_bytes_arrive_in_order(
        there in proptest::collection::vec(any::<u8>(), 0..8_000),
        back in proptest::collection::vec(any::<u8>(), 0..8_000),
        size in 1..5_000usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (client, server, ended) = spliced(size);
            let speak = async |io: DuplexStream, say: &[u8]| {
                let (mut read, mut write) = tokio::io::split(io);
                let mut heard = Vec::new();
                let write = async { write.write_all(say).await?; write.shutdown().await };
                tokio::try_join!(write, read.read_to_end(&mut heard)).unwrap();
                heard
            };
            let heard = tokio::join!(speak(client, &there), speak(server, &back));
            assert_eq!(heard, (back, there));
            ended.await.unwrap().unwrap();
        });
    }
}
