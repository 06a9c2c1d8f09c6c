//! The cluster's DNS, as much of it as programs ask for: addresses of services and pods, from a table that tests fill.
//!
//! Own code because it is small (names are never compressed in questions) and a name server from a package would have to be configured
//! and reloaded for every service.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::netns::Netns;

/// Where it is, in every cluster.
pub(super) const ADDRESSES: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(10, 96, 0, 2),
    Ipv6Addr::new(0xfd00, 0x96, 0, 0, 0, 0, 0, 2),
);
/// `/etc/resolv.conf` of every pod, with the search list that Kubernetes gives to pods of this namespace.
pub(super) const RESOLV_CONF: &str = "\
nameserver 10.96.0.2
nameserver fd00:96::2
search test.svc.cluster.local svc.cluster.local cluster.local
options ndots:5 timeout:2
";
/// Asked of itself to end.
const STOP: &[u8] = b"stop";
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const NO_SUCH_NAME: u8 = 3;
/// Seconds that an answer is good for.
const TTL: [u8; 4] = [0, 0, 0, 1];

type Table = Arc<Mutex<HashMap<String, Vec<IpAddr>>>>;

/// A name server; ends when dropped.
#[derive(Debug)]
pub(super) struct Dns {
    table: Table,
    sockets: Vec<UdpSocket>,
}

impl Dns {
    /// Serves at [`ADDRESSES`], which the node must have.
    pub(super) fn start(node: &Netns) -> Self {
        let table = Table::default();
        let addresses: [IpAddr; 2] = [ADDRESSES.0.into(), ADDRESSES.1.into()];
        let sockets = addresses.map(|ip| {
            let socket = node.within(|| UdpSocket::bind((ip, 53))).unwrap();
            let (server, table) = (socket.try_clone().unwrap(), table.clone());
            thread::spawn(move || serve(&server, &table));
            socket
        });
        let sockets = sockets.into();
        Self { table, sockets }
    }

    /// Sets the addresses of `name`, which is fully qualified and has no dot at its end.
    pub(super) fn set(&self, name: &str, addresses: Vec<IpAddr>) {
        self.table.lock().insert(name.to_owned(), addresses);
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        for socket in &self.sockets {
            let own = socket.local_addr();
            own.and_then(|addr| socket.send_to(STOP, addr)).ok();
        }
    }
}

fn serve(socket: &UdpSocket, table: &Table) {
    let mut buffer = [0; 1500];
    while let Ok((length, client)) = socket.recv_from(&mut buffer) {
        let question = &buffer[..length];
        if question == STOP {
            return;
        }
        if let Some(response) = answer(question, table) {
            send(socket, &response, client);
        }
    }
}

/// The client may be gone by now.
fn send(socket: &UdpSocket, response: &[u8], client: SocketAddr) {
    socket.send_to(response, client).ok();
}

/// RFC 1035, section 4: header, the question again, and an answer for each address.
fn answer(query: &[u8], table: &Table) -> Option<Vec<u8>> {
    let (name, after) = name(query, 12)?;
    let kind = u16::from_be_bytes(query.get(after..after + 2)?.try_into().ok()?);
    let known = table.lock().get(&name).cloned();
    let code = if known.is_some() { 0 } else { NO_SUCH_NAME };
    let wanted = |ip: &IpAddr| match kind {
        TYPE_A => ip.is_ipv4(),
        TYPE_AAAA => ip.is_ipv6(),
        _ => false,
    };
    let found: Vec<IpAddr> = known.into_iter().flatten().filter(wanted).collect();
    let count = u8::try_from(found.len()).ok()?;
    let mut response = query.get(..2)?.to_vec();
    // An authoritative response, one question, so many answers.
    response.extend([0x85, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    response.extend(query.get(12..after + 4)?);
    for ip in found {
        let address = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        // A pointer to the question's name, its type, class IN.
        response.extend([0xc0, 12, 0, kind as u8, 0, 1]);
        response.extend(TTL);
        response.extend([0, address.len() as u8]);
        response.extend(address);
    }
    Some(response)
}

/// The name at `start` in lower case, and where it ends.
fn name(message: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), start);
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = std::str::from_utf8(message.get(at..at + length)?).ok()?;
        labels.push(label.to_ascii_lowercase());
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(kind: u16) -> Option<Vec<u8>> {
        let table = Table::default();
        let addresses = ["10.96.0.7", "10.96.0.8", "fd00:96::7"].map(|ip| ip.parse().unwrap());
        table.lock().insert("web.test".to_owned(), addresses.into());
        let mut query = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend(b"\x03Web\x04test\0");
        query.extend(kind.to_be_bytes());
        query.extend([0, 1]);
        answer(&query, &table)
    }

    #[test]
    fn an_answer_has_the_addresses_of_the_family_that_was_asked_for() {
        let response = ask(TYPE_A).unwrap();
        assert_eq!(response[..8], [0xab, 0xcd, 0x85, 0x80, 0, 1, 0, 2]);
        assert_eq!(response[response.len() - 6..], [0, 4, 10, 96, 0, 8]);
        let response = ask(TYPE_AAAA).unwrap();
        assert_eq!(response[6..8], [0, 1]);
        assert!(response.ends_with(&[0, 0, 0, 0, 0, 7]));
    }

    #[test]
    fn a_name_that_is_not_there_is_said_to_be_none() {
        let query = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'x', 0, 0, 1, 0, 1];
        let response = answer(&query, &Table::default()).unwrap();
        assert_eq!(response[3] & 0x0f, NO_SUCH_NAME);
        assert_eq!(response[7], 0);
    }

    #[test]
    fn half_a_question_gets_no_answer() {
        assert_eq!(answer(&[0; 13], &Table::default()), None);
    }
}
