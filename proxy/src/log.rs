//! What the proxy logs, and how it looks.
//!
//! The filter is the part of `EnvFilter` that Linkerd's users write, levels and
//! `TARGET=LEVEL`: `EnvFilter` itself brings a regex engine, half a megabyte for
//! span filters nobody sets. Linkerd's `[{field}]=off` directives (its chart has
//! two) are accepted and do nothing, since we log no request headers at all, and
//! targets of Linkerd's crates (`linkerd=debug`) mean ours. A bare word that is
//! no level is an error here, not a target: it is always a misspelt level.
//!
//! The filter can be changed while the proxy runs (`/proxy-log-level`).

pub(crate) mod flood;
pub(crate) mod json;

use crate::config::{LogConfig, LogFormat};
use std::{fmt, str::FromStr, sync::Arc};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt::MakeWriter,
    layer::SubscriberExt as _,
    registry::LookupSpan,
    reload,
    util::{SubscriberInitExt as _, TryInitError},
};

/// Which events are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    default: LevelFilter,
    targets: Vec<(String, LevelFilter)>,
}

/// The text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no log directive: expected off, error, warn, info, debug or trace, or TARGET=LEVEL; \
     for example warn,mesh=info,hickory=error"
)]
pub struct InvalidFilter(String);

/// Changes the filter of a running process.
#[derive(Clone, Debug)]
pub struct Handle {
    reload: reload::Handle<Targets, Registry>,
    current: Arc<parking_lot::Mutex<Filter>>,
}

impl Default for Filter {
    /// `warn,mesh=info,hickory=error`: what operators care about.
    fn default() -> Self {
        let ours = ("mesh".into(), LevelFilter::INFO);
        let dns = ("hickory".into(), LevelFilter::ERROR);
        Self {
            default: LevelFilter::WARN,
            targets: vec![ours, dns],
        }
    }
}

impl FromStr for Filter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        let mut filter = Self {
            default: LevelFilter::OFF,
            targets: Vec::new(),
        };
        let mut any = false;
        for directive in directives(text) {
            let invalid = || InvalidFilter(directive.chars().take(64).collect());
            let (target, level) = match directive.split_once('=') {
                Some((target, level)) => (Some(target), level),
                None => (None, directive),
            };
            // An empty level would parse as `error`.
            let level = Some(level).filter(|level| !level.is_empty());
            let level: LevelFilter = level
                .and_then(|level| level.parse().ok())
                .ok_or_else(invalid)?;
            any = true;
            match target {
                None => filter.default = level,
                Some("") => return Err(invalid()),
                Some(target) if target.contains('[') => {}
                Some(target) => filter.targets.push((our_name(target), level)),
            }
        }
        any.then_some(filter)
            .ok_or_else(|| InvalidFilter(String::new()))
    }
}

/// Commas inside `[{a,b}]` do not separate directives.
fn directives(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|directive| !directive.is_empty())
}

/// Linkerd's crates are all `linkerd...`; what its users ask of them is ours to answer.
fn our_name(target: &str) -> String {
    match target.starts_with("linkerd") {
        true => "mesh".into(),
        false => target.into(),
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.default.fmt(f)?;
        let mut targets = self.targets.iter();
        targets.try_for_each(|(target, level)| write!(f, ",{target}={level}"))
    }
}

impl From<&Filter> for Targets {
    fn from(filter: &Filter) -> Self {
        Self::new().with_default(filter.default).with_targets(
            filter
                .targets
                .iter()
                .map(|(target, level)| (target, *level)),
        )
    }
}

impl Handle {
    /// The filter in force.
    pub fn current(&self) -> Filter {
        self.current.lock().clone()
    }

    /// Puts `filter` in force at once, for all threads.
    pub fn set(&self, filter: Filter) {
        let mut current = self.current.lock();
        // Fails only when the subscriber is gone, and then nothing is logged anyway.
        let _ = self.reload.reload(Targets::from(&filter));
        *current = filter;
    }
}

/// Logs to standard error from now on.
///
/// # Errors
/// When the process has a logger already.
pub fn init(config: &LogConfig) -> Result<Handle, TryInitError> {
    let (subscriber, handle) = subscriber(config, std::io::stderr);
    subscriber.try_init()?;
    Ok(handle)
}

/// A subscriber that writes to `writer`, and the handle of its filter.
pub fn subscriber<W>(
    config: &LogConfig,
    writer: W,
) -> (impl tracing::Subscriber + Send + Sync + use<W>, Handle)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, reload) = reload::Layer::new(Targets::from(&config.filter));
    let handle = Handle {
        reload,
        current: Arc::new(parking_lot::Mutex::new(config.filter.clone())),
    };
    let subscriber = Registry::default()
        .with(filter)
        .with(lines(config.format, writer));
    (subscriber, handle)
}

/// Boxed since the two formats are two types.
fn lines<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer);
    match format {
        LogFormat::Plain => layer.boxed(),
        LogFormat::Json => layer.event_format(json::Json).boxed(),
    }
}

#[cfg(test)]
mod tests;
