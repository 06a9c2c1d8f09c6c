//! What the process is and uses.
//!
//! Read from `/proc/self` when scraped, with the names of the Prometheus client
//! libraries. A file that cannot be read (no `/proc` in the container) leaves its
//! metrics out.

use super::{
    family::{Family, counter, gauge},
    labels::Labels,
    names,
    registry::Registry,
    render,
};
use ::metrics::Gauge;
use std::fs;

static START_TIME: Family = gauge(
    "process_start_time_seconds",
    "Time that the process started (in seconds since the UNIX epoch)",
);
static CPU: Family = counter(
    "process_cpu_seconds_total",
    "Total user and system CPU time spent in seconds",
);
static RESIDENT: Family = gauge(
    "process_resident_memory_bytes",
    "Resident memory size in bytes",
);
static VIRTUAL: Family = gauge(
    "process_virtual_memory_bytes",
    "Virtual memory size in bytes",
);
static OPEN_FDS: Family = gauge("process_open_fds", "Number of open file descriptors");
static MAX_FDS: Family = gauge("process_max_fds", "Maximum number of open file descriptors");
static THREADS: Family = gauge("process_threads", "Number of OS threads in the process");

/// All of them, for the documentation's test.
#[cfg(test)]
pub(super) static ALL: [&Family; 7] = [
    &START_TIME,
    &CPU,
    &RESIDENT,
    &VIRTUAL,
    &OPEN_FDS,
    &MAX_FDS,
    &THREADS,
];

/// `proxy_build_info`, always 1.
pub(super) fn build_info(registry: &Registry) -> Gauge {
    let profile = match cfg!(debug_assertions) {
        true => "debug",
        false => "release",
    };
    let labels = Labels::new()
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("git_sha", option_env!("MESH_GIT_SHA").unwrap_or_default())
        .with("date", option_env!("MESH_BUILD_DATE").unwrap_or_default())
        .with("profile", profile)
        .with("vendor", "mesh");
    one(registry, &names::BUILD_INFO, &labels)
}

/// `rustls_info`, always 1: what the mesh's TLS is made of.
pub(super) fn tls_info(registry: &Registry) -> Gauge {
    let provider = mesh_identity::crypto::provider();
    let suites = provider.cipher_suites.iter();
    let suites: String = suites
        .map(|suite| format!("{:?},", suite.suite()))
        .collect();
    let groups = provider.kx_groups.iter();
    let groups: String = groups.map(|group| format!("{:?},", group.name())).collect();
    let labels = Labels::new()
        .with("tls_suites", suites)
        .with("tls_kx_groups", groups)
        .with("tls_rand", format!("{:?}", provider.secure_random))
        .with("tls_key_provider", format!("{:?}", provider.key_provider))
        .with("tls_fips", provider.fips().to_string());
    one(registry, &names::RUSTLS_INFO, &labels)
}

fn one(registry: &Registry, family: &'static Family, labels: &Labels) -> Gauge {
    let gauge = registry.gauge(family, labels);
    gauge.set(1.0);
    gauge
}

/// Appends what can be read now.
pub(super) fn render(out: &mut String) {
    let mut put = |family: &Family, value: Option<f64>| {
        if let Some(value) = value {
            render::header(out, family);
            render::sample(out, family.name, &Labels::new(), None, value);
        }
    };
    let stat = fs::read_to_string("/proc/self/stat").ok();
    let stat = stat.as_deref().and_then(Stat::parse);
    let stat = stat.as_ref();
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    put(
        &START_TIME,
        stat.and_then(|stat| Some(boot_time()? + stat.start as f64 / ticks)),
    );
    put(&CPU, stat.map(|stat| stat.cpu as f64 / ticks));
    let page = rustix::param::page_size() as f64;
    put(&RESIDENT, stat.map(|stat| stat.resident as f64 * page));
    put(&VIRTUAL, stat.map(|stat| stat.virtual_bytes as f64));
    put(&THREADS, stat.map(|stat| stat.threads as f64));
    let open = fs::read_dir("/proc/self/fd").ok();
    put(&OPEN_FDS, open.map(|open| open.count() as f64));
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    put(
        &MAX_FDS,
        Some(limit.current.map_or(f64::INFINITY, |max| max as f64)),
    );
}

/// Fields of `/proc/self/stat` (proc(5)).
#[derive(Debug, PartialEq)]
struct Stat {
    /// User and system time, in ticks.
    cpu: u64,
    threads: u64,
    /// Ticks after boot.
    start: u64,
    virtual_bytes: u64,
    /// In pages.
    resident: u64,
}

impl Stat {
    /// The second field is the command in parentheses, which may hold anything,
    /// so fields are counted after the last one.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<_> = rest.split_ascii_whitespace().collect();
        // `rest` starts with the third field of proc(5).
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu: field(14)? + field(15)?,
            threads: field(20)?,
            start: field(22)?,
            virtual_bytes: field(23)?,
            resident: field(24)?,
        })
    }
}

/// Seconds since the epoch when the machine booted.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_parentheses_shifts_no_field() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 7 3 0 0 20 0 5 0 900 4096000 250 0";
        let expected = Stat {
            cpu: 10,
            threads: 5,
            start: 900,
            virtual_bytes: 4_096_000,
            resident: 250,
        };
        assert_eq!(Stat::parse(stat), Some(expected));
        assert_eq!(Stat::parse("42 (a) S 1"), None);
    }

    #[test]
    fn this_process_is_read() {
        let mut out = String::new();
        render(&mut out);
        for family in ALL {
            let sample = out
                .lines()
                .find(|line| line.starts_with(&format!("{} ", family.name)));
            let value = sample.and_then(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
            assert!(
                value.is_some_and(|value| value >= 0.0),
                "{}: {out}",
                family.name
            );
        }
    }
}
