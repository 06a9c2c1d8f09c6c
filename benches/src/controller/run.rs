//! From an empty cluster to a burst: one controller, measured step by step.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mesh::local::progress::step;
use tokio::time::{Instant, sleep};

use super::api_server::ApiServer;
use super::args::Settings;
use super::board::Board;
use super::changes::{Changes, Cost};
use super::cluster::{COMMON, Shape};
use super::process::{Controller, Role};
use super::watcher::Watchers;
use super::webhook::{self, Answers};
use crate::machine::{Calibration, calibrate};

/// After a step that makes garbage, before memory is read.
const REST: Duration = Duration::from_secs(1);

/// All that was measured.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Starting the process until `/ready`.
    pub start: Duration,
    /// From then until each stream of all proxies has had its first message.
    pub connect: Duration,
    /// What is resident.
    pub memory: Memory,
    /// Share of one processor while nothing changes.
    pub idle: f64,
    /// Changes of services that few watch.
    pub few: Cost,
    /// Changes of the service that all watch.
    pub all: Cost,
    /// Changes in bursts.
    pub burst: Cost,
    /// Processor time of a write that changes nothing.
    pub heartbeat: Duration,
    /// Injections.
    pub webhook: Answers,
    /// Streams that ended, and why the first did.
    pub broken: (usize, Option<String>),
    /// The machine before and after.
    pub calibrations: [Calibration; 2],
}

/// Resident bytes of the controller.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// With nothing to know and nobody who asks.
    pub empty: u64,
    /// With all objects.
    pub objects: u64,
    /// With all objects and all watchers.
    pub watched: u64,
    /// After all changes.
    pub end: u64,
    /// At any time.
    pub peak: u64,
}

/// Runs it all.
///
/// # Errors
/// When the controller does not start, or streams can't be opened.
pub async fn run(settings: &Settings, program: &Path) -> Result<Findings, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let shape = settings.shape;
    let before = calibrate();
    let empty = empty(program, folder.path()).await?;

    let (services, pods) = (shape.services, shape.pods());
    step(&format!(
        "Start with {services} Services and {pods} Pods that are endpoints"
    ));
    let api = ApiServer::start(shape).await?;
    let controller = Controller::start(program, Role::Destination, &api, folder.path()).await?;
    let start = controller.start;
    sleep(REST).await;
    let objects = controller.resident();

    let (proxies, streams) = (shape.proxies, shape.streams());
    step(&format!(
        "Connect {proxies} proxies, which open {streams} streams"
    ));
    let board = Arc::new(Board::default());
    let started = Instant::now();
    let watchers = Watchers::start(shape, &controller, &board).await?;
    let connect = started.elapsed();
    sleep(REST).await;
    let watched = controller.resident();

    let idle = idle(&controller, Duration::from_secs(settings.idle)).await;
    let changes = Changes {
        shape,
        api: &api,
        board: &board,
        controller: &controller,
    };
    let (few, all, burst, heartbeat) = changed(settings, &changes).await;
    let memory = Memory {
        empty,
        objects,
        watched,
        end: controller.resident(),
        peak: controller.peak(),
    };
    let broken = board.broken();
    drop((watchers, controller));
    let webhook = webhook::measure(program, folder.path(), settings.reviews).await;
    let webhook = webhook.map_err(|error| -> Box<dyn Error> { error })?;
    Ok(Findings {
        start,
        connect,
        memory,
        idle,
        few,
        all,
        burst,
        heartbeat,
        webhook,
        broken,
        calibrations: [before, calibrate()],
    })
}

async fn empty(program: &Path, folder: &Path) -> Result<u64, Box<dyn Error>> {
    step("Start with an empty cluster");
    let api = ApiServer::start(Shape::EMPTY).await?;
    let controller = Controller::start(program, Role::Destination, &api, folder).await?;
    sleep(REST).await;
    Ok(controller.resident())
}

async fn idle(controller: &Controller, time: Duration) -> f64 {
    step(&format!("Do nothing for {time:?}"));
    let before = controller.cpu();
    sleep(time).await;
    let used = controller.cpu().saturating_sub(before);
    used.as_secs_f64() / time.as_secs_f64()
}

async fn changed(settings: &Settings, changes: &Changes<'_>) -> (Cost, Cost, Cost, Duration) {
    let (ones, common, heartbeats) = (settings.changes, settings.common, settings.heartbeats);
    let services = settings.shape.services;
    let others: Vec<usize> = (1..services).collect();
    let watchers = settings.shape.watchers_of(1);
    step(&format!(
        "Change {ones} times a Service with {watchers} watchers"
    ));
    let few = changes.one_by_one(&others, ones).await;
    step(&format!("Change {common} times the Service that all watch"));
    let all = changes.one_by_one(&[COMMON], common).await;
    let (bursts, size) = (settings.bursts, settings.burst);
    step(&format!(
        "Change {size} Services within a second, {bursts} times"
    ));
    let burst = changes.bursts(&others[services - 1 - size..], bursts).await;
    step(&format!("Write {heartbeats} Pods without a change"));
    let heartbeat = changes.heartbeats(heartbeats).await;
    (few, all, burst, heartbeat)
}

/// The controller beside this program.
///
/// # Errors
/// When this program is nowhere.
pub fn beside() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("mesh-controller"))
}
