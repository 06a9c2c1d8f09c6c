//! A resolver for tests: what it knows is set by hand.

use super::{Answers, DnsError, Resolve, Srv};
use futures::future::{BoxFuture, FutureExt as _};
use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};
use tokio::task::yield_now;

/// Names set by hand; anything else is not found. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct FakeDns(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    addresses: HashMap<String, Vec<IpAddr>>,
    services: HashMap<String, Vec<Srv>>,
    silent: bool,
    queries: usize,
}

impl FakeDns {
    /// How long its answers are valid.
    pub(crate) const TTL: Duration = Duration::from_secs(30);

    pub(crate) fn set<'a>(&self, name: &str, ips: impl IntoIterator<Item = &'a str>) {
        let ips = ips.into_iter().map(|ip| ip.parse().unwrap()).collect();
        self.0.lock().addresses.insert(name.into(), ips);
    }

    pub(crate) fn set_srv<'a>(&self, name: &str, srvs: impl IntoIterator<Item = (&'a str, u16)>) {
        let srv = |(host, port): (&str, u16)| Srv {
            host: host.into(),
            port,
        };
        let srvs = srvs.into_iter().map(srv).collect();
        self.0.lock().services.insert(name.into(), srvs);
    }

    /// Stops or starts answering at all.
    pub(crate) fn set_silent(&self, silent: bool) {
        self.0.lock().silent = silent;
    }

    /// How many queries there were.
    pub(crate) fn queries(&self) -> usize {
        self.0.lock().queries
    }

    fn answer<T: Clone>(
        &self,
        name: &str,
        records: impl Fn(&State) -> &HashMap<String, Vec<T>>,
    ) -> Result<Answers<T>, DnsError> {
        let mut state = self.0.lock();
        state.queries += 1;
        if state.silent {
            return Err(DnsError::Failed {
                name: name.into(),
                reason: "no answer".into(),
            });
        }
        let records = records(&state).get(name).cloned().unwrap_or_default();
        if records.is_empty() {
            return Err(DnsError::NotFound(name.into()));
        }
        Ok(Answers {
            records,
            valid_for: Self::TTL,
        })
    }
}

impl Resolve for FakeDns {
    fn srv<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Answers<Srv>, DnsError>> {
        async move {
            // As a real query does.
            yield_now().await;
            self.answer(name, |state| &state.services)
        }
        .boxed()
    }

    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Answers<IpAddr>, DnsError>> {
        async move {
            yield_now().await;
            self.answer(name, |state| &state.addresses)
        }
        .boxed()
    }
}
