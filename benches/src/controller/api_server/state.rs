//! What there is, and what has changed: lists in pages and watches.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::Uri;
use hyper::body::Frame;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::written::Written;
use crate::controller::cluster::Shape;
use crate::controller::template::Template;

/// Objects of one page if the client does not say.
const PAGE: usize = 500;

#[derive(Debug)]
pub(super) struct State {
    pub(super) shape: Shape,
    pub(super) pod: Template,
    pub(super) written: Written,
    pub(super) history: Mutex<Vec<Event>>,
    /// The newest version: that of the objects before any change, and one more for each.
    pub(super) version: watch::Sender<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    kind: Kind,
    line: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Namespace,
    Node,
    Pod,
    Service,
    Slice,
}

impl Kind {
    pub(super) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/api/v1/namespaces" => Self::Namespace,
            "/api/v1/nodes" => Self::Node,
            "/api/v1/pods" => Self::Pod,
            "/api/v1/services" => Self::Service,
            "/apis/discovery.k8s.io/v1/endpointslices" => Self::Slice,
            _ => return None,
        })
    }
}

impl State {
    pub(super) fn change(&self, kind: Kind, object: impl FnOnce(&Shape, &Template, u64) -> String) {
        let mut history = self.history.lock();
        let version = history.len() as u64 + 2;
        let object = object(&self.shape, &self.pod, version);
        let line = format!("{{\"type\":\"MODIFIED\",\"object\":{object}}}\n").into();
        history.push(Event { kind, line });
        drop(history);
        self.version
            .send_modify(|newest| *newest = version.max(*newest));
    }

    fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Namespace => self.shape.namespaces,
            Kind::Node => self.shape.nodes,
            Kind::Pod => self.shape.pods(),
            Kind::Service | Kind::Slice => self.shape.services,
        }
    }

    fn object(&self, kind: Kind, index: usize) -> String {
        match kind {
            Kind::Namespace => self.shape.namespace(index),
            Kind::Node => self.shape.node(index),
            Kind::Pod => self.shape.pod(&self.pod, index, 1),
            Kind::Service => self.shape.service(index),
            Kind::Slice => self.shape.slice(index, true, 1),
        }
    }

    /// One page of objects as they were before any change: what has changed since is told by the watch that follows.
    pub(super) fn list(&self, kind: Kind, uri: &Uri) -> String {
        let number = |name| parameter(uri, name)?.parse::<usize>().ok();
        let from = number("continue").unwrap_or(0);
        let all = self.count(kind);
        let to = all.min(from + number("limit").unwrap_or(PAGE));
        let items: Vec<_> = (from..to).map(|index| self.object(kind, index)).collect();
        let more = if to < all {
            format!(",\"continue\":\"{to}\"")
        } else {
            String::new()
        };
        let items = items.join(",");
        format!(
            "{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{{\"resourceVersion\":\"1\"{more}}},\"items\":[{items}]}}"
        )
    }

    /// The changes of a kind after a version, and the newest version.
    fn since(&self, kind: Kind, version: u64) -> (Bytes, u64) {
        let history = self.history.lock();
        let seen = usize::try_from(version).map_or(usize::MAX, |version| version.saturating_sub(1));
        let events = history.get(seen..).unwrap_or_default().iter();
        let lines = events
            .filter(|event| event.kind == kind)
            .map(|event| &event.line[..]);
        (
            lines.collect::<Vec<_>>().concat().into(),
            history.len() as u64 + 1,
        )
    }
}

pub(super) fn events(
    state: Arc<State>,
    kind: Kind,
    from: u64,
    end: Instant,
) -> impl stream::Stream<Item = Result<Frame<Bytes>, Infallible>> {
    let versions = state.version.subscribe();
    stream::unfold((from, versions), move |(mut from, mut versions)| {
        let state = state.clone();
        async move {
            loop {
                let newer = versions.wait_for(|version| *version > from);
                timeout_at(end, newer).await.ok()?.ok()?;
                let (lines, newest) = state.since(kind, from);
                from = newest;
                if !lines.is_empty() {
                    return Some((Ok(Frame::data(lines)), (from, versions)));
                }
            }
        }
    })
}

pub(super) fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name);
    values.next().map(|(_, value)| value)
}
