//! Instructions per request, counted by valgrind: the same on a busy machine as on a quiet one, so that two builds can be compared.
//!
//! What a start costs, and what happens by the clock, is taken out by two runs of the same length and different rates.

use std::path::Path;
use std::time::Duration;

use mesh_integration::pods::Process;
use rustix::process::Signal;
use serde::Serialize;

use crate::case::{Case, Protocol};
use crate::load::LoadError;
use crate::measure::measure;
use crate::peers::{How, Peer, Place};

const TOOL: &str = "/usr/bin/valgrind.bin";
const UNDER: &str = "/usr/bin/valgrind.bin --tool=callgrind --callgrind-out-file=/dev/null";
const RATES: [u32; 2] = [10, 110];
const TIME: Duration = Duration::from_secs(5);

/// Of one peer.
#[derive(Clone, Debug, Serialize)]
pub struct Instructions {
    /// Whose.
    pub peer: &'static str,
    /// Of the client's proxy, for a request and its response.
    pub client: f64,
    /// Of the server's proxy.
    pub server: f64,
}

/// Whether valgrind is there.
#[must_use]
pub fn available() -> bool {
    Path::new(TOOL).exists()
}

/// Counts.
///
/// # Errors
/// When the load fails or valgrind says nothing.
pub fn count(peer: Peer, place: &Place<'_>) -> Result<Instructions, LoadError> {
    let [few, many] = RATES.map(|rate| totals(peer, place, rate));
    let (few, many) = (few?, many?);
    let requests = f64::from(RATES[1] - RATES[0]) * TIME.as_secs_f64();
    let each = |side: usize| (many[side] - few[side]) / requests;
    Ok(Instructions {
        peer: peer.name(),
        client: each(0),
        server: each(1),
    })
}

fn totals(peer: Peer, place: &Place<'_>, rate: u32) -> Result<[f64; 2], LoadError> {
    let tag = format!("-{rate}");
    let pair = peer.start(
        place,
        How {
            tag: &tag,
            under: UNDER,
        },
    );
    let case = Case {
        protocol: Protocol::Http1,
        size: Some(100),
        connections: 4,
        streams: 1,
        churn: false,
        rps: Some(rate),
    };
    measure(&pair, case, Duration::ZERO, TIME)?;
    let [client, server] = &pair.proxies[..] else {
        return Err(LoadError::Answer("no proxies to count".to_owned()));
    };
    let counted = [total(client)?, total(server)?];
    pair.end();
    Ok(counted)
}

/// Ends it, and reads `Collected : 12345`, of nginx's worker as well.
fn total(process: &Process) -> Result<f64, LoadError> {
    process.signal(Signal::TERM);
    process.wait();
    let log = process.log();
    let lines = log.lines().filter(|line| line.contains("Collected :"));
    let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    let sum: f64 = counts.sum();
    let number = (sum > 0.0).then_some(sum);
    number.ok_or_else(|| LoadError::Answer(format!("valgrind has not counted:\n{log}")))
}
