//! The profile of a target in API messages.

use super::update::weighted;
use crate::{
    hub::Answer,
    model::{
        endpoint::{Endpoint, WEIGHT},
        profile::{ProfileQuery, ProfileView},
    },
};
use linkerd2_proxy_api::{
    destination::{DestinationProfile, RetryBudget, WeightedAddr},
    meta::{Metadata, Resource, metadata},
};
use prost_types::Duration;
use std::net::SocketAddr;

/// The whole profile: each message replaces the last.
pub(super) fn message(view: &ProfileView, domain: &str) -> DestinationProfile {
    let profile = match view {
        ProfileView::Service {
            namespace,
            name,
            port,
            opaque,
        } => DestinationProfile {
            fully_qualified_name: format!("{name}.{namespace}.svc.{domain}"),
            opaque_protocol: *opaque,
            parent_ref: Some(service(namespace, name, *port)),
            profile_ref: Some(no_service_profile()),
            ..DestinationProfile::default()
        },
        ProfileView::Pod {
            namespace,
            address,
            endpoint,
            opaque,
        } => DestinationProfile {
            endpoint: Some(pod(namespace, *address, endpoint)),
            opaque_protocol: *opaque,
            ..DestinationProfile::default()
        },
        ProfileView::Unknown { address } => DestinationProfile {
            endpoint: Some(unknown(*address)),
            ..DestinationProfile::default()
        },
    };
    DestinationProfile {
        retry_budget: Some(retry_budget()),
        ..profile
    }
}

fn pod(namespace: &str, address: SocketAddr, endpoint: &Endpoint) -> WeightedAddr {
    let mut pod = weighted(address, endpoint);
    let label = ("namespace".to_owned(), namespace.to_owned());
    pod.metric_labels.extend([label]);
    pod
}

fn unknown(address: SocketAddr) -> WeightedAddr {
    WeightedAddr {
        addr: Some(address.into()),
        weight: WEIGHT,
        ..WeightedAddr::default()
    }
}

fn service(namespace: &str, name: &str, port: u16) -> Metadata {
    resource(Resource {
        group: "core".to_owned(),
        kind: "Service".to_owned(),
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        port: port.into(),
        ..Resource::default()
    })
}

/// Linkerd's mark for "no ServiceProfile": only the group is set.
fn no_service_profile() -> Metadata {
    resource(Resource {
        group: "linkerd.io".to_owned(),
        ..Resource::default()
    })
}

/// A cluster IP whose service is gone stays that service's until another has
/// it: as for a name, the service may be back in a moment.
pub(super) fn keeping_services<T>(
    mut next: impl FnMut(&Answer<ProfileQuery>) -> Option<T>,
) -> impl FnMut(&Answer<ProfileQuery>) -> Option<T> {
    let mut service = false;
    move |answer| match answer.as_deref() {
        Some(ProfileView::Unknown { .. }) if service => None,
        view => {
            service =
                service && view.is_none() || matches!(view, Some(ProfileView::Service { .. }));
            next(answer)
        }
    }
}

fn resource(resource: Resource) -> Metadata {
    Metadata {
        kind: Some(metadata::Kind::Resource(resource)),
    }
}

/// Linkerd's defaults: a fifth more, at least 10 a second, over 10 seconds.
fn retry_budget() -> RetryBudget {
    RetryBudget {
        retry_ratio: 0.2,
        min_retries_per_second: 10,
        ttl: Some(Duration {
            seconds: 10,
            nanos: 0,
        }),
    }
}
