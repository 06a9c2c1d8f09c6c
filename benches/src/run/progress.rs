//! What has been done and how long the rest takes, a line for each step: a run is watched in terminals and read in logs.

use std::time::Duration;

use tokio::time::Instant;

use crate::args::Settings;
use crate::peers::Peer;

/// What a measurement takes beside its window: connecting, reading the kernel's counts.
const BESIDE: Duration = Duration::from_millis(150);

/// Counts steps.
#[derive(Debug)]
pub(super) struct Progress {
    steps: usize,
    done: usize,
    /// Each step's share of the whole, as far as it is known before.
    expected: Vec<Duration>,
    started: Instant,
}

impl Progress {
    pub(super) fn new(settings: &Settings, peers: &[Peer]) -> Self {
        let proxies = peers.iter().filter(|peer| **peer != Peer::None).count();
        let measurement = settings.warmup + settings.window + BESIDE;
        let turns = settings.cases.len() * peers.len() * settings.repetitions as usize;
        let mut expected = vec![measurement; turns];
        if !settings.footprint.is_empty() {
            let footprint = Duration::from_secs(2 + 2 * settings.footprint.len() as u64);
            expected.extend(vec![footprint; proxies]);
        }
        if settings.instructions {
            expected.extend(vec![Duration::from_secs(30); proxies]);
        }
        Self {
            steps: expected.len(),
            done: 0,
            expected,
            started: Instant::now(),
        }
    }

    /// Says something between steps.
    pub(super) fn note(&self, text: &str) {
        eprintln!("[{:>3}/{}] {text}", self.done, self.steps);
    }

    /// Counts a step and says what it was.
    pub(super) fn done(&mut self, text: &str) {
        self.done = self.steps.min(self.done + 1);
        let left = self.left().as_secs();
        let (minutes, seconds) = (left / 60, left % 60);
        let (done, steps) = (self.done, self.steps);
        eprintln!("[{done:>3}/{steps}, {minutes}:{seconds:02} left] {text}");
    }

    /// As planned, at the pace so far.
    fn left(&self) -> Duration {
        let (past, to_come) = self.expected.split_at(self.done);
        let sum = |times: &[Duration]| times.iter().sum::<Duration>().as_secs_f64();
        let pace = self.started.elapsed().as_secs_f64() / sum(past).max(1e-3);
        Duration::from_secs_f64(sum(to_come) * pace)
    }
}
