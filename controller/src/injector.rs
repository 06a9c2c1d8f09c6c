//! Gives a pod its proxy.
//!
//! [`patch()`] is the whole decision, and pure: pod, namespace and configuration in,
//! [`Decision`] out. The webhook ([`webhook`]) and `mesh inject` call the same
//! function, so what a file shows is what the cluster does. What is injected
//! is Linkerd's pod (`tests/it/inject.rs` compares with what its injector made),
//! with less in it: no key on disk, no API token for the proxy, no second image.
//! Each difference is in docs/compatibility.md.
//!
//! ```text
//! decision  what becomes of an object, and why      target    what matters of a pod
//! annotations, settings  what can be tuned          env, containers  what is injected
//! patch     the form of the answer                  remove    takes it out again
//! review, webhook, certificate  the same, asked by the API server
//! examine   what is wrong with objects that are there already
//! live, namespaces, registration, defaults  what the webhook needs of its cluster
//! ```

mod annotations;
pub mod certificate;
mod config;
mod containers;
mod decision;
pub(crate) mod defaults;
mod env;
pub mod examine;
pub(crate) mod live;
pub(crate) mod namespaces;
mod patch;
pub(crate) mod registration;
mod remove;
pub mod review;
mod settings;
mod target;
pub mod webhook;

pub use annotations::{Annotations, BadAnnotation, CONFIG_PREFIX, Level, Row};
pub use config::{BadConfig, Config, TRUST_BUNDLE, TRUST_BUNDLE_KEY};
pub use decision::{Decision, Mode, Skip, Unsupported};
pub use patch::{Add, NoSuchPlace, Patch};
pub use remove::remove;
pub use settings::rows;
pub use target::{Owner, Unreadable};

use self::{
    annotations::Reader, containers::Injection, patch::Builder, settings::Settings, target::Target,
};
use serde_json::{Map, Value};

/// The annotation that asks for a proxy.
pub const INJECT: &str = "mesh.dev/inject";
/// Name of the proxy's container.
pub const PROXY: &str = "mesh-proxy";
/// Name of the container that redirects connections to it.
pub const INIT: &str = "mesh-init";

/// The namespace of a pod.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    /// Its name, when it is known: a file need not say.
    pub name: Option<String>,
    /// Its annotations.
    pub annotations: Annotations,
}

/// Decides about one pod, or a template of pods (`metadata` and `spec` count).
///
/// `owner` is what the pod belongs to, where the pod itself does not say.
#[must_use]
pub fn patch(
    object: &Value,
    owner: Option<Owner>,
    namespace: &Namespace,
    config: &Config,
) -> Decision {
    let target = match Target::read(object) {
        Ok(target) => target,
        Err(error) => return Decision::Skip(Skip::Unsupported(error.into())),
    };
    let mode = match wanted(&target, namespace) {
        Ok(mode) => mode,
        Err(skip) => return Decision::Skip(skip),
    };
    let mut reader = Reader::new(&target.annotations, &namespace.annotations, &config.install);
    let settings = Settings::read(&mut reader);
    let opaque = opaque_ports(&target, &settings, &mut reader);
    reader.errors.extend(same_ports(&target, &settings));
    if !reader.errors.is_empty() {
        return Decision::Refuse(reader.errors);
    }
    let mut warnings: Vec<_> = reader
        .left_out
        .iter()
        .map(|bad| format!("{bad}; it is left out"))
        .collect();
    warnings.extend(reader.unknown());
    warnings.extend(oddities(&target, &settings));
    let injection = Injection {
        config,
        settings: &settings,
        target: &target,
        mode,
        opaque,
    };
    let owner = target.owner.clone().or(owner);
    Decision::Inject {
        patch: build(object, &injection, owner.as_ref(), namespace),
        warnings,
    }
}

/// Whether a proxy is asked for, by the pod or else its namespace.
fn wanted(target: &Target, namespace: &Namespace) -> Result<Mode, Skip> {
    let (level, value) = match (
        target.annotations.get(INJECT),
        namespace.annotations.get(INJECT),
    ) {
        (Some(value), _) => (Level::Pod, value),
        (None, Some(value)) => (Level::Namespace, value),
        (None, None) => return Err(Skip::NotAnnotated),
    };
    let mode = match value.trim() {
        "enabled" => Mode::Enabled,
        "ingress" => Mode::Ingress,
        "disabled" => return Err(Skip::Disabled),
        _ => {
            let bad = BadAnnotation {
                level,
                name: INJECT.to_owned(),
                value: value.chars().take(100).collect(),
                expected: "enabled, disabled or ingress".to_owned(),
            };
            return Err(match level {
                Level::Pod => Skip::InvalidOnWorkload(bad),
                _ => Skip::InvalidOnNamespace(bad),
            });
        }
    };
    if target.has_proxy() {
        return Err(Skip::SidecarExists);
    }
    if target.host_network() {
        return Err(Skip::HostNetwork);
    }
    Ok(mode)
}

