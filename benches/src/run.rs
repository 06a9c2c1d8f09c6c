//! A run from start to report: every case, by turns of all peers, as often as asked.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use mesh_integration::pods::Cluster;
use tokio::time::Instant;

use crate::args::Settings;
use crate::callgrind::{self, Instructions};
use crate::case::Case;
use crate::footprint::{Footprint, footprint};
use crate::load::LoadError;
use crate::machine::{Calibration, Machine, calibrate};
use crate::measure::{Measurement, measure};
use crate::peers::{Certificates, How, Pair, Peer, Place};

mod progress;

use progress::Progress;

/// Everything that a run has found.
#[derive(Debug)]
pub struct Findings {
    /// Where.
    pub machine: Machine,
    /// How quiet it was, before and after.
    pub calibrations: [Calibration; 2],
    /// Each time that a case was measured, by its place in the list of cases, and peer.
    pub measurements: BTreeMap<(usize, Peer), Vec<Measurement>>,
    /// What proxies take beside requests.
    pub footprints: Vec<Footprint>,
    /// By valgrind, if asked for.
    pub instructions: Vec<Instructions>,
    /// What went wrong.
    pub failures: Vec<String>,
    /// How long it all took.
    pub took: Duration,
}

/// The peers that are asked for and there.
#[must_use]
pub fn available(settings: &Settings) -> Vec<Peer> {
    let there = |peer: &&Peer| peer.binary().is_none_or(|path| Path::new(path).exists());
    settings.peers.iter().filter(there).copied().collect()
}

/// Runs, inside.
///
/// # Errors
/// When the peers can't be started. A case that fails is in the findings.
pub fn run(settings: &Settings) -> Result<Findings, Box<dyn Error>> {
    let started = Instant::now();
    let peers = available(settings);
    let machine = Machine::here(&peers);
    let before = calibrate();
    let cluster = Cluster::start();
    let certificates = Certificates::create(Path::new("/run/mesh/certificates"))?;
    let place = Place {
        cluster: &cluster,
        certificates: &certificates,
    };
    let mut findings = Findings {
        machine,
        calibrations: [before; 2],
        measurements: BTreeMap::new(),
        footprints: Vec::new(),
        instructions: Vec::new(),
        failures: Vec::new(),
        took: Duration::ZERO,
    };
    let mut progress = Progress::new(settings, &peers);
    take_turns(settings, &place, &peers, &mut progress, &mut findings);
    look_beside(settings, &place, &peers, &mut progress, &mut findings);
    findings.calibrations[1] = calibrate();
    findings.took = started.elapsed();
    Ok(findings)
}

/// Repetition by repetition, case by case, peer by peer; who begins changes, so that nobody is always after the same one.
fn take_turns(
    settings: &Settings,
    place: &Place<'_>,
    peers: &[Peer],
    progress: &mut Progress,
    findings: &mut Findings,
) {
    let mut pairs = Vec::new();
    for &peer in peers {
        progress.note(&format!("starting {peer}"));
        pairs.push((peer, peer.start(place, How::default())));
    }
    for repetition in 1..=settings.repetitions {
        for (index, case) in settings.cases.iter().enumerate() {
            if !pairs.is_empty() {
                pairs.rotate_left(1);
            }
            for (peer, pair) in &pairs {
                let result = measure(pair, *case, settings.warmup, settings.window);
                progress.done(&line(*peer, case, repetition, &result));
                findings.keep(index, case, *peer, pair, result);
            }
        }
    }
    pairs.into_iter().for_each(|(_, pair)| pair.end());
}

impl Findings {
    fn keep(
        &mut self,
        index: usize,
        case: &Case,
        peer: Peer,
        pair: &Pair,
        result: Result<Measurement, LoadError>,
    ) {
        let measured = match result {
            Ok(measured) => measured,
            Err(error) => {
                let logs = pair.logs();
                let said = if logs.trim().is_empty() {
                    "nothing"
                } else {
                    logs.trim()
                };
                let last = said.lines().rev().take(3).collect::<Vec<_>>().join(" / ");
                self.failures.push(format!(
                    "{case} with {peer}: {error}; its proxies said last: {last}"
                ));
                return;
            }
        };
        if measured.failed > 0 {
            let why = measured.failure.as_deref().unwrap_or_default();
            let failed = measured.failed;
            self.failures.push(format!(
                "{case} with {peer}: {failed} requests failed, the first: {why}"
            ));
        }
        let key = (index, peer);
        self.measurements.entry(key).or_default().push(measured);
    }
}

fn line(
    peer: Peer,
    case: &Case,
    repetition: u32,
    result: &Result<Measurement, LoadError>,
) -> String {
    let found = match result {
        Err(error) => format!("failed: {error}"),
        Ok(it) if case.is_bulk() => format!("{:.0} MB/s", it.rps),
        Ok(it) => {
            #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 ns")]
            let at = |quantile| it.latency.value_at_quantile(quantile) as f64 / 1e6;
            let (rps, p50, p99) = (it.rps, at(0.5), at(0.99));
            format!("{rps:.0} rps, p50 {p50:.2} ms, p99 {p99:.2} ms")
        }
    };
    format!("#{repetition} {case} {peer}: {found}")
}

/// Start-up, memory and instructions: one peer after the other, when no other runs.
fn look_beside(
    settings: &Settings,
    place: &Place<'_>,
    peers: &[Peer],
    progress: &mut Progress,
    findings: &mut Findings,
) {
    let proxies = peers.iter().filter(|peer| **peer != Peer::None);
    for &peer in proxies.clone() {
        if settings.footprint.is_empty() {
            break;
        }
        match footprint(peer, place, &settings.footprint) {
            Ok(footprint) => findings.footprints.push(footprint),
            Err(error) => findings.failures.push(format!("memory of {peer}: {error}")),
        }
        progress.done(&format!("memory of {peer}"));
    }
    for &peer in proxies {
        if !settings.instructions || !callgrind::available() {
            break;
        }
        match callgrind::count(peer, place) {
            Ok(count) => findings.instructions.push(count),
            Err(error) => findings
                .failures
                .push(format!("instructions of {peer}: {error}")),
        }
        progress.done(&format!("instructions of {peer}"));
    }
}
