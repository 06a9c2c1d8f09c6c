//! What only the owner of the node can see and do: packets between pods, the API server's end, processes that stand still.

use super::super::capture::Capture;
use super::super::node::Paused;
use super::Cluster;

impl Cluster {
    /// Whether the node is ours, so that its parts can be stopped.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.shared.node.is_some()
    }

    /// Kills the API server and starts it again, with the same objects but no history: a watch goes on only from the newest version.
    ///
    /// # Panics
    /// In somebody else's cluster, or when it does not come back.
    pub async fn restart_api_server(&self) {
        let node = self.shared.node.as_ref().expect("the node is ours");
        self.sh(include_str!("compact.sh")).await.ok();
        node.restart_api_server();
        let ready = self.sh("until kubectl get --raw /readyz >/dev/null 2>&1; do :; done");
        ready.await.ok();
    }

    /// Stops the processes on the node that have this argument, until what is returned is dropped.
    ///
    /// # Panics
    /// When there is none.
    pub fn pause(&self, argument: &str) -> Paused {
        Paused::with(argument)
    }

    /// Looks for texts in the packets between pods; none in somebody else's cluster, whose nodes are elsewhere.
    ///
    /// # Panics
    /// When the kernel refuses.
    #[must_use]
    pub fn capture(&self, texts: &[&str]) -> Option<Capture> {
        self.shared.node.as_ref()?;
        Some(Capture::start(texts).unwrap())
    }
}
