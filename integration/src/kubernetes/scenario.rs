//! A named test of a cluster that all of them share.

use std::pin::Pin;

use libtest_mimic::{Failed, Trial};
use tokio::runtime::Handle;

use super::Cluster;

type Body = Box<dyn FnOnce(Cluster) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A test to be run against a cluster.
pub struct Scenario {
    name: String,
    body: Body,
}

/// A test by this name.
pub fn scenario<F, T>(name: &str, body: F) -> Scenario
where
    F: FnOnce(Cluster) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    Scenario {
        name: name.to_owned(),
        body: Box::new(move |cluster| Box::pin(body(cluster))),
    }
}

impl Scenario {
    /// For a list of names.
    pub(super) fn listed(self) -> Trial {
        Trial::test(self.name, || Ok(()))
    }

    /// For a run. What it has made is deleted when it has ended; when it has failed, what happened there is told first.
    pub(super) fn on(self, runtime: &Handle, cluster: &Cluster) -> Trial {
        let (runtime, cluster) = (runtime.clone(), cluster.for_scenario());
        let Self { name, body } = self;
        Trial::test(name.clone(), move || {
            let ended = runtime.block_on(async {
                let ended = tokio::spawn(body(cluster.clone())).await;
                if ended.is_err() {
                    eprintln!("\n=== {name}\n{}", cluster.story().await);
                }
                cluster.clean_up(ended.is_err()).await;
                ended
            });
            ended.map_err(|error| match error.try_into_panic() {
                Ok(panic) => failed(&*panic),
                Err(error) => error.into(),
            })
        })
    }
}

fn failed(panic: &(dyn std::any::Any + Send)) -> Failed {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").into()
}
