//! What an API server may answer instead, and what people are told.

use super::api::{Watched, added, error, slice};

#[tokio::test(start_paused = true)]
async fn an_outage_keeps_everything_and_is_shown() {
    let mut api = Watched::listed(&["a"]).await;
    api.watch("10").await.close();
    for _ in 0..5 {
        api.refuse("watch", 503, "ServiceUnavailable", "no etcd")
            .await;
    }
    let watch = api.watch("10").await;
    watch.send(&added(slice("b", 11)));
    api.expect(&["+b"]).await;
    assert_eq!(api.text(), "", "all is well again");
}

#[tokio::test(start_paused = true)]
async fn a_stale_kind_says_since_when_and_why() {
    let mut api = Watched::listed(&["a"]).await;
    api.watch("10").await.close();
    api.refuse("watch", 503, "ServiceUnavailable", "no etcd")
        .await;
    let text = api.next_text().await;
    assert!(text.starts_with("stale: EndpointSlice since 20"), "{text}");
    assert!(
        text.ends_with("Z: the API server answers 503 ServiceUnavailable: no etcd\n"),
        "{text}"
    );
    api.expect_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_verb_says_what_to_allow() {
    let mut api = Watched::new();
    let message = "endpointslices.discovery.k8s.io is forbidden: User \"x\" cannot list resource";
    api.refuse("limit", 403, "Forbidden", message).await;
    let text = api.next_text().await;
    assert!(text.starts_with("not read: EndpointSlice since"), "{text}");
    assert!(text.contains("User \"x\" cannot list"), "{text}");
    assert!(
        text.contains("verbs list, watch on endpointslices.discovery.k8s.io"),
        "{text}"
    );
    // Once it is allowed, things go on by themselves.
    api.list("10", &[slice("a", 1)]).await;
    api.expect(&["+a", "listed"]).await;
    api.watch("10").await;
    assert_eq!(api.next_text().await, "");
}

#[tokio::test(start_paused = true)]
async fn garbage_changes_nothing() {
    let mut api = Watched::new();
    api.answer("limit", 200, "<html>login</html>").await;
    assert!(api.next_text().await.contains("makes no sense"));
    api.list("10", &[slice("a", 1)]).await;
    api.expect(&["+a", "listed"]).await;
    let watch = api.watch("10").await;
    watch.send("{]\n");
    // What could not be read may have been any change: only a list can tell.
    api.list("12", &[slice("b", 11)]).await;
    api.expect(&["+b", "-a", "listed"]).await;
    api.watch("12").await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_watch_is_one_error_however_it_is_written() {
    let mut api = Watched::listed(&["a"]).await;
    let refusal = "{\n  \"kind\": \"Status\",\n  \"code\": 403,\n  \"message\": \"not\\nyou\"\n}\n";
    api.answer("watch", 403, refusal).await;
    let text = api.next_text().await;
    assert!(text.contains(": not\nyou; bind a role"), "{text}");
    api.answer("watch", 502, "<html>\n<p>Bad\n<p>Gateway\n")
        .await;
    let text = api.next_text().await;
    assert!(text.contains("502 Bad Gateway"), "{text}");
    api.watch("10").await;
    assert_eq!(api.next_text().await, "");
}

#[tokio::test(start_paused = true)]
async fn an_error_within_a_watch_is_survived() {
    let mut api = Watched::listed(&["a"]).await;
    let watch = api.watch("10").await;
    watch.send(&error(
        500,
        "InternalError",
        "etcd event received with PrevKv=nil",
    ));
    watch.close();
    let watch = api.watch("10").await;
    watch.send(&added(slice("b", 11)));
    api.expect(&["+b"]).await;
}
