//! The conversation with the kernel: a transaction, or a list.
//!
//! What goes wrong here is mostly the surroundings, a container without the
//! capability or a node without the module, so an error says which and what to do.

use super::{
    encode::Batch,
    netlink::{self, Attributes},
};
use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType,
        netlink::NETFILTER,
        recv, send, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use std::time::Duration;

/// For an answer. The kernel answers within the call that asks; a sandbox may not.
const PATIENCE: Duration = Duration::from_secs(5);
/// One datagram of a list has 32 kB at most.
const DATAGRAM: usize = 64 * 1024;
/// A list that changes while it is read is read again so often.
const READS: usize = 5;

/// What can be listed, with the number of the request.
#[derive(Clone, Copy, Debug)]
pub(super) enum List {
    Chains = 10 << 8 | 4,
    Rules = 10 << 8 | 7,
}

/// A socket of netfilter.
#[derive(Debug)]
pub(super) struct Kernel(OwnedFd);

/// Why the kernel does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KernelError {
    #[error(
        "{what}: {errno}: needs the capability NET_ADMIN in this network namespace; run as uid 0 \
         with securityContext.capabilities.add: [NET_ADMIN] (added capabilities do not reach \
         other uids)"
    )]
    Permission { what: String, errno: Errno },
    #[error(
        "{what}: {errno}: this kernel can't do it; needed are Linux 5.2 or newer and, where they \
         are modules, nf_tables, nft_chain_nat, nft_redir and nf_conntrack (modprobe them on the \
         node)"
    )]
    Unsupported { what: String, errno: Errno },
    #[error("{what}: {errno}")]
    Other { what: String, errno: Errno },
}

impl Kernel {
    /// A socket into this process's network namespace.
    pub(super) fn open() -> Result<Self, KernelError> {
        let error = KernelError::when("open a netlink socket");
        let flags = SocketFlags::CLOEXEC;
        let protocol = Some(NETFILTER);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)
            .map_err(&error)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).map_err(&error)?;
        Ok(Self(socket))
    }

    /// Carries out `batch`, all of it or nothing.
    pub(super) fn commit(&self, batch: &Batch) -> Result<(), KernelError> {
        let sending = KernelError::when("send the rules");
        send(&self.0, &batch.bytes, SendFlags::empty()).map_err(&sending)?;
        let mut answered = 0;
        while answered < batch.steps.len() {
            let datagram = self.receive().map_err(&sending)?;
            for answer in netlink::messages(&datagram) {
                match answer.errno() {
                    None => {}
                    Some(0) => answered += 1,
                    Some(errno) => return Err(refused(batch, answer.sequence, errno)),
                }
            }
        }
        Ok(())
    }

    /// Every item of `list` in this network namespace: family, three bytes, attributes.
    pub(super) fn list(&self, list: List) -> Result<Vec<Vec<u8>>, KernelError> {
        let error = KernelError::when(match list {
            List::Chains => "list the chains",
            List::Rules => "list the rules",
        });
        for _ in 0..READS {
            if let Some(items) = self.read(list).map_err(&error)? {
                return Ok(items);
            }
        }
        Err(error(Errno::BUSY))
    }

    /// One try of [`Self::list`]; `None` when it changed meanwhile.
    fn read(&self, list: List) -> Result<Option<Vec<Vec<u8>>>, Errno> {
        let mut request = Vec::new();
        let head = (list as u16, netlink::DUMP, 0);
        netlink::message(&mut request, head, [0; 4], &Attributes::default());
        send(&self.0, &request, SendFlags::empty())?;
        let mut items = Vec::new();
        let mut whole = true;
        loop {
            for answer in netlink::messages(&self.receive()?) {
                whole &= answer.flags & netlink::INTERRUPTED == 0;
                match (answer.kind, answer.errno()) {
                    (netlink::DONE, _) => return Ok(whole.then_some(items)),
                    (_, Some(errno)) => return Err(Errno::from_raw_os_error(errno)),
                    (_, None) => items.push(answer.body.to_vec()),
                }
            }
        }
    }

    fn receive(&self) -> Result<Vec<u8>, Errno> {
        let mut datagram = vec![0; DATAGRAM];
        let (len, _) = recv(&self.0, &mut datagram[..], RecvFlags::empty())?;
        datagram.truncate(len);
        Ok(datagram)
    }
}

/// The step that failed. An error of the whole batch has the number of its begin.
fn refused(batch: &Batch, sequence: u32, errno: i32) -> KernelError {
    let step = usize::try_from(sequence)
        .ok()
        .and_then(|step| batch.steps.get(step));
    let what = step.map_or("apply the rules", |step| &**step);
    KernelError::when(what)(Errno::from_raw_os_error(errno))
}

impl KernelError {
    fn when(what: &str) -> impl Fn(Errno) -> Self {
        let what = format!("can't {what}");
        move |errno| {
            let what = what.clone();
            match errno {
                Errno::PERM | Errno::ACCESS => Self::Permission { what, errno },
                // What the kernel says of a family, a chain type or an expression it
                // does not know; and of netfilter as a whole.
                Errno::NOENT
                | Errno::OPNOTSUPP
                | Errno::PROTONOSUPPORT
                | Errno::AFNOSUPPORT
                | Errno::INVAL => Self::Unsupported { what, errno },
                _ => Self::Other { what, errno },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::encode;

    #[test]
    fn an_error_names_the_step_and_what_is_missing() {
        let batch = encode::remove();
        let said =
            |sequence, errno: Errno| refused(&batch, sequence, errno.raw_os_error()).to_string();
        for (sequence, errno, what, advice) in [
            (
                1,
                Errno::NOENT,
                "can't delete table mesh_proxy: ",
                "nft_redir",
            ),
            (
                0,
                Errno::OPNOTSUPP,
                "can't find table mesh_proxy: ",
                "nf_tables",
            ),
            (
                u32::MAX,
                Errno::PERM,
                "can't apply the rules: ",
                "NET_ADMIN",
            ),
            (7, Errno::NOMEM, "can't apply the rules: ", "memory"),
        ] {
            let said = said(sequence, errno);
            assert!(said.starts_with(what) && said.contains(advice), "{said}");
        }
    }
}
