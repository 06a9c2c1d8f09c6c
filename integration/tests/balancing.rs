//! Endpoints that come, go, refuse and fail while requests run.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use bytes::Bytes;
use futures::future::join_all;
use http::Response;
use mesh_integration::{
    Application, Endpoint, Load, Mesh, Pod, Service, WEB, app,
    body::full,
    client::text,
    wait::{eventually, until},
    web,
};
use std::{collections::HashMap, time::Duration};
use tokio::{net::TcpListener, time::Instant};

/// A service of some replicas that answer with their number, and its client.
struct Replicas {
    mesh: Mesh,
    pods: Vec<Pod>,
    client: Pod,
    service: Service,
}

impl Replicas {
    async fn start(apps: impl IntoIterator<Item = Application>) -> Self {
        let mesh = Mesh::start().await;
        let mut pods = Vec::new();
        for app in apps {
            pods.push(mesh.pod("web").app(app).start().await);
        }
        let client = mesh.pod("client").start().await;
        let service = mesh.service(WEB);
        service.queue(100, Duration::from_millis(300));
        service.endpoints(pods.iter().map(Pod::endpoint));
        Self {
            mesh,
            pods,
            client,
            service,
        }
    }

    /// How many of `count` requests, one after the other, each replica answered.
    async fn shares(&self, count: usize) -> HashMap<String, usize> {
        let mut http = self.client.http1().await;
        let mut shares = HashMap::new();
        for _ in 0..count {
            let rsp = http.get(&web("/")).await;
            let by = format!("{} {}", rsp.status().as_u16(), text(&rsp));
            *shares.entry(by).or_default() += 1;
        }
        shares
    }
}

#[tokio::test]
async fn all_replicas_get_requests() {
    let replicas = Replicas::start(["a", "b", "c"].map(app::says)).await;
    let shares = replicas.shares(60).await;
    assert_eq!(shares.len(), 3, "{shares:?}");
}

#[tokio::test]
async fn endpoints_come_and_go_without_a_failure() {
    let replicas = Replicas::start(["a", "b", "c"].map(app::says)).await;
    let load = Load::start(&replicas.client).await;
    let changing = replicas.pods[0].endpoint();
    for _ in 0..10 {
        replicas.service.remove(changing.addr);
        load.more(20).await;
        replicas.service.add(changing.clone());
        load.more(20).await;
    }
    load.stop().await;
}

#[tokio::test]
async fn all_endpoints_replaced_at_once_without_a_failure() {
    let replicas = Replicas::start(["a", "b"].map(app::says)).await;
    let (one, two) = (replicas.pods[0].endpoint(), replicas.pods[1].endpoint());
    replicas.service.endpoints([one.clone()]);
    let load = Load::start(&replicas.client).await;
    for _ in 0..10 {
        load.more(20).await;
        replicas.service.endpoints([two.clone()]);
        load.more(20).await;
        replicas.service.endpoints([one.clone()]);
    }
    load.stop().await;
}

