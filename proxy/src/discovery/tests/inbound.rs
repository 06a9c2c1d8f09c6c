use super::*;
use linkerd2_proxy_api::inbound::{ProxyProtocol, Server, proxy_protocol};

fn server(kind: proxy_protocol::Kind) -> Server {
    Server {
        protocol: Some(ProxyProtocol { kind: Some(kind) }),
        labels: [("kind", "server"), ("name", "web")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..Server::default()
    }
}

#[tokio::test(start_paused = true)]
async fn the_default_holds_until_the_controller_answers() {
    let Bench {
        control, discovery, ..
    } = bench();
    let mut policy = discovery.inbound(8080).unwrap();
    assert_eq!(&*policy.borrow().meta.name, "all-unauthenticated");
    assert!(matches!(
        policy.borrow().protocol,
        ServerProtocol::Detect { .. }
    ));

    let call = control.ports.next().await;
    assert_eq!(
        (&*call.request.workload, call.request.port),
        ("workload", 8080)
    );
    let stream = call
        .accept()
        .send(server(proxy_protocol::Kind::Http2(Default::default())));
    policy.changed().await.unwrap();
    assert_eq!(policy.borrow_and_update().protocol, ServerProtocol::Http2);
    assert_eq!(&*policy.borrow().meta.to_string(), "server/web");
    assert!(
        policy.borrow().authorizations.is_empty(),
        "nobody is allowed"
    );

    // Garbage and a lost stream change nothing; a deleted server does.
    let stream = stream.send(Server::default());
    stream.fail(Status::unavailable("restart"));
    let stream = control.ports.next().await.accept();
    timeout(SHORT, policy.changed())
        .await
        .expect_err("the last good policy stays");
    stream.fail(Status::not_found("unknown server"));
    policy.changed().await.unwrap();
    assert_eq!(
        &*policy.borrow_and_update().meta.name,
        "all-unauthenticated"
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_cannot_be_read_denies_where_there_is_no_other() {
    let Bench {
        control, discovery, ..
    } = bench();
    let mut policy = discovery.inbound(8080).unwrap();
    let stream = control.ports.next().await.accept();
    let stream = stream.send(Server::default());
    policy.changed().await.unwrap();
    assert_eq!(&*policy.borrow().meta.name, "unreadable");
    assert!(policy.borrow_and_update().authorizations.is_empty());
    let stream = stream.send(server(proxy_protocol::Kind::Http1(Default::default())));
    policy.changed().await.unwrap();
    assert_eq!(&*policy.borrow_and_update().meta.name, "web");
    stream.fail(Status::not_found("unknown server"));
    policy.changed().await.unwrap();
    assert!(!policy.borrow_and_update().authorizations.is_empty());
    let stream = control.ports.next().await.accept();
    stream.send(Server::default());
    policy.changed().await.unwrap();
    assert!(policy.borrow().authorizations.is_empty());
}

#[tokio::test(start_paused = true)]
async fn ports_marked_opaque_are_so_by_default() {
    let Bench { discovery, .. } = bench();
    for (port, opaque) in [
        (25, true),
        (3306, true),
        (3307, true),
        (26, false),
        (3308, false),
    ] {
        let protocol = discovery.inbound(port).unwrap().borrow().protocol;
        assert_eq!(protocol == ServerProtocol::Opaque, opaque, "{port}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_is_watched_once_and_expires_later_than_targets() {
    let Bench {
        control, discovery, ..
    } = bench();
    let policies = [8080, 8080].map(|port| discovery.inbound(port).unwrap());
    let stream = control.ports.next().await.accept();
    assert!(control.ports.is_empty().await);
    drop(policies);
    let start = Instant::now();
    stream.closed().await;
    assert_eq!(start.elapsed(), Duration::from_secs(90));
}

#[tokio::test(start_paused = true)]
async fn ports_are_bounded() {
    let Bench {
        control, discovery, ..
    } = bench_with(|config| config.max_ports = 1);
    let known = discovery.inbound(8080).unwrap();
    let _stream = control.ports.next().await.accept();
    assert_eq!(
        discovery.inbound(8081).unwrap_err().to_string(),
        "1 ports are watched already; no more are taken until some are idle"
    );
    assert!(discovery.inbound(8080).is_ok(), "a known one is no more");
    drop(known);
}
