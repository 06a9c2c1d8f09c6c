//! A protocol in which the server speaks first, which no proxy can detect.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Failure, address, pod, terminated};

pub(super) async fn greet(port: &str) -> Result<(), Failure> {
    let listener = TcpListener::bind(("0.0.0.0", port.parse()?)).await?;
    let greeting = format!("{}\n", pod());
    let greet_all = async {
        loop {
            let (mut stream, _) = listener.accept().await?;
            // Whoever hangs up early has missed it.
            stream.write_all(greeting.as_bytes()).await.ok();
        }
    };
    tokio::select! {
        ended = greet_all => ended,
        signalled = terminated() => signalled,
    }
}

pub(super) async fn hear(server: &str) -> Result<(), Failure> {
    let (host, port) = server.split_once(':').ok_or("no port")?;
    let mut stream = TcpStream::connect(address(host, port.parse()?).await?).await?;
    let mut said = String::new();
    stream.read_to_string(&mut said).await?;
    print!("{said}");
    if said.is_empty() {
        return Err("it said nothing".into());
    }
    Ok(())
}