#[tokio::test]
async fn a_removed_endpoint_gets_no_more_requests() {
    let replicas = Replicas::start(["a", "b"].map(app::says)).await;
    assert_eq!(replicas.shares(30).await.len(), 2);
    replicas.service.remove(replicas.pods[0].app_addr());
    eventually("only the other one", async || {
        let shares = replicas.shares(20).await;
        (shares.get("200 b") == Some(&20)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_request_refused_by_one_endpoint_goes_to_another() {
    let mesh = Mesh::start().await;
    let alive = mesh.pod("web").app(app::says("alive")).start().await;
    // Nothing listens there: its proxy was bound once and is gone.
    let mut gone = mesh.pod("web").start().await;
    let dead = gone.endpoint();
    gone.stop();
    gone.stopped().await;
    let client = mesh.pod("client").start().await;
    mesh.service(WEB).endpoints([alive.endpoint(), dead]);
    let mut http = client.http1().await;
    for _ in 0..30 {
        let rsp = http.get(&web("/")).await;
        assert_eq!((rsp.status().as_u16(), text(&rsp)), (200, "alive"));
    }
}

#[tokio::test]
async fn requests_wait_together_for_an_endpoint_that_does_not_answer() {
    let mesh = Mesh::start().await;
    let alive = mesh.pod("web").app(app::says("alive")).start().await;
    // Accepts in the kernel, and never says a word of TLS.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = silent.local_addr().unwrap();
    let dead = Endpoint::meshed(addr, alive.identity().to_owned()).via(addr.port());
    let limit = Duration::from_millis(500);
    let client = mesh.pod("client").set("OUTBOUND_CONNECT_TIMEOUT", "500ms");
    let client = client.start().await;
    mesh.service(WEB).endpoints([alive.endpoint(), dead]);
    let start = Instant::now();
    let uri = web("/");
    let requests = (0..30).map(|_| client.get(&uri));
    for rsp in join_all(requests).await {
        assert_eq!(rsp.status(), 200);
    }
    // Half of them met the silent one; one after the other that would be 15 limits.
    let took = start.elapsed();
    assert!(took < 6 * limit, "{took:?}");
}

#[tokio::test]
async fn without_a_ready_endpoint_requests_fail_fast_and_say_why() {
    let mut replicas = Replicas::start([app::says("a")]).await;
    let pod = &mut replicas.pods[0];
    pod.stop();
    pod.stopped().await;
    let rsp = replicas.client.get(&web("/")).await;
    assert_eq!(rsp.status(), 503);
    let error = rsp.headers()["l5d-proxy-error"].to_str().unwrap();
    for part in [
        "stage=balance",
        &format!("target={WEB}"),
        "fault=upstream",
        "retry=yes",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
    // From then on at once.
    let start = Instant::now();
    assert_eq!(replicas.client.get(&web("/")).await.status(), 503);
    assert!(
        start.elapsed() < Duration::from_millis(250),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_service_without_endpoints_fails_fast_and_recovers_with_one() {
    let replicas = Replicas::start([app::says("a")]).await;
    replicas.service.endpoints([]);
    assert_eq!(replicas.client.get(&web("/")).await.status(), 503);
    replicas.service.add(replicas.pods[0].endpoint());
    eventually("the endpoint", async || {
        (replicas.client.get(&web("/")).await.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_request_waits_for_an_endpoint_that_is_just_coming() {
    let replicas = Replicas::start([app::says("a")]).await;
    replicas
        .service
        .queue(100, Duration::from_secs(5))
        .endpoints([]);
    let uri = web("/");
    let request = replicas.client.get(&uri);
    tokio::pin!(request);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut request).await;
    assert!(early.is_err(), "answered without an endpoint");
    replicas.service.add(replicas.pods[0].endpoint());
    assert_eq!(request.await.status(), 200);
}

/// Five requests that wait for an endpoint, after it is known that there is none.
async fn five_waiting(client: &Pod) -> tokio::task::JoinSet<Response<Bytes>> {
    let http = client.http2().await;
    let mut waiting = tokio::task::JoinSet::new();
    for i in 0..5 {
        let mut http = http.clone();
        waiting.spawn(async move { http.get(&web("/")).await });
        until("the answer of the control plane", || {
            i > 0 || client.counted(&["balancer_p2c_updates_total"]) > 0.0
        })
        .await;
    }
    waiting
}

#[tokio::test]
async fn a_full_queue_sheds_load() {
    let replicas = Replicas::start([app::says("a")]).await;
    replicas
        .service
        .queue(2, Duration::from_secs(5))
        .endpoints([]);
    let mut waiting = five_waiting(&replicas.client).await;
    for _ in 0..3 {
        assert_eq!(waiting.join_next().await.unwrap().unwrap().status(), 503);
    }
    replicas.service.add(replicas.pods[0].endpoint());
    while let Some(rsp) = waiting.join_next().await {
        assert_eq!(rsp.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn where_no_policy_says_how_to_queue_the_settings_do() {
    let mesh = Mesh::start().await;
    mesh.service(WEB).without_queue();
    let client = mesh
        .pod("client")
        .set("OUTBOUND_HTTP_QUEUE_CAPACITY", 2)
        .set("OUTBOUND_HTTP_FAILFAST_TIMEOUT", "500ms")
        .start()
        .await;
    let all = five_waiting(&client).await.join_all();
    let all = tokio::time::timeout(Duration::from_secs(2), all).await;
    let answers = all.expect("500 ms, not the policy's usual 3 s");
    let is = |what: &str| {
        let error = |rsp: &Response<_>| {
            rsp.headers()["l5d-proxy-error"]
                .to_str()
                .unwrap()
                .contains(what)
        };
        answers.iter().filter(|rsp| error(rsp)).count()
    };
    assert_eq!(is("too many requests wait"), 3);
    assert_eq!(is("within the failfast timeout"), 2);
}

#[tokio::test]
async fn an_endpoint_that_comes_back_is_used_again() {
    let mut replicas = Replicas::start(["a", "b"].map(app::says)).await;
    // Without proxies, so that it is the endpoint itself that refuses.
    let plain = |pod: &Pod| Endpoint::plain(pod.app_addr());
    let endpoints: Vec<_> = replicas.pods.iter().map(plain).collect();
    replicas.service.endpoints(endpoints);
    assert_eq!(replicas.shares(40).await.len(), 2);
    replicas.pods[0].kill_app().await;
    let shares = replicas.shares(20).await;
    assert_eq!(shares.get("200 b"), Some(&20), "{shares:?}");
    replicas.pods[0].restart_app(app::says("a")).await;
    eventually("both replicas", async || {
        (replicas.shares(20).await.len() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_failing_endpoint_gets_less() {
    let failing = app::http(|_| async { Response::builder().status(500).body(full("c")).unwrap() });
    let apps = [app::says("a"), app::says("b"), failing];
    let replicas = Replicas::start(apps).await;
    let shares = replicas.shares(300).await;
    let failed = shares.get("500 c").copied().unwrap_or(0);
    assert!(failed > 0, "it is asked now and then: {shares:?}");
    assert!(failed < 60, "well under its third: {shares:?}");
}

/// An application that answers with `name` after `time`.
fn takes(time: Duration, name: &'static str) -> Application {
    app::http(move |_| async move {
        tokio::time::sleep(time).await;
        Response::new(full(name))
    })
}

#[tokio::test]
async fn a_slow_endpoint_gets_less() {
    // So slow that no busy machine makes the others slower.
    let slow = takes(Duration::from_millis(150), "slow");
    let apps = [app::says("a"), app::says("b"), slow];
    let replicas = Replicas::start(apps).await;
    let shares = replicas.shares(200).await;
    let slow = shares.get("200 slow").copied().unwrap_or(0);
    assert!(slow < 40, "well under its third: {shares:?}");
}

#[tokio::test]
async fn weights_are_honoured() {
    // Enough for the differences to be those of the weights, also on a busy machine.
    let apps = ["a", "b"].map(|name| takes(Duration::from_millis(10), name));
    let replicas = Replicas::start(apps).await;
    let mut light = replicas.pods[0].endpoint();
    light.weight = 1_000;
    replicas
        .service
        .endpoints([light, replicas.pods[1].endpoint()]);
    let shares = replicas.shares(200).await;
    let light = shares.get("200 a").copied().unwrap_or(0);
    assert!(light < 70, "{shares:?}");
    drop(replicas.mesh);
}
