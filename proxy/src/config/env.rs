//! Reads settings from the environment, remembering each for `/config`.
//!
//! A proxy that stops at the first wrong value takes one restart per mistake to
//! set up, so every reader here returns a value whatever happens, notes the
//! problem, and the caller fails once at the end with all of them. Each setting
//! is `MESH_PROXY_NAME`, else `LINKERD2_PROXY_NAME`, so that Linkerd's injector
//! and habits work unchanged. Reading from a map keeps tests away from the
//! process environment.

use super::value::Value;
use std::{collections::BTreeMap, fmt, ops::RangeInclusive, time::Duration};

/// Settings of Linkerd that its injector gives every pod and that mean nothing
/// here: keys are never written, every target is asked for, and nothing waits for
/// the application.
const IGNORED: [&str; 5] = [
    "IDENTITY_DIR",
    "INBOUND_HTTP_QUEUE_CAPACITY",
    "INBOUND_HTTP_FAILFAST_TIMEOUT",
    "DESTINATION_PROFILE_SUFFIXES",
    "DESTINATION_PROFILE_NETWORKS",
];

/// Environment variables.
pub type Vars = BTreeMap<String, String>;

/// Ours first: it wins.
const PREFIXES: [&str; 2] = ["MESH_PROXY_", "LINKERD2_PROXY_"];

/// One setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name without prefix.
    pub name: String,
    /// The value in force, shortened where it is long; empty for none.
    pub value: String,
    /// The variable it came from; `None` for a default.
    pub source: Option<String>,
    /// What may be written there.
    pub expected: String,
}

/// One wrong or missing value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable to change.
    pub variable: String,
    /// Its value, shortened; `None` when it is missing.
    pub value: Option<String>,
    /// What is expected there.
    pub expected: String,
    /// A value that would do.
    pub example: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            variable,
            expected,
            example,
            ..
        } = self;
        match &self.value {
            Some(value) => write!(f, "{variable}={value:?}: expected {expected}")?,
            None => write!(f, "{variable} is not set: expected {expected}")?,
        }
        write!(f, ", for example {variable}={example}")
    }
}

/// The reader of one environment.
#[derive(Debug)]
pub(super) struct Env<'a> {
    vars: &'a Vars,
    pub(super) settings: Vec<Setting>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Env<'a> {
    pub(super) fn new(vars: &'a Vars) -> Self {
        Self {
            vars,
            settings: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The value of `name`, or `default`.
    pub(super) fn or<T: Value>(&mut self, name: &str, default: T) -> T {
        self.read(name, Some(default), T::EXPECTED.into(), |_| true)
            .expect("a default was given")
    }

    /// The value of `name` if it is set (and right).
    pub(super) fn opt<T: Value>(&mut self, name: &str) -> Option<T> {
        self.read(name, None, T::EXPECTED.into(), |_| true)
    }

    /// The value of `name`; a problem when it is missing.
    pub(super) fn required<T: Value>(&mut self, name: &str) -> Option<T> {
        if !self.is_set(name) {
            self.missing::<T>(name);
        }
        self.opt(name)
    }

    /// Whether `name` has a value, right or wrong.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// Notes that `name` is needed.
    pub(super) fn missing<T: Value>(&mut self, name: &str) {
        self.problems.push(Problem {
            variable: variable(name),
            value: None,
            expected: T::EXPECTED.into(),
            example: T::EXAMPLE.into(),
        });
    }

    /// A number within `range`.
    pub(super) fn within<T>(&mut self, name: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: Value + PartialOrd + fmt::Display,
    {
        let expected = format!("{} from {} to {}", T::EXPECTED, range.start(), range.end());
        self.read(name, Some(default), expected, |value| range.contains(value))
            .expect("a default was given")
    }

    /// A number within `range` if it is set.
    pub(super) fn opt_within<T>(&mut self, name: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: Value + PartialOrd + fmt::Display,
    {
        let expected = format!("{} from {} to {}", T::EXPECTED, range.start(), range.end());
        self.read(name, None, expected, |value| range.contains(value))
    }

    /// A duration that must not be zero.
    pub(super) fn timeout(&mut self, name: &str, default: Duration) -> Duration {
        let expected = format!("{}, more than 0", Duration::EXPECTED);
        self.read(name, Some(default), expected, |value| !value.is_zero())
            .expect("a default was given")
    }

    /// A duration, where `0` turns the thing off.
    pub(super) fn switchable(&mut self, name: &str, default: Option<Duration>) -> Option<Duration> {
        let expected = format!("{}; 0 turns it off", Duration::EXPECTED);
        self.read(name, Some(default.unwrap_or_default()), expected, |_| true)
            .filter(|value: &Duration| !value.is_zero())
    }

    /// Notes that the value of `name` does not go with others.
    pub(super) fn conflict(&mut self, name: &str, expected: String, example: &str) {
        let found = self
            .raw(name)
            .map(|(variable, value)| (variable, shorten(value)));
        self.problems.push(Problem {
            variable: found
                .as_ref()
                .map_or_else(|| variable(name), |(name, _)| name.clone()),
            value: found.map(|(_, value)| value),
            expected,
            example: example.into(),
        });
    }

    /// Variables with our prefix that are no setting: most likely misspelt.
    pub(super) fn unknown(&self) -> Vec<String> {
        let read = |name: &str| self.settings.iter().any(|setting| setting.name == name);
        let known = |name: &str| read(name) || IGNORED.contains(&name);
        let unknown = |variable: &&String| {
            variable
                .strip_prefix(PREFIXES[0])
                .is_some_and(|name| !known(name))
        };
        self.vars.keys().filter(unknown).cloned().collect()
    }

    fn read<T: Value>(
        &mut self,
        name: &str,
        default: Option<T>,
        expected: String,
        allowed: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        let mut source = None;
        // The default is the best advice, where there is one.
        let example = default
            .as_ref()
            .map(T::show)
            .filter(|show| !show.is_empty());
        let mut value = default;
        if let Some((variable, text)) = self.raw(name) {
            match T::parse(text.trim()).filter(allowed) {
                Some(read) => {
                    value = Some(read);
                    source = Some(variable);
                }
                None => self.problems.push(Problem {
                    variable,
                    value: Some(shorten(text)),
                    expected: expected.clone(),
                    example: example.unwrap_or_else(|| T::EXAMPLE.into()),
                }),
            }
        }
        self.settings.push(Setting {
            name: name.into(),
            value: value.as_ref().map(T::show).unwrap_or_default(),
            source,
            expected,
        });
        value
    }

    fn raw(&self, name: &str) -> Option<(String, &'a str)> {
        PREFIXES.iter().find_map(|prefix| {
            let variable = format!("{prefix}{name}");
            let value = self.vars.get(&variable)?;
            Some((variable, value.as_str()))
        })
    }
}

fn variable(name: &str) -> String {
    format!("{}{name}", PREFIXES[0])
}

/// The first line, at most 64 characters: enough to recognise a value, never a
/// whole certificate or token.
fn shorten(value: &str) -> String {
    const MAX: usize = 64;
    let line = value.trim().lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(MAX).collect();
    if short.len() < value.trim().len() {
        short.push_str("...");
    }
    short
}
