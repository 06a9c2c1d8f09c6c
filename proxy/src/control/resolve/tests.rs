use super::*;
use crate::control::dns::fake::FakeDns;
use parking_lot::Mutex;

fn addr(target: &str) -> ControlAddr {
    ControlAddr {
        target: Target::parse(target, 0).unwrap(),
        identity: None,
    }
}

async fn found(target: &str, dns: &FakeDns) -> Result<Vec<String>, DnsError> {
    let addrs = addresses(&addr(target), dns, &()).await?;
    Ok(addrs.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn an_address_needs_no_dns() {
    let dns = FakeDns::default();
    assert_eq!(
        found("10.0.0.1:8086", &dns).await.unwrap(),
        ["10.0.0.1:8086"]
    );
    assert_eq!(dns.queries(), 0);
}

#[tokio::test]
async fn service_records_come_first_with_their_ports() {
    let dns = FakeDns::default();
    dns.set("dst.mesh", ["10.0.0.9"]);
    dns.set_srv("dst.mesh", [("a.dst.mesh", 9086), ("b.dst.mesh", 9086)]);
    dns.set("a.dst.mesh", ["10.0.0.1"]);
    dns.set("b.dst.mesh", ["10.0.0.2", "fd00::2"]);
    let found = found("dst.mesh:8086", &dns).await.unwrap();
    assert_eq!(found, ["10.0.0.1:9086", "10.0.0.2:9086", "[fd00::2]:9086"]);
}

#[tokio::test]
async fn the_port_asked_for_wins_among_several() {
    let dns = FakeDns::default();
    dns.set_srv("dst.mesh", [("a.dst.mesh", 9990), ("a.dst.mesh", 8086)]);
    dns.set("a.dst.mesh", ["10.0.0.1"]);
    assert_eq!(
        found("dst.mesh:8086", &dns).await.unwrap(),
        ["10.0.0.1:8086"]
    );
}

#[tokio::test]
async fn addresses_are_used_without_service_records() {
    let dns = FakeDns::default();
    dns.set("dst.mesh", ["10.0.0.9", "fd00::9"]);
    let found = found("dst.mesh:8086", &dns).await.unwrap();
    assert_eq!(found, ["10.0.0.9:8086", "[fd00::9]:8086"]);
}

#[tokio::test]
async fn a_record_that_leads_nowhere_hides_no_other() {
    let dns = FakeDns::default();
    dns.set_srv("dst.mesh", [("gone.dst.mesh", 8086), ("b.dst.mesh", 8086)]);
    dns.set("b.dst.mesh", ["10.0.0.2"]);
    assert_eq!(
        found("dst.mesh:8086", &dns).await.unwrap(),
        ["10.0.0.2:8086"]
    );
    dns.set("dst.mesh", ["10.0.0.9"]);
    dns.set_srv("dst.mesh", [("gone.dst.mesh", 8086)]);
    assert_eq!(
        found("dst.mesh:8086", &dns).await.unwrap(),
        ["10.0.0.9:8086"]
    );
}

#[tokio::test]
async fn an_unknown_name_is_named() {
    let err = found("dst.mesh:8086", &FakeDns::default())
        .await
        .unwrap_err();
    assert_eq!(err.to_string(), "dst.mesh is unknown to DNS");
}

#[tokio::test]
async fn queries_are_told_by_type_and_result() {
    #[derive(Default)]
    struct Seen(Mutex<Vec<(RecordType, bool)>>);
    impl ControlObserver for Seen {
        fn dns(&self, record: RecordType, found: bool) {
            self.0.lock().push((record, found));
        }
    }
    let (dns, seen) = (FakeDns::default(), Seen::default());
    dns.set("dst.mesh", ["10.0.0.9"]);
    addresses(&addr("dst.mesh:8086"), &dns, &seen)
        .await
        .unwrap();
    let expected = [(RecordType::Srv, false), (RecordType::Address, true)];
    assert_eq!(*seen.0.lock(), expected);
}
