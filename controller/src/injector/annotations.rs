//! What `config.mesh.dev/NAME` annotations say, of pod, namespace and install.
//!
//! A setting is looked up on the pod, then on its namespace, then in what the
//! mesh was installed with, which uses the same names and values; the last
//! resort is the default written where the setting is read
//! ([`super::settings`]). So a setting is declared once: reading it is also what
//! documents it and makes its name known.
//!
//! Linkerd takes a wrong value without a word and injects something else. Here
//! the pod's own wrong value is an error, which refuses the pod: the author hears of
//! it, and in a rollout the pods of the last good template go on serving. A
//! namespace's wrong value must not keep every pod of the namespace from coming
//! back after a node is lost, so it is left out and warned about.

pub(super) mod kinds;
mod quantity;

use self::kinds::Kind;
use std::{collections::BTreeMap, fmt};

/// The prefix of annotations that tune an injection.
pub const CONFIG_PREFIX: &str = "config.mesh.dev/";

/// Names of Linkerd that have no effect here.
const WITHOUT_EFFECT: [&str; 8] = [
    "debug-image",
    "debug-image-pull-policy",
    "debug-image-version",
    "enable-debug-sidecar",
    "enable-external-profiles",
    "enable-gateway",
    "proxy-log-http-headers",
    "trace-collector",
];

/// Annotations of one object, or values of the install by their bare names.
pub type Annotations = BTreeMap<String, String>;

/// Whose value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The pod, or the template that pods are made from.
    Pod,
    /// The namespace.
    Namespace,
    /// What the mesh was installed with.
    Install,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pod => "pod",
            Self::Namespace => "namespace",
            Self::Install => "install",
        })
    }
}

/// A value that is not what its annotation takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{level} annotation {name}: {value:?}: expected {expected}")]
pub struct BadAnnotation {
    /// Who has it.
    pub level: Level,
    /// The full name.
    pub name: String,
    /// As it is written, shortened.
    pub value: String,
    /// What is right, with an example.
    pub expected: String,
}

/// How a setting is called and what it takes: one row of docs/injection.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// After `config.mesh.dev/`.
    pub name: &'static str,
    /// When nobody says anything; empty when it is then unset.
    pub default: &'static str,
    /// What is right.
    pub expected: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// Reads settings, and keeps what was wrong with them.
pub(super) struct Reader<'a> {
    levels: [(Level, &'a Annotations); 3],
    pub(super) rows: Vec<Row>,
    /// Wrong values of the pod.
    pub(super) errors: Vec<BadAnnotation>,
    /// Wrong values of others, which are left out.
    pub(super) left_out: Vec<BadAnnotation>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        pod: &'a Annotations,
        namespace: &'a Annotations,
        install: &'a Annotations,
    ) -> Self {
        Self {
            levels: [
                (Level::Pod, pod),
                (Level::Namespace, namespace),
                (Level::Install, install),
            ],
            rows: Vec::new(),
            errors: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// A setting that always has a value.
    pub(super) fn get<T>(
        &mut self,
        kind: Kind<T>,
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> T {
        let value = self.read(kind, name, default, meaning);
        value.unwrap_or_else(|| (kind.parse)(default).expect("defaults are right, as a test shows"))
    }

    /// A setting that may be unset.
    pub(super) fn option<T>(
        &mut self,
        kind: Kind<T>,
        name: &'static str,
        meaning: &'static str,
    ) -> Option<T> {
        self.read(kind, name, "", meaning)
    }

    /// The values of all levels, the strongest last.
    pub(super) fn all<T>(
        &mut self,
        kind: Kind<T>,
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Vec<T> {
        self.declare(&kind, name, default, meaning);
        let levels = self.levels.into_iter().rev();
        let values = levels.filter_map(|level| self.of_level(level, &kind, name));
        // Not lazily: each may report.
        values.collect()
    }

    fn read<T>(
        &mut self,
        kind: Kind<T>,
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Option<T> {
        self.declare(&kind, name, default, meaning);
        let mut levels = self.levels.into_iter();
        levels.find_map(|level| self.of_level(level, &kind, name))
    }

    fn declare<T>(
        &mut self,
        kind: &Kind<T>,
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) {
        self.rows.push(Row {
            name,
            default,
            expected: kind.expected,
            meaning,
        });
    }

    fn of_level<T>(
        &mut self,
        (level, values): (Level, &Annotations),
        kind: &Kind<T>,
        name: &str,
    ) -> Option<T> {
        let name = match level {
            Level::Install => name.to_owned(),
            _ => format!("{CONFIG_PREFIX}{name}"),
        };
        let text = values.get(&name)?;
        let parsed = (kind.parse)(text.trim());
        if parsed.is_none() {
            let bad = BadAnnotation {
                level,
                name,
                value: text.chars().take(100).collect(),
                expected: format!("{}, for example {}", kind.expected, kind.example),
            };
            match level {
                Level::Pod => self.errors.push(bad),
                _ => self.left_out.push(bad),
            }
        }
        parsed
    }

    /// Annotations of the pod with our prefix that mean nothing.
    pub(super) fn unknown(&self) -> Vec<String> {
        let (_, pod) = self.levels[0];
        let ours = pod.keys().filter_map(|key| key.strip_prefix(CONFIG_PREFIX));
        let unknown = ours.filter(|name| self.rows.iter().all(|row| row.name != *name));
        unknown.map(|name| self.explain(name)).collect()
    }

    fn explain(&self, name: &str) -> String {
        if WITHOUT_EFFECT.contains(&name) {
            return format!("annotation {CONFIG_PREFIX}{name} of Linkerd has no effect here");
        }
        let near = |row: &&Row| row.name.contains(name) || name.contains(row.name);
        let hint = match self.rows.iter().find(near) {
            Some(row) => format!("; there is {CONFIG_PREFIX}{}", row.name),
            None => String::new(),
        };
        format!("there is no annotation {CONFIG_PREFIX}{name}{hint}")
    }
}

#[cfg(test)]
mod tests;
