//! The API server of a kept cluster, for people outside of its network namespace.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where it listens inside.
const API_SERVER: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 6443);

/// A port of this machine; connections wait until [`forward`] takes them.
pub(super) fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Connects whoever comes to the API server in the network namespace of process `pid`, as long as this process lives.
pub(super) fn forward(listener: TcpListener, pid: u32) {
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || carry(client, pid).ok());
        }
    });
}

/// In a thread of its own, which then is in that namespace.
fn carry(client: TcpStream, pid: u32) -> io::Result<()> {
    // The listener was made outside, and so were its connections: only what is made here is inside.
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    let server = TcpStream::connect(API_SERVER)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let up = thread::spawn(move || {
        io::copy(&mut from_client, &mut to_server).ok();
        to_server.shutdown(Shutdown::Write).ok();
    });
    let (mut from_server, mut to_client) = (server, client);
    io::copy(&mut from_server, &mut to_client).ok();
    to_client.shutdown(Shutdown::Write).ok();
    up.join().ok();
    Ok(())
}
