//! Our families against what linkerd2-proxies printed: names, types, helps, label
//! names and buckets.

use super::*;
use std::net::SocketAddr;

const CLIENT: &str = "client.default.serviceaccount.identity.mesh.cluster.local";

#[derive(Debug, Default)]
struct Recorded {
    kind: String,
    help: String,
    bounds: Vec<String>,
    labels: BTreeSet<String>,
}

fn recorded() -> BTreeMap<String, Recorded> {
    let mut families = BTreeMap::<String, Recorded>::new();
    let mut current = String::new();
    for line in include_str!("linkerd.txt").lines() {
        if line.starts_with('#') {
            continue;
        }
        let of = |name: &str| families.contains_key(name);
        if let Some(bounds) = line.strip_prefix("  le ") {
            assert!(of(&current));
            let family = families.get_mut(&current).unwrap();
            family.bounds = bounds.split(' ').map(str::to_owned).collect();
        } else if let Some(labels) = line.strip_prefix("  labels ") {
            let family = families.get_mut(&current).unwrap();
            family.labels.insert(labels.to_owned());
        } else {
            let mut words = line.splitn(3, ' ');
            current = words.next().unwrap().to_owned();
            let kind = words.next().unwrap().to_owned();
            let help = words.next().unwrap().to_owned();
            let family = Recorded {
                kind,
                help,
                ..Recorded::default()
            };
            families.insert(current.clone(), family);
        }
    }
    families
}

/// What was going on when Linkerd's were recorded: HTTP from a meshed client and
/// a plain one, some failures. Returns handles that keep gauges alive.
fn traffic(metrics: &Metrics) -> Vec<Box<dyn std::any::Any>> {
    let mut held: Vec<Box<dyn std::any::Any>> = Vec::new();
    inbound(metrics, &mut held);
    outbound(metrics, &mut held);
    control(metrics, &mut held);
    held
}

fn inbound(metrics: &Metrics, held: &mut Vec<Box<dyn std::any::Any>>) {
    let target: SocketAddr = "10.77.0.3:8080".parse().unwrap();
    let policy = object("default", "all-unauthenticated");
    let (route, ms) = (object("default", "default"), Duration::from_millis);
    for client in [None, Some(Some(CLIENT))] {
        let labels = Labels::inbound(&policy, target, client);
        let tcp = metrics.tcp(Direction::Inbound, Peer::Src, &labels);
        tcp.opened().close(None);
        held.push(Box::new(tcp.opened()));
        let allowed = labels.clone().route(&route).authz(&policy);
        metrics
            .authz(Layer::Http, Authz::Allow, &allowed)
            .increment(1);
        let http = metrics.http_endpoint(&allowed.direction(Direction::Inbound));
        http.request();
        http.response(Some(200), Class::Success, None, "", ms(3));
        if client.is_some() {
            http.response(None, Class::Failure, None, "unclassified", ms(3));
        }
    }
    let loopback = Labels::new().no_tls(NoTls::Loopback);
    let tcp = metrics.tcp(Direction::Inbound, Peer::Dst, &loopback);
    tcp.opened().close(None);
    held.push(Box::new(tcp.opened()));
    let own = Labels::new().target_addr("10.77.0.3:4143".parse().unwrap());
    let errors = |layer, labels| metrics.errors(Direction::Inbound, layer, labels);
    errors(Layer::Tcp, &own).count("i/o");
    errors(Layer::Http, &own.clone().server(&policy, 8080)).count("unexpected");
    let server = Labels::new().server(&policy, 8080);
    let detect = metrics.detect(Direction::Inbound, &server);
    detect.detected(Detected::Http1, ms(1));
    let header = metrics.transport_header(SessionProtocol::Http2, 8080, None, CLIENT);
    header.increment(1);
    let requests = metrics.inbound_http(RouteProtocol::Http, &policy, 8080, &route);
    requests.requests.increment(1);
    requests.status(Some(200));
}

