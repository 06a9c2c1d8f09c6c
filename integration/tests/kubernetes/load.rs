//! Requests of a meshed pod, while something happens to others.

use mesh_integration::kubernetes::Space;
use serde_json::Value;

/// The pod `load`, which asks for `http://web/` at an even pace.
pub(crate) struct Load<'a> {
    space: &'a Space,
}

impl<'a> Load<'a> {
    /// Starts it in the namespace of a `shop`, and waits until it has been answered for a while.
    pub(crate) async fn start(space: &'a Space) -> Self {
        space.apply(include_str!("load/pod.yaml")).await;
        space.ready_pod("load").await;
        let load = Self { space };
        load.more(20).await;
        load
    }

    async fn state(&self) -> Value {
        let get = ["/mesh-test-pod", "get", "http://127.0.0.1:9000/"];
        let said = self.space.exec("load", "load", &get).await.ok();
        serde_json::from_str(&said).unwrap()
    }

    /// Waits until so many more requests were answered.
    pub(crate) async fn more(&self, count: u64) {
        let before = answered(&self.state().await);
        let what = format!("{count} more answers");
        let goal = before + count;
        self.space
            .until(&what, async || {
                (answered(&self.state().await) >= goal).then_some(())
            })
            .await;
    }

    /// Every request so far was answered with success.
    ///
    /// # Panics
    /// When one was not; tells which, when and how.
    pub(crate) async fn lost_nothing(&self) {
        self.more(20).await;
        let state = self.state().await;
        eprintln!("{}: {state}", self.space.name());
        assert_eq!(state["failed"], 0, "{state:#}");
    }
}

fn answered(state: &Value) -> u64 {
    state["answered"].as_u64().unwrap()
}
