use super::*;

/// How a policy's HTTP/1 traffic goes: `forward ADDR`, `balance AUTHORITY`, `fail STATUS: WHY`.
fn shown(policy: &OutboundPolicy) -> String {
    let (mode, route) = match &policy.protocol {
        Protocol::Detect { http1, .. } => ("", http1),
        Protocol::Opaque(route) => ("opaque ", route),
        other => panic!("not expected here: {other:?}"),
    };
    let action = match &route.action {
        RouteAction::Fail { status, message } => format!("fail {}: {message}", status.as_u16()),
        RouteAction::Dispatch(backends) => match &backends[0].0.dispatch {
            Dispatch::Forward { addr, meta } => match &meta.identity {
                Some(_) => format!("forward {addr} with tls"),
                None => format!("forward {addr}"),
            },
            Dispatch::Balance { authority, .. } => format!("balance {authority}"),
        },
    };
    format!("{mode}{action}")
}

async fn next(lookup: &mut Lookup<OutboundPolicy>) -> String {
    let changed = timeout(Duration::from_secs(3600), lookup.changed()).await;
    shown(&changed.expect("it changes").expect("the watch is running"))
}

#[tokio::test(start_paused = true)]
async fn asks_for_an_address_or_an_authority() {
    let Bench {
        control, discovery, ..
    } = bench();
    let names = ["10.2.1.1:80", "web.shop:80"].map(target);
    let lookups = names.map(|target| {
        let discovery = discovery.clone();
        tokio::spawn(async move { discovery.outbound(&target).await })
    });
    let call = control.policies.next().await;
    assert_eq!(call.request.source_workload, "workload");
    let addr: std::net::SocketAddr = "10.2.1.1:80".parse().unwrap();
    assert_eq!(
        call.request.target,
        Some(traffic_spec::Target::Addr(addr.into()))
    );
    let call = control.policies.next().await;
    let authority = traffic_spec::Target::Authority("web.shop:80".into());
    assert_eq!(call.request.target, Some(authority));
    let call = control.profiles.next().await;
    assert_eq!(call.request.scheme, "k8s");
    assert_eq!(call.request.path, "10.2.1.1:80");
    assert_eq!(call.request.context_token, "context");
    assert_eq!(control.profiles.next().await.request.path, "web.shop:80");
    lookups.iter().for_each(tokio::task::JoinHandle::abort);
}

/// The answer to `name` when the services say this; and the time it took.
async fn answer(
    name: &str,
    policy: Result<linkerd2_proxy_api::outbound::OutboundPolicy, Status>,
    profile: linkerd2_proxy_api::destination::DestinationProfile,
) -> String {
    let Bench {
        control,
        discovery,
        dns,
    } = bench();
    dns.set("example.com", ["192.0.2.10", "2001:db8::1"]);
    let start = Instant::now();
    let target = target(name);
    let policies = async {
        let call = control.policies.next().await;
        match policy {
            Ok(policy) => Some(call.accept().send(policy)),
            Err(status) => {
                call.refuse(status);
                None
            }
        }
    };
    let profiles = control.profiles.answer(profile);
    let (lookup, _policy, _profile) = tokio::join!(discovery.outbound(&target), policies, profiles);
    assert_eq!(start.elapsed(), Duration::ZERO, "both have answered");
    shown(&lookup.current())
}

