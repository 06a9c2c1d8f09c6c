//! What goes over the network of the node, and so from pod to pod, as somebody sees it who has broken into the node.
//!
//! A packet socket, read by a thread: a capture that is searched for texts, so none needs to be written or dissected. A text that a
//! sender's kernel has cut in two is not found, so senders repeat it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, eth, recv, socket_with};

/// How often the thread looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(200);
/// More than an offloaded packet can have.
const PACKET: usize = 128 * 1024;
/// For what comes while the thread has no processor.
const BUFFER: usize = 64 * 1024 * 1024;

/// Counts packets with certain texts in them, until dropped.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    texts: Vec<(String, AtomicU64)>,
    stop: AtomicBool,
}

impl Capture {
    /// Of all that comes and goes through the interfaces of this process's network namespace.
    pub(super) fn start(texts: &[&str]) -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::PACKET,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(eth::ALL),
        )?;
        set_socket_recv_buffer_size(&socket, BUFFER)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(LOOK))?;
        let shared = Arc::new(Shared {
            texts: texts
                .iter()
                .map(|text| ((*text).to_owned(), AtomicU64::new(0)))
                .collect(),
            stop: AtomicBool::new(false),
        });
        let thread = shared.clone();
        thread::spawn(move || thread.read(&socket));
        Ok(Self { shared })
    }

    /// How many packets had this text so far, which is one of those that the capture was started with.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn packets_with(&self, text: &str) -> u64 {
        let mut texts = self.shared.texts.iter();
        let found = texts.find(|(each, _)| each == text);
        found.expect("it is one of the texts").1.load(Relaxed)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
    }
}

impl Shared {
    fn read(&self, socket: &OwnedFd) {
        let mut buffer = vec![0; PACKET];
        while !self.stop.load(Relaxed) {
            // Nothing within the time-out.
            let Ok((length, _)) = recv(socket, &mut buffer[..], RecvFlags::empty()) else {
                continue;
            };
            self.search(&buffer[..length]);
        }
    }

    fn search(&self, packet: &[u8]) {
        // kubelet and containerd say what a command in a pod says by loopback, where both hardware addresses are 0.
        if packet.starts_with(&[0; 12]) {
            return;
        }
        for (text, count) in &self.texts {
            if packet
                .windows(text.len())
                .any(|part| part == text.as_bytes())
            {
                count.fetch_add(1, Relaxed);
            }
        }
    }
}