/// With names looked up. The pod's own list must name its own ports; a
/// namespace's is for many pods.
fn opaque_ports(target: &Target, settings: &Settings, reader: &mut Reader<'_>) -> String {
    let name = format!("{CONFIG_PREFIX}opaque-ports");
    let (ports, unknown) = target.resolve(&settings.inbound.opaque);
    if target.annotations.contains_key(&name) && !unknown.is_empty() {
        reader.errors.push(BadAnnotation {
            level: Level::Pod,
            name,
            value: unknown.join(","),
            expected: "ports (1-65535), ranges, and names that a container's TCP port has"
                .to_owned(),
        });
    }
    ports.to_string()
}

/// Two listeners on one port: the proxy would not start.
fn same_ports(target: &Target, settings: &Settings) -> Option<BadAnnotation> {
    let ports = &settings.ports;
    let all = [
        ("inbound-port", ports.inbound),
        ("outbound-port", ports.outbound),
        ("admin-port", ports.admin),
        ("control-port", ports.control),
    ];
    let twice =
        |(i, (_, port)): &(usize, &(_, u16))| all[..*i].iter().any(|(_, other)| other == port);
    let (_, (name, port)) = all.iter().enumerate().find(twice)?;
    let names = all.map(|(name, _)| format!("{CONFIG_PREFIX}{name}"));
    let pods = names
        .iter()
        .any(|name| target.annotations.contains_key(name));
    Some(BadAnnotation {
        level: if pods { Level::Pod } else { Level::Namespace },
        name: format!("{CONFIG_PREFIX}{name}"),
        value: port.to_string(),
        expected: "four different ports for inbound, outbound, admin and control".to_owned(),
    })
}

/// What works other than one might think.
fn oddities(target: &Target, settings: &Settings) -> Vec<String> {
    let mut odd = Vec::new();
    if target.has_udp_port() {
        odd.push("it has UDP ports (udp_ports_enabled): UDP passes the proxy by".to_owned());
    }
    let uid = settings.user.uid;
    if let Some(container) = target.runs_as(uid) {
        odd.push(format!(
            "container {container} runs as user {uid}, the proxy's: its connections pass the proxy by"
        ));
    }
    let ports = &settings.ports;
    let taken = [ports.inbound, ports.outbound, ports.admin].into_iter();
    for port in taken.filter(|port| target.tcp_ports().contains(port)) {
        odd.push(format!(
            "port {port} is a container's and the proxy's: one of them can't listen"
        ));
    }
    odd
}

fn build(
    object: &Value,
    injection: &Injection<'_>,
    owner: Option<&Owner>,
    namespace: &Namespace,
) -> Patch {
    let mut builder = Builder::new(object);
    builder.members("/metadata/annotations", new_annotations(injection));
    builder.members(
        "/metadata/labels",
        labels(injection.config, owner, namespace),
    );
    let (init, proxy) = (injection.init(), injection.proxy());
    let life = &injection.settings.life;
    let mut first = vec![init];
    match life.native {
        true => first.push(proxy),
        // First, since the kubelet starts containers in order and waits for
        // each one's postStart.
        false if life.wait_for_ready => builder.first("/spec/containers", vec![proxy]),
        false => builder.last("/spec/containers", vec![proxy]),
    }
    builder.first("/spec/initContainers", first);
    builder.last("/spec/volumes", injection.volumes());
    builder.finish()
}

fn new_annotations(injection: &Injection<'_>) -> Map<String, Value> {
    let (config, settings) = (injection.config, injection.settings);
    let mut annotations = Map::new();
    annotations.insert(
        "mesh.dev/created-by".to_owned(),
        config.created_by.clone().into(),
    );
    annotations.insert(
        "mesh.dev/proxy-version".to_owned(),
        settings.image.version.clone().into(),
    );
    if !injection.target.annotations.contains_key(INJECT) {
        annotations.insert(INJECT.to_owned(), injection.mode.to_string().into());
    }
    annotations
}

fn labels(config: &Config, owner: Option<&Owner>, namespace: &Namespace) -> Map<String, Value> {
    let mut labels = Map::new();
    labels.insert(
        "mesh.dev/control-plane-ns".to_owned(),
        config.namespace.clone().into(),
    );
    if let Some(name) = &namespace.name {
        labels.insert("mesh.dev/workload-ns".to_owned(), name.clone().into());
    }
    // A name may have 253 characters, a label 63: better none than a pod that the
    // API server refuses.
    if let Some(Owner { kind, name }) = owner.filter(|owner| owner.name.len() <= 63) {
        labels.insert(format!("mesh.dev/proxy-{kind}"), name.clone().into());
    }
    labels
}

#[cfg(test)]
mod tests;
