//! The application beside nginx: HTTP/2 without TLS, gRPC, and bytes. Runs as a process of its own, on one thread.

use std::io;
use std::net::SocketAddr;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::server::{Connection, SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

/// Of the gRPC method, which returns what it gets.
pub const GRPC_PATH: &str = "/bench.Echo/Say";
/// First byte of a TCP connection that wants its bytes back.
pub const ECHO: u8 = b'e';
/// First byte of a TCP connection that wants as many bytes as possible.
pub const POUR: u8 = b'p';
/// Bytes of one write.
const CHUNK: usize = 256 * 1024;
/// Wide enough that no window is waited for.
const WINDOW: u32 = 4 << 20;
/// The largest body that is asked for.
const MAX_BODY: usize = 64 << 20;

/// A message of `size` bytes in gRPC's frame.
#[must_use]
pub fn grpc_message(size: usize) -> Bytes {
    let mut message = BytesMut::with_capacity(5 + size);
    message.put_u8(0);
    message.put_u32(u32::try_from(size).expect("messages are small"));
    message.put_bytes(b'g', size);
    message.freeze()
}

/// Serves HTTP/2 and TCP until the process ends.
///
/// # Errors
/// When an address can't be listened on.
pub fn serve(http2: SocketAddr, tcp: SocketAddr) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let http2 = TcpListener::bind(http2).await?;
        let tcp = TcpListener::bind(tcp).await?;
        loop {
            tokio::select! {
                accepted = http2.accept() => {
                    tokio::task::spawn_local(async move { serve_http2(accepted?.0).await.map_err(io::Error::other) });
                }
                accepted = tcp.accept() => {
                    tokio::task::spawn_local(async move { serve_bytes(accepted?.0).await });
                }
            }
        }
    })
}

async fn serve_http2(stream: TcpStream) -> Result<(), h2::Error> {
    stream.set_nodelay(true).ok();
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(10_000);
    let mut connection: Connection<_, Bytes> = builder.handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::task::spawn_local(answer(request, respond));
    }
    Ok(())
}

async fn answer(
    request: Request<h2::RecvStream>,
    respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    if request.uri().path() == GRPC_PATH {
        return echo_call(request, respond).await;
    }
    let size = request.uri().path().trim_start_matches('/').parse();
    match size {
        Ok(size) if size <= MAX_BODY => body_of(size, respond),
        _ => refuse(respond),
    }
}

fn body_of(size: usize, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let response = Response::builder()
        .header("content-length", size)
        .body(())
        .expect("a number is a valid header");
    let mut stream = respond.send_response(response, size == 0)?;
    if size > 0 {
        stream.send_data(vec![b'b'; size].into(), true)?;
    }
    Ok(())
}

fn refuse(mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    respond.send_response(response, true).map(drop)
}

async fn echo_call(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let mut body = request.into_body();
    let mut message = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        message.extend_from_slice(&data);
    }
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .expect("a literal is a valid header");
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(message.freeze(), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

async fn serve_bytes(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; CHUNK];
    match stream.read_u8().await? {
        POUR => loop {
            stream.write_all(&buffer).await?;
        },
        _ => loop {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            stream.write_all(&buffer[..read]).await?;
        },
    }
}
