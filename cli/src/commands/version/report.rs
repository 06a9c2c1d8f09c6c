//! What `mesh version` prints.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use super::CLIENT;
use crate::commands::output::table;

/// All versions that were asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    client: String,
    /// None where no cluster was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    control_plane: Option<ControlPlane>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxies: Option<Vec<Proxies>>,
    /// What does not go together.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ControlPlane {
    namespace: String,
    components: Vec<Component>,
}

/// Pods of one component that have the same version.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Component {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) pods: usize,
}

/// Proxies of one namespace that have the same version.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Proxies {
    pub(super) namespace: String,
    pub(super) version: String,
    pub(super) pods: usize,
}

impl Report {
    pub(super) fn of_client() -> Self {
        Self {
            client: CLIENT.to_owned(),
            control_plane: None,
            proxies: None,
            warnings: Vec::new(),
        }
    }

    /// With what a cluster said.
    pub(super) fn new(
        namespace: &str,
        components: Vec<Component>,
        proxies: Option<Vec<Proxies>>,
    ) -> Self {
        let warnings = warnings(&components, proxies.as_deref().unwrap_or_default());
        Self {
            control_plane: Some(ControlPlane {
                namespace: namespace.to_owned(),
                components,
            }),
            proxies,
            warnings,
            ..Self::of_client()
        }
    }

    /// The numbers, each once.
    pub(super) fn short(&self) -> String {
        let mut text = format!("{}\n", self.client);
        for version in self.control_plane.iter().flat_map(ControlPlane::versions) {
            let _ = writeln!(text, "{version}");
        }
        let proxies = self.proxies.iter().flatten();
        for version in proxies.map(|each| &each.version).collect::<BTreeSet<_>>() {
            let _ = writeln!(text, "{version}");
        }
        text
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("client         {}\n", self.client);
        if let Some(control_plane) = &self.control_plane {
            let _ = writeln!(text, "control plane  {}", control_plane.summary());
        }
        if let Some(proxies) = &self.proxies {
            let _ = writeln!(text, "proxies        {}", summary(proxies));
            if !proxies.is_empty() {
                text += "\n";
                text += &details(proxies);
            }
        }
        text
    }
}

impl ControlPlane {
    fn versions(&self) -> BTreeSet<&str> {
        versions(&self.components)
    }

    fn summary(&self) -> String {
        let versions: Vec<_> = self.versions().into_iter().collect();
        match versions[..] {
            [] => format!("not installed in namespace {}", self.namespace),
            [version] => {
                let count: usize = self.components.iter().map(|each| each.pods).sum();
                format!(
                    "{version} ({} in namespace {})",
                    pods(count),
                    self.namespace
                )
            }
            _ => {
                let part = |each: &Component| format!("{} {}", each.name, each.version);
                let parts: Vec<_> = self.components.iter().map(part).collect();
                parts.join(", ")
            }
        }
    }
}

fn versions(components: &[Component]) -> BTreeSet<&str> {
    components
        .iter()
        .map(|each| each.version.as_str())
        .collect()
}

fn summary(proxies: &[Proxies]) -> String {
    let total: usize = proxies.iter().map(|each| each.pods).sum();
    match total {
        0 => "none".to_owned(),
        _ => pods(total),
    }
}

fn details(proxies: &[Proxies]) -> String {
    let row = |each: &Proxies| {
        [
            each.namespace.clone(),
            each.version.clone(),
            each.pods.to_string(),
        ]
    };
    let rows: Vec<_> = proxies.iter().map(row).collect();
    table(["NAMESPACE", "PROXY", "PODS"], &rows)
}

/// What does not go together. Versions of one mesh are made to differ only while it is upgraded.
fn warnings(components: &[Component], proxies: &[Proxies]) -> Vec<String> {
    let versions: Vec<_> = versions(components).into_iter().collect();
    let control_plane = match versions[..] {
        [] => return Vec::new(),
        [version] => version,
        _ => {
            return vec![format!(
                "the control plane's pods have the versions {}: an upgrade is under way, or was left half done; see `mesh check`",
                versions.join(" and ")
            )];
        }
    };
    let mut warnings = Vec::new();
    if control_plane != CLIENT {
        warnings.push(format!(
            "this program is {CLIENT}, the control plane {control_plane}: use the program of that version, or `mesh upgrade | kubectl apply -f -`"
        ));
    }
    let other = |each: &&Proxies| each.version != control_plane;
    let old: usize = proxies.iter().filter(other).map(|each| each.pods).sum();
    if old > 0 {
        let all: usize = proxies.iter().map(|each| each.pods).sum();
        let example = proxies.iter().find(other);
        let namespace = example.map_or("NAMESPACE", |each| each.namespace.as_str());
        warnings.push(format!(
            "{old} of {} not have the control plane's version {control_plane}: restart their workloads, as with `kubectl rollout restart deploy -n {namespace}`",
            match all {
                1 => "1 proxy does".to_owned(),
                all => format!("{all} proxies do"),
            }
        ));
    }
    warnings
}

fn pods(count: usize) -> String {
    match count {
        1 => "1 pod".to_owned(),
        count => format!("{count} pods"),
    }
}
