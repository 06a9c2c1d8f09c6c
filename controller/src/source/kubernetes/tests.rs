//! One kind followed through everything that an API server may do.

mod api;
mod collect;
mod failures;

use api::{Watched, added, bookmark, deleted, error, slice, slice_of_no_service};

#[tokio::test(start_paused = true)]
async fn a_list_and_what_changes_after_it() {
    let mut api = Watched::new();
    api.list("10", &[slice("a", 1), slice("b", 1)]).await;
    api.expect(&["+a", "+b", "listed"]).await;
    let watch = api.watch("10").await;
    watch.send(&added(slice("c", 11)));
    watch.send(&deleted(slice("a", 12)));
    api.expect(&["+c", "-a"]).await;
    watch.close();
    // The next watch goes on where this one ended.
    let watch = api.watch("12").await;
    watch.send(&bookmark("40"));
    watch.close();
    api.watch("40").await;
    api.expect_quiet();
}

#[tokio::test(start_paused = true)]
async fn long_lists_come_in_pages() {
    let mut api = Watched::new();
    api.page("", "more", &[slice("a", 1)]).await;
    api.page("more", "", &[slice("b", 1)]).await;
    api.expect(&["+a", "+b", "listed"]).await;
    api.watch("10").await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_watch_lists_again() {
    let mut api = Watched::listed(&["a", "b"]).await;
    let watch = api.watch("10").await;
    watch.send(&error(410, "Expired", "too old resource version"));
    api.list("50", &[slice("b", 1), slice("c", 45)]).await;
    // What the list lacks goes only when the list is complete.
    api.expect(&["+b", "+c", "-a", "listed"]).await;
    api.watch("50").await;
    assert_eq!(api.text(), "");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_gone_from_the_start_lists_again() {
    let mut api = Watched::listed(&["a"]).await;
    api.refuse("watch", 410, "Expired", "too old resource version")
        .await;
    api.list("50", &[]).await;
    api.expect(&["-a", "listed"]).await;
    api.watch("50").await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_breaks_off_deletes_nothing() {
    let mut api = Watched::listed(&["a", "b"]).await;
    let watch = api.watch("10").await;
    watch.send(&error(410, "Expired", "too old resource version"));
    api.page("", "more", &[slice("c", 45)]).await;
    api.refuse(
        "continue=more",
        410,
        "Expired",
        "the continue token is too old",
    )
    .await;
    api.list("60", &[slice("b", 1)]).await;
    // The broken list brought c, which has gone since.
    api.expect(&["+c", "+b"]).await;
    let mut gone = [api.update().await, api.update().await];
    gone.sort();
    assert_eq!(gone, ["-a", "-c"]);
    api.expect(&["listed"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_given_up() {
    let mut api = Watched::listed(&["a"]).await;
    let _silent = api.watch("10").await;
    // No event, no bookmark, no end: after 65 s it is asked for anew.
    api.watch("10").await;
    api.expect_quiet();
}

#[tokio::test(start_paused = true)]
async fn an_object_of_no_use_is_dropped_and_a_bad_one_kept() {
    let mut api = Watched::listed(&["a", "b"]).await;
    let watch = api.watch("10").await;
    watch.send(&added(slice_of_no_service("a", 11)));
    let bad = |version| {
        let mut bad = slice("b", version);
        bad["endpoints"][0]["addresses"][0] = "nowhere".into();
        bad
    };
    watch.send(&added(bad(12)));
    watch.send(&added(bad(14)));
    watch.send(&added(slice("c", 13)));
    api.expect(&["-a", "+c"]).await;
    // Their authors hear of it, once.
    assert_eq!(api.note().await.about.name.as_deref(), Some("a"));
    let note = api.note().await;
    assert_eq!(note.about.name.as_deref(), Some("b"));
    assert_eq!(note.about.kind.as_deref(), Some("EndpointSlice"));
    assert_eq!(note.about.uid.as_deref(), Some("u-b"));
    assert!(note.text.contains("nowhere"), "{}", note.text);
    api.expect_no_note();
}
