use super::*;

const AUTHORITY: &str = "web.shop.svc.cluster.local:80";

/// An update without what a test of the order of updates need not see.
fn shown(update: Option<EndpointUpdate>) -> String {
    let list = |endpoints: Vec<Endpoint>| {
        let addrs = endpoints.iter().map(|endpoint| endpoint.addr.to_string());
        addrs.collect::<Vec<_>>().join(" ")
    };
    match update.expect("the watch is running") {
        EndpointUpdate::Reset(endpoints) => format!("reset {}", list(endpoints)),
        EndpointUpdate::Add(endpoints) => format!("add {}", list(endpoints)),
        EndpointUpdate::Remove(addrs) => format!("remove {addrs:?}"),
        EndpointUpdate::Empty { exists } => format!("empty {exists}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_then_changes_and_a_reset_by_each_new_stream() {
    let Bench {
        control, discovery, ..
    } = bench();
    let mut endpoints = discovery.endpoints(AUTHORITY);
    let call = control.endpoints.next().await;
    assert_eq!(call.request.path, AUTHORITY);
    assert_eq!(call.request.context_token, "context");
    let web0 = || meshed("10.1.1.1:8080", "web-0");
    let web1 = || meshed("10.1.1.2:8080", "web-1");
    let stream = call.accept().send(add(vec![web0()]));
    assert_eq!(shown(endpoints.next().await), "reset 10.1.1.1:8080");
    let stream = stream.send(add(vec![web1()]));
    assert_eq!(shown(endpoints.next().await), "add 10.1.1.2:8080");
    let stream = stream.send(remove(&["10.1.1.1:8080"]));
    assert_eq!(shown(endpoints.next().await), "remove [10.1.1.1:8080]");

    // The stream is lost; what was known stays until there is something new. What
    // the new stream removes before it has added anything is ignored.
    drop(stream);
    let stream = control.endpoints.next().await.accept();
    let stream = stream.send(remove(&["10.1.1.2:8080"]));
    timeout(SHORT, endpoints.next())
        .await
        .expect_err("the old set stays");
    let _stream = stream.send(add(vec![web0(), web1()]));
    assert_eq!(
        shown(endpoints.next().await),
        "reset 10.1.1.1:8080 10.1.1.2:8080"
    );
}

#[tokio::test(start_paused = true)]
async fn emptiness_has_three_faces() {
    let Bench {
        control, discovery, ..
    } = bench();
    let mut endpoints = discovery.endpoints(AUTHORITY);
    let stream = control.endpoints.answer(no_endpoints(true)).await;
    assert_eq!(shown(endpoints.next().await), "empty true");
    let stream = stream.send(add(vec![meshed("10.1.1.1:8080", "web-0")]));
    assert_eq!(shown(endpoints.next().await), "add 10.1.1.1:8080");
    let stream = stream.send(remove(&["10.1.1.1:8080"]));
    assert_eq!(shown(endpoints.next().await), "remove [10.1.1.1:8080]");
    stream.fail(Status::not_found("deleted"));
    assert_eq!(shown(endpoints.next().await), "empty false");
}

#[tokio::test(start_paused = true)]
async fn an_invalid_address_refuses_its_message_alone() {
    let Bench {
        control, discovery, ..
    } = bench();
    let mut endpoints = discovery.endpoints(AUTHORITY);
    let mut bad = meshed("10.1.1.9:8080", "bad");
    bad.addr.as_mut().unwrap().port = 70_000;
    let stream = control.endpoints.answer(add(vec![bad])).await;
    timeout(SHORT, endpoints.next())
        .await
        .expect_err("nothing is known");
    let _stream = stream.send(add(vec![meshed("10.1.1.1:8080", "web-0")]));
    assert_eq!(shown(endpoints.next().await), "reset 10.1.1.1:8080");
}

#[tokio::test(start_paused = true)]
async fn users_share_a_stream_and_each_starts_with_a_snapshot() {
    let Bench {
        control, discovery, ..
    } = bench();
    let mut first = discovery.endpoints(AUTHORITY);
    let stream = control.endpoints.next().await.accept();
    let stream = stream.send(add(vec![meshed("10.1.1.1:8080", "web-0")]));
    assert_eq!(shown(first.next().await), "reset 10.1.1.1:8080");
    let stream = stream.send(add(vec![meshed("10.1.1.2:8080", "web-1")]));
    assert_eq!(shown(first.next().await), "add 10.1.1.2:8080");
    let mut second = discovery.endpoints(AUTHORITY);
    assert_eq!(
        shown(second.next().await),
        "reset 10.1.1.1:8080 10.1.1.2:8080"
    );
    assert!(control.endpoints.is_empty().await);
    drop((first, second));
    stream.closed().await;
}

#[tokio::test(start_paused = true)]
async fn the_balancing_choice_is_peak_ewma_unless_told_otherwise() {
    use super::balancing::api;
    use api::{BalancingPolicy, balancing_policy::Kind};
    let Bench {
        control, discovery, ..
    } = bench();
    let mut choice = discovery.balancing(AUTHORITY);
    assert_eq!(*choice.borrow(), BalancingChoice::PeakEwma);
    let call = control.balancing.next().await;
    assert_eq!(call.request.authority, AUTHORITY);
    let policy = |kind| BalancingPolicy { kind };
    let mut stream = call.accept();
    for (kind, expected) in [
        (
            Kind::RoundRobin(api::RoundRobin {}),
            BalancingChoice::RoundRobin,
        ),
        (
            Kind::LeastRequest(api::LeastRequest {}),
            BalancingChoice::LeastRequest,
        ),
        (Kind::Random(api::Random {}), BalancingChoice::Random),
        (Kind::PeakEwma(api::PeakEwma {}), BalancingChoice::PeakEwma),
        (
            Kind::RoundRobin(api::RoundRobin {}),
            BalancingChoice::RoundRobin,
        ),
    ] {
        stream = stream.send(policy(Some(kind)));
        choice.changed().await.unwrap();
        assert_eq!(*choice.borrow_and_update(), expected);
    }
    let stream = stream.send(policy(None));
    choice.changed().await.unwrap();
    let unknown = *choice.borrow_and_update();
    assert_eq!(unknown, BalancingChoice::PeakEwma, "of a later version");
    let stream = stream.send(policy(Some(Kind::Random(api::Random {}))));
    choice.changed().await.unwrap();
    choice.mark_unchanged();
    stream.fail(Status::unimplemented("a controller without it"));
    choice.changed().await.unwrap();
    assert_eq!(*choice.borrow_and_update(), BalancingChoice::PeakEwma);
}
