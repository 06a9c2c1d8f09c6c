//! What a proxy takes before and beside any request: time to start, memory, size on disk.

use std::fs;
use std::time::Duration;

use serde::Serialize;

use crate::case::{Case, Protocol};
use crate::cost;
use crate::load::{self, Edge, LoadError};
use crate::machine::pause;
use crate::peers::{How, Pair, Peer, Place};

/// After its start, before idle memory is read.
const REST: Duration = Duration::from_millis(300);
/// Under load, before and after the beginning of a window.
const BUSY: Duration = Duration::from_millis(500);
/// Connections that do next to nothing after the first request of each, and requests per second of all.
const IDLE_CONNECTIONS: usize = 4096;
const IDLE_RATE: u32 = 20;

/// Of one peer.
#[derive(Clone, Debug, Serialize)]
pub struct Footprint {
    /// Whose.
    pub peer: &'static str,
    /// From starting the client's proxy until it takes connections; ours and Linkerd's have their certificate by then.
    pub start_up_ms: Option<f64>,
    /// Resident memory of the larger proxy before any connection.
    pub idle_bytes: u64,
    /// The same under load, by connections.
    pub busy_bytes: Vec<(usize, u64)>,
    /// What each of 4096 connections adds that have made a request and wait.
    pub idle_connection_bytes: Option<f64>,
    /// The program on disk. The image of ours is this file and nothing else.
    pub binary_bytes: u64,
}

/// Measures it, with `connections` at a time; idle connections only if the largest number of them is.
///
/// # Errors
/// When the load fails.
pub fn footprint(
    peer: Peer,
    place: &Place<'_>,
    connections: &[usize],
) -> Result<Footprint, LoadError> {
    let pair = peer.start(
        place,
        How {
            tag: "-busy",
            ..How::default()
        },
    );
    pause(REST);
    let idle_bytes = cost::resident(&pair.pids());
    let mut busy_bytes = Vec::new();
    for &count in connections {
        busy_bytes.push((count, busy(&pair, count)?));
    }
    let start_up = pair.start_up;
    pair.end();
    let many = connections.contains(&IDLE_CONNECTIONS);
    let waiting = many.then(|| idle_connection(peer, place)).transpose()?;
    let binary = peer.binary().map(fs::metadata);
    Ok(Footprint {
        peer: peer.name(),
        start_up_ms: start_up.map(|time| time.as_secs_f64() * 1e3),
        idle_bytes,
        busy_bytes,
        idle_connection_bytes: waiting,
        binary_bytes: binary.and_then(Result::ok).map_or(0, |file| file.len()),
    })
}

fn case(connections: usize, rps: Option<u32>) -> Case {
    Case {
        protocol: Protocol::Http1,
        size: Some(100),
        connections,
        streams: 1,
        churn: false,
        rps,
    }
}

fn busy(pair: &Pair, connections: usize) -> Result<u64, LoadError> {
    under(pair, case(connections, None), BUSY)
}

/// Resident memory at the end of a load. Every connection has had a request by then, however slow the machine.
fn under(pair: &Pair, case: Case, time: Duration) -> Result<u64, LoadError> {
    let (load, pids) = (pair.load(case, time, time), pair.pids());
    let mut resident = 0;
    pair.client.netns().within(|| {
        load::run(&load, |edge| {
            if edge == Edge::End {
                resident = cost::resident(&pids);
            }
        })
    })?;
    Ok(resident)
}

/// Proxies of their own, because memory that a load has had is not given back.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 bytes")]
fn idle_connection(peer: Peer, place: &Place<'_>) -> Result<f64, LoadError> {
    let how = How {
        tag: "-idle",
        ..How::default()
    };
    let pair = peer.start(place, how);
    pause(REST);
    let before = cost::resident(&pair.pids());
    let after = under(&pair, case(IDLE_CONNECTIONS, Some(IDLE_RATE)), REST)?;
    pair.end();
    Ok(after.saturating_sub(before) as f64 / IDLE_CONNECTIONS as f64)
}