fn outbound(metrics: &Metrics, held: &mut Vec<Box<dyn std::any::Any>>) {
    let target: SocketAddr = "10.77.0.3:8080".parse().unwrap();
    let ms = Duration::from_millis;
    let (parent, backend) = (object("default", "web"), object("default", "service"));
    let route = object("default", "http");
    let to = Labels::new().authority("web.default.svc.cluster.local");
    let to = to.target_addr(target).tls_server("server.default");
    let from = Labels::new().target_addr(target).no_tls(NoTls::Loopback);
    for (peer, labels) in [(Peer::Dst, &to), (Peer::Src, &from)] {
        let tcp = metrics.tcp(Direction::Outbound, peer, labels);
        tcp.opened().close(None);
        held.push(Box::new(tcp.opened()));
    }
    let http = metrics.http_endpoint(&to.direction(Direction::Outbound));
    http.request();
    http.response(Some(200), Class::Success, None, "", ms(3));
    http.response(None, Class::Failure, None, "h2(FRAME_SIZE_ERROR)", ms(3));
    let errors = metrics.errors(Direction::Outbound, Layer::Http, &Labels::new());
    errors.count("failfast");
    let parents = Labels::new().parent(&parent);
    let detect = metrics.detect(Direction::Outbound, &parents);
    detect.detected(Detected::Http1, ms(1));
    metrics.protocol_connections("detect", &parent).increment(1);
    let routed = metrics.route(RouteProtocol::Http, &parent, &route, None);
    routed.status(Some(200), "");
    let sent = metrics.route_backend(RouteProtocol::Http, &parent, &route, &backend);
    sent.requests.increment(1);
    sent.status(None, "FAIL_FAST");
    let labels = parents.backend(&backend);
    let balancer = metrics.balancer(BalancerKind::OutboundHttp, &labels, ms(3000));
    held.push(Box::new(balancer));
    metrics.transfer_cost("Unknown").recv.increment(1);
}

fn control(metrics: &Metrics, held: &mut Vec<Box<dyn std::any::Any>>) {
    let addr = Labels::new().with("addr", "127.0.0.1:8086");
    let ms = Duration::from_millis;
    let kinds = [
        BalancerKind::Destination,
        BalancerKind::Identity,
        BalancerKind::Policy,
    ];
    for kind in kinds {
        held.push(Box::new(metrics.balancer(kind, &addr, ms(30_000))));
    }
    let http = metrics.http_control(&addr.no_tls(NoTls::Loopback));
    http.request();
    http.response(Some(200), Class::Success, Some(0), "", ms(3));
    metrics.dns("identity").resolved(Record::Srv, true);
    let cert = metrics.certificate();
    cert.refreshed(SystemTime::now(), SystemTime::now());
    held.push(Box::new(cert));
}

#[test]
fn every_family_of_linkerd_is_there_as_linkerd_has_it() {
    let metrics = Metrics::default();
    let _held = traffic(&metrics);
    let ours = rendered(&metrics);
    let recorded = recorded();
    assert!(recorded.len() > 80, "only {} families", recorded.len());
    for (name, theirs) in recorded {
        let Some((kind, help)) = ours.families.get(&name) else {
            panic!("no {name}");
        };
        assert_eq!(*kind, theirs.kind, "{name}");
        // Its newer families end in one full stop or two.
        let plain = |help: &str| help.trim_end_matches('.').to_owned();
        assert_eq!(plain(help), plain(&theirs.help), "{name}");
        assert_eq!(bounds(&ours, &name), theirs.bounds, "{name}");
        let labels = ours.label_names(&name);
        let missing: Vec<_> = theirs.labels.difference(&labels).collect();
        let extra: Vec<_> = labels.difference(&theirs.labels).collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{name}: {missing:?} {extra:?}"
        );
    }
}

/// The bounds of a histogram, ascending, as they are written.
fn bounds(ours: &Exposition, family: &str) -> Vec<String> {
    let bucket = format!("{family}_bucket");
    let samples = ours.samples.keys().filter(|(name, _)| *name == bucket);
    let bounds: BTreeSet<_> = samples.map(|(_, labels)| labels["le"].clone()).collect();
    let mut bounds: Vec<_> = bounds.into_iter().collect();
    bounds.sort_by(|a, b| a.parse::<f64>().unwrap().total_cmp(&b.parse().unwrap()));
    bounds
}

#[test]
fn buckets_count_up_to_the_total() {
    let metrics = Metrics::default();
    let _held = traffic(&metrics);
    let ours = rendered(&metrics);
    for family in names::ALL {
        let Kind::Histogram(_) = family.kind else {
            continue;
        };
        let count = format!("{}_count", family.name);
        let bucket = format!("{}_bucket", family.name);
        for ((_, labels), total) in ours.samples.iter().filter(|((name, _), _)| *name == count) {
            let mut labels = labels.clone();
            labels.insert("le".into(), "+Inf".into());
            assert_eq!(ours.samples[&(bucket.clone(), labels)], *total);
        }
    }
}
