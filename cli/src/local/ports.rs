//! Are the demo's addresses free, and if not, who has them?
//!
//! Asked before anything starts: thirteen processes that fail one by one with "address in use" in thirteen logs explain nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use super::error::LocalError;
use super::topology::{Topology, Workload, port};

/// Who holds an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The address that it listens on, which may be the wildcard.
    pub addr: SocketAddr,
    /// Process id and name; `None` when the process is another user's.
    pub process: Option<(u32, String)>,
}

/// Checks every address of the demo.
///
/// # Errors
/// The first address that cannot be bound.
pub(crate) fn check(topology: Topology) -> Result<(), LocalError> {
    all(topology)
        .into_iter()
        .try_for_each(|(addr, purpose)| check_one(addr, purpose))
}

fn check_one(addr: SocketAddr, purpose: String) -> Result<(), LocalError> {
    match TcpListener::bind(addr) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(LocalError::PortTaken {
            addr,
            purpose,
            owner: owner(addr),
        }),
        Err(source) => Err(LocalError::Port {
            addr,
            purpose,
            source,
        }),
    }
}

/// Every address that the demo listens on and what for.
fn all(topology: Topology) -> Vec<(SocketAddr, String)> {
    const CONTROL_PLANE: [(u16, &str); 5] = [
        (port::IDENTITY, "the identity service"),
        (
            port::IDENTITY_ADMIN,
            "the identity service's admin endpoint",
        ),
        (port::DESTINATION, "the controller's destination service"),
        (port::POLICY, "the controller's policy service"),
        (port::CONTROLLER_ADMIN, "the controller's admin endpoint"),
    ];
    const PROXY: [(u16, &str); 3] = [
        (port::INBOUND, "the inbound listener"),
        (port::OUTBOUND, "the outbound listener"),
        (port::ADMIN, "the admin endpoint"),
    ];
    const APP: [(u16, &str); 2] = [
        (port::APP_HTTP, "the HTTP port"),
        (port::APP_GRPC, "the gRPC port"),
    ];
    let control_plane =
        CONTROL_PLANE.map(|(port, what)| (topology.control_plane(port), what.to_owned()));
    let of = |workload: Workload, name: String, ports: &'static [(u16, &str)]| {
        ports
            .iter()
            .map(move |(port, what)| (workload.addr(*port), format!("{what} of {name}")))
    };
    let proxies = topology.workloads().flat_map(|w| {
        let name = w.proxy_name();
        of(w, name, &PROXY)
    });
    let apps = topology.replicas().flat_map(|w| {
        let name = w.name.clone();
        of(w, name, &APP)
    });
    control_plane
        .into_iter()
        .chain(proxies)
        .chain(apps)
        .collect()
}

/// Finds a listener in the way of `addr` as `ss -ltnp` would.
fn owner(addr: SocketAddr) -> Option<Owner> {
    let table = |path| std::fs::read_to_string(path).unwrap_or_default();
    let text = table("/proc/net/tcp") + &table("/proc/net/tcp6");
    let (addr, inode) = text
        .lines()
        .filter_map(listener)
        .find(|(held, _)| in_the_way(*held, addr))?;
    Some(Owner {
        addr,
        process: process(inode),
    })
}

fn in_the_way(held: SocketAddr, wanted: SocketAddr) -> bool {
    held.port() == wanted.port() && (held.ip() == wanted.ip() || held.ip().is_unspecified())
}

/// The address and socket inode of a line of `/proc/net/tcp` or `tcp6`, if it is a listener.
fn listener(line: &str) -> Option<(SocketAddr, u64)> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let (ip, port) = local.split_once(':')?;
    let ip: IpAddr = match ip.len() {
        // One word in the byte order of the machine.
        8 => Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes()).into(),
        // Of IPv6 only the wildcard can be in the way of an IPv4 address.
        32 if ip.bytes().all(|digit| digit == b'0') => IpAddr::from([0u16; 8]),
        _ => return None,
    };
    let addr = SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?);
    (*state == LISTEN).then_some((addr, inode.parse().ok()?))
}

/// The process that has the socket open, as far as this user may see.
fn process(inode: u64) -> Option<(u32, String)> {
    let socket = format!("socket:[{inode}]");
    let holds = |dir: &Path| {
        std::fs::read_dir(dir.join("fd")).is_ok_and(|fds| {
            fds.flatten().any(|fd| {
                std::fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == socket.as_str())
            })
        })
    };
    let pids = std::fs::read_dir("/proc").ok()?.flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| holds(&Path::new("/proc").join(pid.to_string())))
        .map(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            (pid, name.trim_end().to_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_traced_to_its_process() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = held.local_addr().unwrap();
        let Err(LocalError::PortTaken {
            owner: Some(owner), ..
        }) = check_one(addr, "a test".to_owned())
        else {
            panic!("{addr} is taken by this very process");
        };
        assert_eq!(owner.addr, addr);
        assert_eq!(owner.process.unwrap().0, std::process::id());
        drop(held);
        assert!(check_one(addr, "a test".to_owned()).is_ok());
    }

    #[test]
    fn a_wildcard_listener_is_in_the_way() {
        let held = TcpListener::bind("0.0.0.0:0").unwrap();
        let wanted = SocketAddr::from(([127, 0, 0, 9], held.local_addr().unwrap().port()));
        assert!(matches!(
            check_one(wanted, String::new()),
            Err(LocalError::PortTaken { owner: Some(_), .. })
        ));
    }

    #[test]
    fn every_address_is_asked_for_once() {
        let topology = Topology::new("127.0.1".parse().unwrap());
        let addrs: std::collections::HashSet<_> =
            all(topology).into_iter().map(|(addr, _)| addr).collect();
        assert_eq!(addrs.len(), 5 + 6 * 3 + 5 * 2);
    }
}
