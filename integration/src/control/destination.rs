//! `Destination.Get` and `GetProfile`.

use super::{Endpoint, Shared, state::ServiceState};
use futures::{StreamExt, stream, stream::BoxStream};
use linkerd2_proxy_api::destination::{
    AddrSet, DestinationProfile, GetDestination, NoEndpoints, Update, WeightedAddrSet,
    destination_server::Destination, update,
};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::watch::Receiver;
use tonic::{Request, Response, Status, async_trait};

pub(super) struct DestinationService(pub(super) Arc<Shared>);

type Stream<T> = BoxStream<'static, Result<T, Status>>;

#[async_trait]
impl Destination for DestinationService {
    type GetStream = Stream<Update>;
    type GetProfileStream = Stream<DestinationProfile>;

    async fn get(
        &self,
        request: Request<GetDestination>,
    ) -> Result<Response<Stream<Update>>, Status> {
        let path = request.into_inner().path;
        let state = self.0.watch(&path);
        let state = state.ok_or_else(|| Status::not_found(format!("no service {path}")))?;
        Ok(Response::new(updates(state).map(Ok).boxed()))
    }

    async fn get_profile(
        &self,
        request: Request<GetDestination>,
    ) -> Result<Response<Stream<DestinationProfile>>, Status> {
        let path = request.into_inner().path;
        let profiles = match self.0.watch(&path) {
            Some(state) => super::serve::changes(state, profile).boxed(),
            // As Linkerd's: what is known of a pod, or an empty profile; then silence.
            None => {
                let endpoint = self.0.pods.lock().get(&path).map(Endpoint::message);
                let profile = DestinationProfile {
                    endpoint,
                    ..DestinationProfile::default()
                };
                stream::iter([profile]).chain(stream::pending()).boxed()
            }
        };
        Ok(Response::new(profiles.map(Ok).boxed()))
    }
}

fn profile(state: &ServiceState) -> DestinationProfile {
    let name = state
        .authority
        .rsplit_once(':')
        .map_or("", |(name, _)| name);
    DestinationProfile {
        fully_qualified_name: name.into(),
        opaque_protocol: state.opaque,
        ..DestinationProfile::default()
    }
}

/// The endpoints now, then what changes.
fn updates(state: Receiver<ServiceState>) -> impl futures::Stream<Item = Update> + Send {
    let start = (state, None::<ServiceState>, VecDeque::new());
    stream::unfold(start, |(mut state, mut told, mut pending)| async move {
        loop {
            if let Some(update) = pending.pop_front() {
                let update = Update {
                    update: Some(update),
                };
                return Some((update, (state, told, pending)));
            }
            if told.is_some() {
                state.changed().await.ok()?;
            }
            let now = state.borrow_and_update().clone();
            pending.extend(difference(told.as_ref(), &now));
            told = Some(now);
        }
    })
}

fn difference(told: Option<&ServiceState>, now: &ServiceState) -> Vec<update::Update> {
    let old = told.map(|state| &state.endpoints);
    if now.endpoints.is_empty() {
        let exists = old.is_none_or(|old| !old.is_empty());
        return Vec::from_iter(
            exists.then_some(update::Update::NoEndpoints(NoEndpoints { exists })),
        );
    }
    let is_new = |addr, endpoint| old.is_none_or(|old| old.get(addr) != Some(endpoint));
    let added = now
        .endpoints
        .iter()
        .filter(|(addr, endpoint)| is_new(*addr, *endpoint));
    let addrs: Vec<_> = added.map(|(_, endpoint)| endpoint.message()).collect();
    let add = (!addrs.is_empty()).then(|| {
        update::Update::Add(WeightedAddrSet {
            addrs,
            ..WeightedAddrSet::default()
        })
    });
    let gone = old.into_iter().flat_map(|old| old.keys());
    let gone = gone.filter(|addr| !now.endpoints.contains_key(addr));
    let addrs: Vec<_> = gone.map(|addr| (*addr).into()).collect();
    let remove = (!addrs.is_empty()).then_some(update::Update::Remove(AddrSet { addrs }));
    add.into_iter().chain(remove).collect()
}
