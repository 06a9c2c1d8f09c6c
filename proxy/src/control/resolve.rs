//! The addresses of a control-plane service.
//!
//! A name is looked up by SRV first, then A and AAAA, as Linkerd does: a headless
//! Service has an SRV record per replica with the port it really listens on. A
//! Service with several ports has records for all of them under the same name, so
//! those with the port that was asked for win when there are any. Addresses are
//! asked for at each connect; the resolver's cache bounds how old they are.

use super::{
    config::ControlAddr,
    dns::{DnsError, Resolve, Srv},
    observe::{ControlObserver, RecordType},
};
use crate::policy::{NameAddr, Target};
use std::net::SocketAddr;

/// Every address of the service, in no order that means anything; never none.
pub(super) async fn addresses(
    addr: &ControlAddr,
    dns: &dyn Resolve,
    observer: &dyn ControlObserver,
) -> Result<Vec<SocketAddr>, DnsError> {
    let name = match &addr.target {
        Target::Addr(addr) => return Ok(vec![*addr]),
        Target::Name(name) => name,
    };
    let services = services(name, dns, observer).await;
    let mut found = Vec::new();
    for srv in &services {
        // One host that does not resolve must not hide the others.
        match lookup(&srv.host, srv.port, dns, observer).await {
            Ok(addrs) => found.extend(addrs),
            Err(error) => tracing::debug!(%error, "A service record leads nowhere"),
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    lookup(name.host(), name.port(), dns, observer).await
}

async fn services(name: &NameAddr, dns: &dyn Resolve, observer: &dyn ControlObserver) -> Vec<Srv> {
    let found = dns.srv(name.host()).await;
    observer.dns(RecordType::Srv, found.is_ok());
    let records = match found {
        Ok(answers) => answers.records,
        Err(error) => {
            tracing::debug!(%error, "No service records");
            return Vec::new();
        }
    };
    let (same_port, others): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|srv| srv.port == name.port());
    if same_port.is_empty() {
        others
    } else {
        same_port
    }
}

async fn lookup(
    host: &str,
    port: u16,
    dns: &dyn Resolve,
    observer: &dyn ControlObserver,
) -> Result<Vec<SocketAddr>, DnsError> {
    let found = dns.addresses(host).await;
    observer.dns(RecordType::Address, found.is_ok());
    let to_addr = |ip| SocketAddr::new(ip, port);
    Ok(found?.records.into_iter().map(to_addr).collect())
}

#[cfg(test)]
mod tests;
