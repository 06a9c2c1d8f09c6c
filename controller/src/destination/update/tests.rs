//! What is said of a change.

use super::*;

fn view(endpoints: &[(&str, u32)]) -> Answer<EndpointsQuery> {
    let endpoint = |weight| Endpoint {
        weight,
        zone: None,
        locality: None,
        pod: None,
        mesh: None,
    };
    let endpoints = endpoints
        .iter()
        .map(|(at, weight)| (at.parse().unwrap(), endpoint(*weight)));
    Some(Arc::new(EndpointsView {
        namespace: "shop".to_owned(),
        service: "web".to_owned(),
        external: false,
        endpoints: endpoints.collect(),
    }))
}

/// Messages in short: `+` and `-` with the last byte of each address.
fn said(last: &mut Option<Arc<EndpointsView>>, answer: &Answer<EndpointsQuery>) -> Vec<String> {
    let short = |addr: &linkerd2_proxy_api::net::TcpAddress| {
        SocketAddr::try_from(*addr)
            .unwrap()
            .ip()
            .to_string()
            .split_off(7)
    };
    let messages = next(last, answer)
        .into_iter()
        .map(|update| match update.update.unwrap() {
            Kind::Add(set) => {
                let addrs = set
                    .addrs
                    .iter()
                    .map(|each| short(each.addr.as_ref().unwrap()));
                format!("+{}", addrs.collect::<Vec<_>>().join(","))
            }
            Kind::Remove(set) => {
                format!(
                    "-{}",
                    set.addrs.iter().map(short).collect::<Vec<_>>().join(",")
                )
            }
            Kind::NoEndpoints(none) => format!("none, exists: {}", none.exists),
        });
    messages.collect()
}

const ONE: (&str, u32) = ("10.0.0.1:80", 1);
const TWO: (&str, u32) = ("10.0.0.2:80", 1);

#[test]
fn a_snapshot_then_differences() {
    let last = &mut None;
    assert_eq!(said(last, &view(&[ONE, TWO])), ["+1,2"]);
    assert!(said(last, &view(&[ONE, TWO])).is_empty());
    assert_eq!(
        said(last, &view(&[("10.0.0.1:80", 2), TWO])),
        ["+1"],
        "changed"
    );
    assert_eq!(
        said(last, &view(&[("10.0.0.3:80", 1)])),
        ["+3", "-1,2"],
        "never empty between"
    );
    assert_eq!(said(last, &view(&[])), ["-3"]);
    assert_eq!(said(last, &view(&[ONE])), ["+1"]);
}

#[test]
fn an_empty_service_is_said_to_exist() {
    let last = &mut None;
    assert_eq!(said(last, &view(&[])), ["none, exists: true"]);
    assert_eq!(said(last, &view(&[ONE])), ["+1"]);
}

#[test]
fn a_service_that_goes_away_loses_its_endpoints() {
    let last = &mut None;
    assert_eq!(said(last, &view(&[ONE])), ["+1"]);
    assert_eq!(said(last, &None), ["-1"]);
    assert!(said(last, &None).is_empty());
    assert_eq!(said(last, &view(&[ONE])), ["+1"]);
}
