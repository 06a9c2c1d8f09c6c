//! Profiles in words.

use linkerd2_proxy_api::destination::{RetryBudget, WeightedAddr};
use linkerd2_proxy_api::meta::{Metadata, Resource, metadata::Kind};

use super::*;
use crate::golden::assert_golden;

fn service() -> DestinationProfile {
    DestinationProfile {
        fully_qualified_name: "web.shop.svc.cluster.local".to_owned(),
        parent_ref: Some(Metadata {
            kind: Some(Kind::Resource(Resource {
                group: "core".to_owned(),
                kind: "Service".to_owned(),
                name: "web".to_owned(),
                namespace: "shop".to_owned(),
                port: 80,
                ..Resource::default()
            })),
        }),
        retry_budget: Some(RetryBudget {
            retry_ratio: 0.2,
            min_retries_per_second: 10,
            ttl: Some(prost_types::Duration {
                seconds: 10,
                nanos: 0,
            }),
        }),
        ..DestinationProfile::default()
    }
}

fn address(at: &str, pod: &str) -> DestinationProfile {
    let mut endpoint = WeightedAddr {
        addr: Some(at.parse::<std::net::SocketAddr>().unwrap().into()),
        weight: 10_000,
        ..WeightedAddr::default()
    };
    if !pod.is_empty() {
        endpoint
            .metric_labels
            .insert("pod".to_owned(), pod.to_owned());
    }
    DestinationProfile {
        endpoint: Some(endpoint),
        opaque_protocol: !pod.is_empty(),
        ..DestinationProfile::default()
    }
}

#[test]
fn services_pods_and_strangers() {
    let mut all = String::new();
    for (address, message) in [
        ("web.shop:80", service()),
        ("10.1.0.7:3306", address("10.1.0.7:3306", "db-0")),
        ("192.0.2.1:443", address("192.0.2.1:443", "")),
    ] {
        let profile = Profile::of(address, &message);
        all += &text(&profile);
        all += &output::Format::Json.print(&profile, text);
    }
    assert_golden("profile.txt", &all);
}
