//! Bytes: round trips, or as many as the way lets through.

use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Load, LoadError, Shared};
use crate::app;

const BUFFER: usize = 256 * 1024;

/// A connection to the application's TCP port.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
}

impl Connection {
    pub(super) async fn open(load: &Load) -> Result<Self, LoadError> {
        let mut stream = TcpStream::connect(load.target).await?;
        stream.set_nodelay(true)?;
        let wish = if load.case.is_bulk() {
            app::POUR
        } else {
            app::ECHO
        };
        stream.write_all(&[wish]).await?;
        Ok(Self { stream })
    }
}

/// Makes round trips until the end, or reads all that comes.
pub(super) async fn work(connection: Connection, shared: Rc<Shared>) {
    let result = if shared.load.case.is_bulk() {
        drain(connection, &shared).await
    } else {
        round_trips(connection, &shared).await
    };
    if let Err(error) = result {
        let mut sample = shared.sample.borrow_mut();
        sample.failed += 1;
        sample.failure.get_or_insert_with(|| error.to_string());
    }
}

async fn drain(mut connection: Connection, shared: &Shared) -> Result<(), LoadError> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match connection.stream.read(&mut buffer).await? {
            0 => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            read => shared.moved(read),
        }
    }
}

async fn round_trips(mut connection: Connection, shared: &Shared) -> Result<(), LoadError> {
    let message = vec![b'm'; shared.load.case.bytes()];
    let mut answer = message.clone();
    while let Some(due) = shared.due().await {
        connection.stream.write_all(&message).await?;
        connection.stream.read_exact(&mut answer).await?;
        shared.record(due, &Ok(()));
    }
    Ok(())
}