#[tokio::test(start_paused = true)]
async fn a_policy_and_a_profile_are_joined() {
    let opaque = |mut profile: linkerd2_proxy_api::destination::DestinationProfile| {
        profile.opaque_protocol = true;
        profile
    };
    let empty = linkerd2_proxy_api::destination::DestinationProfile::default;
    let web = || Ok(service_policy("web"));
    let not_found = || Err(Status::not_found("No such service"));
    let unimplemented = || Err(Status::unimplemented("no policies here"));
    let egress = || Ok(detect(None, &forward("192.0.2.10:443")));
    let pod = || pod_profile("10.1.1.1:8080");
    let profile = || service_profile("web");
    let fqdn = "web.shop.svc.cluster.local:80";
    let balance = format!("balance {fqdn}");
    let opaque_balance = format!("opaque balance {fqdn}");
    for (name, policy, profile, expected) in [
        ("10.2.1.1:80", web(), profile(), &*balance),
        ("10.2.1.1:80", web(), opaque(profile()), &opaque_balance),
        ("10.2.1.1:80", web(), empty(), &balance),
        (
            "10.1.1.1:8080",
            not_found(),
            pod(),
            "forward 10.1.1.1:8080 with tls",
        ),
        (
            "10.1.1.1:8080",
            not_found(),
            opaque(pod()),
            "opaque forward 10.1.1.1:8080 with tls",
        ),
        ("web.shop:80", not_found(), profile(), &balance),
        (
            "web.shop:80",
            unimplemented(),
            opaque(profile()),
            &opaque_balance,
        ),
        (
            "192.0.2.10:443",
            egress(),
            empty(),
            "forward 192.0.2.10:443",
        ),
        ("10.77.0.1:80", not_found(), empty(), "forward 10.77.0.1:80"),
        (
            "[fd00::1]:80",
            unimplemented(),
            empty(),
            "forward [fd00::1]:80",
        ),
        (
            "example.com:443",
            not_found(),
            empty(),
            "forward 192.0.2.10:443",
        ),
        (
            "nope.example:80",
            not_found(),
            empty(),
            "fail 502: no service of the mesh has this name, and nope.example is unknown to DNS",
        ),
    ] {
        assert_eq!(answer(name, policy, profile).await, expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_control_plane_the_target_is_used_as_it_is_until_there_is_one() {
    for (name, expected) in [
        ("10.2.1.1:80", "forward 10.2.1.1:80"),
        ("web.shop:80", "forward 10.2.1.1:80"),
        (
            "nope.shop:80",
            "fail 503: the control plane has not answered, and nope.shop is unknown to DNS",
        ),
    ] {
        let Bench {
            control,
            discovery,
            dns,
        } = bench();
        dns.set("web.shop", ["10.2.1.1"]);
        let start = Instant::now();
        let mut lookup = discovery.outbound(&target(name)).await;
        assert_eq!(
            start.elapsed(),
            Duration::from_millis(500),
            "the initial timeout"
        );
        assert_eq!(shown(&lookup.current()), expected);

        let _policy = control.policies.answer(service_policy("web")).await;
        assert_eq!(
            next(&mut lookup).await,
            "balance web.shop.svc.cluster.local:80"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_changes_is_followed_and_a_lost_stream_changes_nothing() {
    let Bench {
        control, discovery, ..
    } = bench();
    let target = target("10.2.1.1:80");
    let (mut lookup, policy, _profile) = tokio::join!(
        discovery.outbound(&target),
        control.policies.answer(service_policy("web")),
        control.profiles.answer(service_profile("web")),
    );
    let policy = policy.send(service_policy("web2"));
    assert_eq!(
        next(&mut lookup).await,
        "balance web2.shop.svc.cluster.local:80"
    );

    // The controller restarts: the stream fails, comes back and says the same.
    policy.fail(Status::unavailable("restart"));
    let policy = control.policies.answer(service_policy("web2")).await;
    timeout(SHORT, lookup.changed())
        .await
        .expect_err("nothing has changed");
    assert_eq!(
        shown(&lookup.current()),
        "balance web2.shop.svc.cluster.local:80"
    );

    let _policy = policy.send(service_policy("web3"));
    assert_eq!(
        next(&mut lookup).await,
        "balance web3.shop.svc.cluster.local:80"
    );
}

#[tokio::test(start_paused = true)]
async fn an_invalid_message_keeps_the_last_good_policy() {
    let Bench {
        control, discovery, ..
    } = bench();
    let target = target("10.2.1.1:80");
    let (mut lookup, policy, _profile) = tokio::join!(
        discovery.outbound(&target),
        control.policies.answer(service_policy("web")),
        control.profiles.answer(service_profile("web")),
    );
    let mut garbage = service_policy("web");
    garbage.protocol = None;
    let policy = policy.send(garbage);
    timeout(SHORT, lookup.changed())
        .await
        .expect_err("it is ignored");
    let _policy = policy.send(service_policy("web2"));
    assert_eq!(
        next(&mut lookup).await,
        "balance web2.shop.svc.cluster.local:80"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_created_later_is_found() {
    let Bench {
        control, discovery, ..
    } = bench();
    let target = target("10.2.9.9:80");
    let (mut lookup, (), _profile) = tokio::join!(
        discovery.outbound(&target),
        control.policies.refuse(Status::not_found("")),
        control.profiles.answer(Default::default()),
    );
    assert_eq!(shown(&lookup.current()), "forward 10.2.9.9:80");
    let start = Instant::now();
    let _policy = control.policies.answer(service_policy("new")).await;
    assert_eq!(
        next(&mut lookup).await,
        "balance new.shop.svc.cluster.local:80"
    );
    assert_eq!(
        start.elapsed(),
        Duration::from_secs(3),
        "asked again slowly"
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_follows_dns_and_sticks_to_an_address_it_still_has() {
    let Bench {
        control,
        discovery,
        dns,
    } = bench();
    dns.set("example.com", ["192.0.2.1", "192.0.2.2"]);
    let target = target("example.com:443");
    let (mut lookup, (), _profile) = tokio::join!(
        discovery.outbound(&target),
        control.policies.refuse(Status::not_found("")),
        control.profiles.answer(Default::default()),
    );
    assert_eq!(shown(&lookup.current()), "forward 192.0.2.1:443");
    dns.set("example.com", ["192.0.2.2", "192.0.2.1"]);
    let ttl = FakeDns::TTL + Duration::from_secs(1);
    timeout(ttl, lookup.changed())
        .await
        .expect_err("the order means nothing");
    dns.set_silent(true);
    timeout(ttl, lookup.changed())
        .await
        .expect_err("the last address stays");
    dns.set_silent(false);
    dns.set("example.com", ["192.0.2.2"]);
    assert_eq!(next(&mut lookup).await, "forward 192.0.2.2:443");
    dns.set("example.com", []);
    assert!(next(&mut lookup).await.starts_with("fail 502"));
}

#[tokio::test(start_paused = true)]
async fn equal_lookups_share_a_watch_that_ends_when_idle() {
    let Bench {
        control, discovery, ..
    } = bench();
    let target = target("10.2.1.1:80");
    let (first, policy, _profile) = tokio::join!(
        discovery.outbound(&target),
        control.policies.answer(service_policy("web")),
        control.profiles.answer(service_profile("web")),
    );
    let second = discovery.outbound(&target).await;
    assert!(Arc::ptr_eq(&first.current(), &second.current()));
    assert!(
        control.policies.is_empty().await,
        "no other watch was opened"
    );

    drop((first, second));
    advance(Duration::from_secs(4)).await;
    let again = discovery.outbound(&target).await;
    advance(Duration::from_secs(60)).await;
    assert!(
        control.policies.is_empty().await,
        "a watch in use does not expire"
    );
    drop(again);
    let start = Instant::now();
    policy.closed().await;
    assert_eq!(start.elapsed(), Duration::from_secs(5), "the idle timeout");
    assert_eq!(discovery.outbound.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn targets_are_bounded() {
    let Bench {
        control, discovery, ..
    } = bench_with(|config| config.max_targets = 1);
    let (web, other) = (target("10.2.1.1:80"), target("10.2.1.2:80"));
    let (lookup, policy, _profile) = tokio::join!(
        discovery.outbound(&web),
        control.policies.answer(service_policy("web")),
        control.profiles.answer(service_profile("web")),
    );
    let mut refused = discovery.outbound(&other).await;
    assert!(shown(&refused.current()).starts_with("fail 503: 1 targets are watched already"));
    assert!(refused.changed().await.is_none());
    drop(lookup);
    policy.closed().await;
    let lookup = discovery.outbound(&other).await;
    assert_eq!(shown(&lookup.current()), "forward 10.2.1.2:80");
}
