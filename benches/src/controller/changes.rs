//! Changes one after the other and in bursts, and what each took.

use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep, sleep_until};

use super::api_server::ApiServer;
use super::board::{Board, News, Reached};
use super::cluster::{Shape, last_endpoint};
use super::process::Controller;

/// Between two changes, so that the machine is at rest.
const REST: Duration = Duration::from_millis(10);
/// A burst is spread over this time.
const BURST: Duration = Duration::from_secs(1);
/// Work without news is over when the controller has taken no more processor time for so long.
const QUIET: Duration = Duration::from_millis(200);

/// In nanoseconds: more than a change may take.
const HOUR: u64 = 3_600_000_000_000;

/// What some changes took.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Of each change, in nanoseconds: until the last of its watchers had it.
    pub last: Histogram<u64>,
    /// Of each change and watcher.
    pub each: Histogram<u64>,
    /// Processor time of the controller for each change.
    pub cpu: Duration,
    /// Watchers that never heard of a change.
    pub lost: usize,
}

/// Makes changes to a cluster.
#[derive(Debug)]
pub struct Changes<'a> {
    /// The cluster.
    pub shape: Shape,
    /// Where it is changed.
    pub api: &'a ApiServer,
    /// Who has to hear of it.
    pub board: &'a Board,
    /// Whose time is taken.
    pub controller: &'a Controller,
}

impl Changes<'_> {
    /// So many changes of these services by turns, each when the one before has reached all.
    pub async fn one_by_one(&self, services: &[usize], count: usize) -> Cost {
        let before = self.controller.cpu();
        let mut reached = Vec::new();
        let mut lost = 0;
        for nth in 0..count {
            // Gone in one turn, back in the next.
            let ready = (nth / services.len()) % 2 == 1;
            self.change(services[nth % services.len()], ready);
            let (more, missing) = self.board.settled().await;
            reached.extend(more);
            lost += missing;
            sleep(REST).await;
        }
        let cost = self.cost(&reached, lost, before, count);
        self.restore(services).await;
        cost
    }

    /// Bursts of one change of each service, at times set before, whatever is late.
    pub async fn bursts(&self, services: &[usize], bursts: usize) -> Cost {
        let before = self.controller.cpu();
        let mut reached = Vec::new();
        let mut lost = 0;
        for burst in 0..bursts {
            let start = Instant::now();
            let gap = BURST / u32::try_from(services.len()).expect("a burst is small");
            for (nth, service) in (0u32..).zip(services) {
                sleep_until(start + gap * nth).await;
                self.change(*service, burst % 2 == 1);
            }
            let (more, missing) = self.board.settled().await;
            reached.extend(more);
            lost += missing;
        }
        let cost = self.cost(&reached, lost, before, services.len() * bursts);
        self.restore(services).await;
        cost
    }

    /// Processor time for each of so many writes of pods that change nothing.
    pub async fn heartbeats(&self, count: usize) -> Duration {
        let before = self.controller.cpu();
        for nth in 0..count {
            self.api.touch_pod(nth * 7 % self.shape.pods());
            if nth % 20 == 19 {
                sleep(REST).await;
            }
        }
        let mut seen = self.controller.cpu();
        loop {
            sleep(QUIET).await;
            let now = self.controller.cpu();
            if now.saturating_sub(seen) < QUIET / 20 {
                break;
            }
            seen = now;
        }
        per(self.controller.cpu().saturating_sub(before), count)
    }

    fn change(&self, service: usize, ready: bool) {
        let news = News {
            service,
            address: last_endpoint(&self.shape, service),
            present: ready,
        };
        let watchers = self.shape.watchers_of(service);
        if watchers > 0 {
            self.board.announce(news, watchers);
        }
        self.api.set_last_ready(service, ready);
    }

    /// All endpoints are back, for whoever comes next.
    async fn restore(&self, services: &[usize]) {
        for service in services {
            self.api.set_last_ready(*service, true);
        }
        sleep(QUIET).await;
    }

    fn cost(&self, reached: &[Reached], lost: usize, before: Duration, count: usize) -> Cost {
        let cpu = per(self.controller.cpu().saturating_sub(before), count);
        let mut each = Histogram::new_with_bounds(1, HOUR, 3).expect("these bounds are valid");
        let mut last = each.clone();
        let nanos = |time: &Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        for change in reached {
            for time in &change.each {
                each.saturating_record(nanos(time));
            }
            last.saturating_record(change.each.last().map_or(0, nanos));
        }
        Cost {
            last,
            each,
            cpu,
            lost,
        }
    }
}

fn per(time: Duration, count: usize) -> Duration {
    time / u32::try_from(count.max(1)).unwrap_or(u32::MAX)
}
