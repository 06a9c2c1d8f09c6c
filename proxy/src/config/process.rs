//! Settings of the process: admin, log, metrics, threads, shutdown.

use super::{env::Env, value::Value};
use crate::log::Filter;
use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    time::Duration,
};

/// The admin server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// `ADMIN_LISTEN_ADDR`.
    pub listen: SocketAddr,
    /// `SHUTDOWN_ENDPOINT_ENABLED`: `POST /shutdown` from loopback stops the proxy.
    pub shutdown_enabled: bool,
    /// `ADMIN_MAX_CONNECTIONS`: held at once.
    pub max_connections: usize,
    /// `ADMIN_HEADER_READ_TIMEOUT`: until a request's headers are complete, and
    /// how long a connection may be idle.
    pub header_read_timeout: Duration,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `LOG`: which events.
    pub filter: Filter,
    /// `LOG_FORMAT`: how they look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Plain,
    /// One JSON object a line.
    Json,
}

/// What is counted, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// `METRICS_RETAIN_IDLE`: counters stay so long after their owner is gone.
    pub retain_idle: Duration,
    /// `METRICS_MAX_LABEL_SETS`: per family.
    pub max_label_sets: usize,
    /// `OUTBOUND_METRICS_HOSTNAME_LABELS`: routes are counted per host name.
    pub hostname_labels: bool,
}

impl AdminConfig {
    pub(super) fn read(env: &mut Env<'_>) -> Self {
        Self {
            listen: admin_listen(env),
            shutdown_enabled: env.or("SHUTDOWN_ENDPOINT_ENABLED", false),
            max_connections: env.within("ADMIN_MAX_CONNECTIONS", 100, 1..=10_000),
            header_read_timeout: env.timeout("ADMIN_HEADER_READ_TIMEOUT", Duration::from_secs(10)),
        }
    }
}

impl LogConfig {
    pub(super) fn read(env: &mut Env<'_>) -> Self {
        Self {
            filter: env.or("LOG", Filter::default()),
            format: env.or("LOG_FORMAT", LogFormat::Plain),
        }
    }
}

impl MetricsConfig {
    pub(super) fn read(env: &mut Env<'_>) -> Self {
        let default = Self::default();
        Self {
            retain_idle: env.or("METRICS_RETAIN_IDLE", default.retain_idle),
            max_label_sets: env.within(
                "METRICS_MAX_LABEL_SETS",
                default.max_label_sets,
                10..=1_000_000,
            ),
            hostname_labels: env.or("OUTBOUND_METRICS_HOSTNAME_LABELS", false),
        }
    }
}

impl Default for MetricsConfig {
    /// 10 minutes, 5000 label sets, no host names.
    fn default() -> Self {
        Self {
            retain_idle: Duration::from_secs(600),
            max_label_sets: 5000,
            hostname_labels: false,
        }
    }
}

impl Value for Filter {
    const EXPECTED: &'static str = "levels (off, error, warn, info, debug, trace) and \
        TARGET=LEVEL with commas between";
    const EXAMPLE: &'static str = "warn,mesh=info,hickory=error";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for LogFormat {
    const EXPECTED: &'static str = "plain or json";
    const EXAMPLE: &'static str = "json";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "plain" => Some(Self::Plain),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Plain => "plain".into(),
            Self::Json => "json".into(),
        }
    }
}

pub(super) fn admin_listen(env: &mut Env<'_>) -> SocketAddr {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 4191));
    env.or("ADMIN_LISTEN_ADDR", default)
}

/// 0 cuts open work off at once.
pub(super) fn shutdown_grace_period(env: &mut Env<'_>) -> Duration {
    env.or("SHUTDOWN_GRACE_PERIOD", Duration::from_secs(120))
}

pub(super) fn cores(env: &mut Env<'_>) -> NonZeroUsize {
    const RANGE: std::ops::RangeInclusive<usize> = 1..=1024;
    let wish = Cores {
        fixed: env.within("CORES", 1, RANGE),
        min: env.within("CORES_MIN", 1, RANGE),
        max: env.opt_within("CORES_MAX", RANGE),
        ratio: env.opt_within("CORES_MAX_RATIO", 0.0..=1.0),
    };
    let available = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    if wish.max.is_some_and(|max| max < wish.min) {
        let expected = format!("at least the value of CORES_MIN, {}", wish.min);
        env.conflict("CORES_MAX", expected, &wish.min.to_string());
    }
    wish.resolve(available)
}

/// How many cores are wished for.
#[derive(Clone, Copy, Debug)]
struct Cores {
    fixed: usize,
    min: usize,
    max: Option<usize>,
    ratio: Option<f64>,
}

impl Cores {
    /// A part of the machine when `ratio` is set, else `max`, else `fixed`; never
    /// under `min`, nor more than the machine has.
    fn resolve(self, available: NonZeroUsize) -> NonZeroUsize {
        let part = self.ratio.map(|ratio| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let part = (available.get() as f64 * ratio).round() as usize;
            self.max.map_or(part, |max| part.min(max))
        });
        let wished = part.or(self.max).unwrap_or(self.fixed).max(self.min);
        NonZeroUsize::new(wished.min(available.get())).unwrap_or(NonZeroUsize::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_wished_for_but_never_more_than_there_are() {
        let cores = |fixed, min, max, ratio, available| {
            let available = NonZeroUsize::new(available).unwrap();
            let wish = Cores {
                fixed,
                min,
                max,
                ratio,
            };
            wish.resolve(available).get()
        };
        assert_eq!(cores(1, 1, None, None, 8), 1);
        assert_eq!(cores(4, 1, None, None, 8), 4);
        assert_eq!(cores(4, 1, None, None, 2), 2);
        assert_eq!(cores(1, 1, Some(2), None, 8), 2);
        assert_eq!(cores(1, 1, None, Some(0.5), 8), 4);
        assert_eq!(cores(1, 1, Some(3), Some(0.5), 8), 3);
        assert_eq!(cores(1, 2, None, Some(0.0), 8), 2);
        assert_eq!(cores(1, 1, None, Some(0.0), 8), 1);
    }
}
