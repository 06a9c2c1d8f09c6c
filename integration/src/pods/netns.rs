//! A network namespace, and how to do things in it.
//!
//! A thread that has moved into a namespace makes sockets and starts processes there; the sockets stay there when other threads
//! use them. So everything is done by short-lived threads, and no unsafe code runs between fork and exec.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A network namespace; gone when dropped and nothing runs in it any more.
#[derive(Debug)]
pub struct Netns {
    name: String,
    file: File,
}

/// `ip netns add` prepares its folder, which two at once would do twice.
static ADDING: Mutex<()> = Mutex::new(());

impl Netns {
    pub(super) fn create(name: &str) -> Self {
        let adding = ADDING.lock();
        pipe_to(Command::new("ip").args(["netns", "add", name]), "");
        drop(adding);
        let file = File::open(format!("/run/netns/{name}")).unwrap();
        let name = name.to_owned();
        Self { name, file }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What `act` returns, run by a thread in this namespace.
    ///
    /// # Panics
    /// As `act` does.
    pub fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            act()
        };
        let done = thread::scope(|scope| scope.spawn(inside).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A connection from this namespace, by root: interception applies.
    ///
    /// # Errors
    /// As the connection has them.
    pub fn connect(&self, addr: SocketAddr) -> io::Result<TcpStream> {
        let stream = self.within(|| TcpStream::connect_timeout(&addr, PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// The body that a plain HTTP server answers with, if its status is 200.
    #[must_use]
    pub fn get(&self, addr: SocketAddr, path: &str) -> Option<String> {
        let mut stream = self.connect(addr).ok()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n"
        )
        .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
    }

    /// Runs lines of `ip` in this namespace.
    pub(super) fn ip(&self, lines: &str) {
        let mut ip = Command::new("ip");
        pipe_to(ip.args(["-n", &self.name, "-batch", "-"]), lines);
    }

    /// Applies nftables rules in this namespace.
    ///
    /// # Panics
    /// When they are wrong.
    pub fn nft(&self, rules: &str) {
        self.within(|| pipe_to(Command::new("nft").args(["-f", "-"]), rules));
    }

    /// Writes settings below `/proc/sys/net` of this namespace.
    pub(super) fn set(&self, settings: &[(&str, &str)]) {
        self.within(|| {
            for (name, value) in settings {
                std::fs::write(format!("/proc/sys/net/{name}"), value)
                    .unwrap_or_else(|error| panic!("net.{name} can't be set: {error}"));
            }
        });
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let mut ip = Command::new("ip");
        ip.args(["netns", "del", &self.name]).status().ok();
    }
}

/// Runs a program that takes its instructions from standard input.
fn pipe_to(command: &mut Command, input: &str) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let written = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && written.is_ok(),
        "{command:?} failed: {said}\nIts input was:\n{input}"
    );
}
