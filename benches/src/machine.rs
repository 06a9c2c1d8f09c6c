//! The machine: what it is, and whether it is quiet enough for figures to mean something.
//!
//! Noise is looked for where it comes from: others on the same processors (`/proc/stat` while this process sleeps), and a processor
//! that is not the same from moment to moment (the same work, timed many times: frequency, hypervisor). Before the run and after it.

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use tokio::time::Instant;

use crate::peers::Peer;
use crate::world;

const WATCH: Duration = Duration::from_secs(1);
const SPINS: usize = 60;
/// Above which a run is noisy: the share of processors that others use.
const BUSY: f64 = 0.05;
/// And the spread of the same work from one time to the next (the middle 80 %), and from before the run to after it.
const SPREAD: f64 = 0.15;

/// What it is and what runs on it.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// `uname -r`.
    pub kernel: String,
    /// Model of its processors.
    pub processor: String,
    /// How many.
    pub processors: usize,
    /// Of this repository.
    pub commit: String,
    /// What each peer says of itself.
    pub versions: Vec<(&'static str, String)>,
}

impl Machine {
    /// Looks at this one, from inside.
    #[must_use]
    pub fn here(peers: &[Peer]) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let model = info.lines().find_map(|line| {
            let value = line.strip_prefix("model name")?.split_once(':')?.1;
            Some(value.trim().to_owned())
        });
        Self {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            processor: model.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            commit: std::env::var(world::COMMIT).unwrap_or_default(),
            versions: peers
                .iter()
                .filter_map(|peer| Some((peer.name(), version(*peer)?)))
                .collect(),
        }
    }

    /// For the name of a folder: `amd-epyc-7b13-2c`.
    #[must_use]
    pub fn slug(&self) -> String {
        let words = self.processor.split(|c: char| !c.is_ascii_alphanumeric());
        let noise = ["", "R", "TM", "CPU", "Processor", "Core"];
        let words: Vec<_> = words.filter(|word| !noise.contains(word)).take(4).collect();
        format!("{}-{}c", words.join("-").to_lowercase(), self.processors)
    }
}

fn version(peer: Peer) -> Option<String> {
    let flag = match peer {
        Peer::Haproxy | Peer::Nginx => "-v",
        Peer::Envoy => "--version",
        _ => return None,
    };
    let output = Command::new(peer.binary()?).arg(flag).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| !line.trim().is_empty())?;
    let line = line.trim();
    Some(
        line.rsplit_once("version: ")
            .map_or(line, |(_, it)| it)
            .to_owned(),
    )
}

/// How quiet it was at one time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Calibration {
    /// Share of all processors that others used.
    pub busy: f64,
    /// Median time of the same work, in microseconds.
    pub spin_us: f64,
    /// How much that varies: middle 80 % as a share of the median.
    pub spread: f64,
}

/// Looks for a second or two.
#[must_use]
pub fn calibrate() -> Calibration {
    let before = processor_times();
    pause(WATCH);
    let after = processor_times();
    let busy = match (before, after) {
        (Some((busy, all)), Some((busy_after, all_after))) if all_after > all => {
            (busy_after - busy) / (all_after - all)
        }
        _ => 0.0,
    };
    let mut spins: Vec<f64> = (0..SPINS).map(|_| spin()).collect();
    spins.sort_by(f64::total_cmp);
    let at = |share: usize| spins[(SPINS - 1) * share / 100];
    Calibration {
        busy,
        spin_us: at(50),
        spread: (at(90) - at(10)) / at(50),
    }
}

/// Why figures between these two are not to be trusted; nothing on a quiet machine.
#[must_use]
pub fn noise(before: &Calibration, after: &Calibration) -> Vec<String> {
    let mut reasons = Vec::new();
    for (when, it) in [("before", before), ("after", after)] {
        if it.busy > BUSY {
            let busy = it.busy * 100.0;
            reasons.push(format!(
                "others used {busy:.0} % of the processors {when} the run"
            ));
        }
        if it.spread > SPREAD {
            let spread = it.spread * 100.0;
            reasons.push(format!(
                "the same work varied by {spread:.0} % {when} the run"
            ));
        }
    }
    let drift = (after.spin_us / before.spin_us - 1.0).abs();
    if drift > SPREAD {
        let drift = drift * 100.0;
        reasons.push(format!(
            "the same work took {drift:.0} % more or less after the run"
        ));
    }
    reasons
}

/// About half a millisecond of work, timed in microseconds.
fn spin() -> f64 {
    let start = Instant::now();
    let sum = (0..400_000_u64).fold(1, |sum: u64, n| black_box(sum.wrapping_mul(31) ^ n));
    black_box(sum);
    start.elapsed().as_secs_f64() * 1e6
}

/// Time that all processors were busy, and all time, in ticks.
fn processor_times() -> Option<(f64, f64)> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks = text.lines().next()?.split_whitespace().skip(1);
    let ticks: Vec<f64> = ticks.filter_map(|tick| tick.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user.
    let ticks = ticks.get(..8)?;
    let all: f64 = ticks.iter().sum();
    Some((all - ticks[3] - ticks[4], all))
}

/// Thousands of connections are thousands of files, here and in what is started from here.
///
/// # Errors
/// When the system refuses, which it has no reason to.
pub fn raise_file_limit() -> Result<(), rustix::io::Errno> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit)
}

/// Sleeps.
#[expect(
    clippy::disallowed_methods,
    reason = "this thread belongs to no runtime"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_named() {
        let quiet = Calibration {
            busy: 0.01,
            spin_us: 500.0,
            spread: 0.02,
        };
        assert!(noise(&quiet, &quiet).is_empty());
        let busy = Calibration { busy: 0.6, ..quiet };
        assert_eq!(
            noise(&quiet, &busy),
            ["others used 60 % of the processors after the run"]
        );
        let slow = Calibration {
            spin_us: 800.0,
            spread: 0.4,
            ..quiet
        };
        assert_eq!(noise(&slow, &quiet).len(), 2);
    }

    #[test]
    fn folders_have_short_names() {
        let machine = Machine {
            kernel: String::new(),
            processor: "Intel(R) Xeon(R) CPU @ 2.60GHz".to_owned(),
            processors: 2,
            commit: String::new(),
            versions: Vec::new(),
        };
        assert_eq!(machine.slug(), "intel-xeon-2-60ghz-2c");
    }
}
