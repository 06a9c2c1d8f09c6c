//! A named test of a cluster that all of them share.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;

use libtest_mimic::Trial;
use tokio::runtime::Handle;

use super::Cluster;

type Body = Box<dyn FnOnce(Cluster) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A test to be run against a cluster.
pub struct Scenario {
    name: String,
    exclusive: bool,
    body: Body,
}

/// A test by this name.
pub fn scenario<F, T>(name: &str, body: F) -> Scenario
where
    F: FnOnce(Cluster) -> T + Send + 'static,
    T: Future<Output = ()> + 'static,
{
    Scenario {
        name: name.to_owned(),
        exclusive: false,
        body: Box::new(move |cluster| Box::pin(body(cluster))),
    }
}

/// One that changes what the others share (the control plane, the API server). Those run when the others have ended, one by one, in the
/// order in which they are listed; each leaves the mesh as it has found it, but for the last.
pub fn exclusive<F, T>(name: &str, body: F) -> Scenario
where
    F: FnOnce(Cluster) -> T + Send + 'static,
    T: Future<Output = ()> + 'static,
{
    Scenario {
        exclusive: true,
        ..scenario(name, body)
    }
}

impl Scenario {
    /// Whether it runs alone.
    pub(super) fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// For a list of names.
    pub(super) fn listed(self) -> Trial {
        Trial::test(self.name, || Ok(()))
    }

    /// For a run. What it has made is deleted when it has ended; when it has failed, what happened there is told first.
    pub(super) fn on(self, runtime: &Handle, cluster: &Cluster) -> Trial {
        let (runtime, cluster) = (runtime.clone(), cluster.for_scenario());
        let Self { name, body, .. } = self;
        Trial::test(name.clone(), move || {
            let scenario = body(cluster.clone());
            let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(scenario)));
            runtime.block_on(async {
                if ended.is_err() {
                    eprintln!("\n=== {name}\n{}", cluster.story().await);
                }
                cluster.clean_up(ended.is_err()).await;
            });
            ended.map_err(|panic| resume_unwind(panic))
        })
    }
}
