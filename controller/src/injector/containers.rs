//! The containers and volumes of an injection.
//!
//! One image with one binary is both containers. Proxy and init get no token for
//! the API server, which neither needs; the proxy's own token is good for the
//! identity service alone.

use super::{
    INIT, PROXY,
    config::{Config, TRUST_BUNDLE},
    decision::Mode,
    env::{self, comma},
    settings::{Amount, Settings},
    target::Target,
};
use k8s_openapi::{
    api::core::v1::{
        Capabilities, ConfigMapVolumeSource, Container, ContainerPort, ExecAction, HTTPGetAction,
        Lifecycle, LifecycleHandler, Probe, ProjectedVolumeSource, ResourceRequirements,
        SeccompProfile, SecurityContext, ServiceAccountTokenProjection, SleepAction, Volume,
        VolumeMount, VolumeProjection,
    },
    apimachinery::pkg::{api::resource::Quantity, util::intstr::IntOrString},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The binary, the only file of the image.
const BINARY: &str = "/mesh-proxy";
/// Volume and file of the token.
pub(super) const TOKEN_NAME: &str = "mesh-identity-token";
/// Where it is mounted.
pub(super) const TOKEN_MOUNT: &str = "/var/run/secrets/tokens";
/// Where the trust bundle is.
pub(super) const TRUST_MOUNT: &str = "/var/run/mesh/trust";
/// Only the identity service takes a token of this audience.
const AUDIENCE: &str = "identity.mesh.dev";
/// A day; the kubelet renews it after four fifths.
const TOKEN_SECONDS: i64 = 86_400;
/// How long the application waits for its proxy.
const AWAIT: &str = "2m";

/// Volumes are called so.
pub(super) const VOLUMES: [&str; 2] = [TOKEN_NAME, TRUST_BUNDLE];

/// All that decides what is injected.
pub(super) struct Injection<'a> {
    pub(super) config: &'a Config,
    pub(super) settings: &'a Settings,
    pub(super) target: &'a Target,
    pub(super) mode: Mode,
    /// Opaque ports, as numbers.
    pub(super) opaque: String,
}

impl Injection<'_> {
    /// The container that redirects connections, and ends.
    pub(super) fn init(&self) -> Value {
        json(&Container {
            name: INIT.to_owned(),
            args: Some(self.init_arguments()),
            resources: self.resources(),
            security_context: Some(self.init_security()),
            ..self.container()
        })
    }

    /// What both containers have.
    fn container(&self) -> Container {
        let image = &self.settings.image;
        Container {
            image: Some(format!("{}:{}", image.name, image.version)),
            image_pull_policy: Some(image.pull_policy.clone()),
            termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
            ..Default::default()
        }
    }

    fn init_arguments(&self) -> Vec<String> {
        let Settings {
            ports,
            traffic,
            user,
            ..
        } = self.settings;
        let mut ignored = vec![ports.control.to_string(), ports.admin.to_string()];
        let listed = traffic.skip_inbound.to_string();
        ignored.extend((!listed.is_empty()).then_some(listed));
        let mut flags = vec![
            ("--incoming-proxy-port", ports.inbound.to_string()),
            ("--outgoing-proxy-port", ports.outbound.to_string()),
            ("--proxy-uid", user.uid.to_string()),
            ("--inbound-ports-to-ignore", ignored.join(",")),
        ];
        let optional = [
            ("--proxy-gid", user.gid.map(|gid| gid.to_string())),
            (
                "--outbound-ports-to-ignore",
                Some(traffic.skip_outbound.to_string()),
            ),
            ("--subnets-to-ignore", Some(comma(&traffic.skip_subnets))),
            (
                "--timeout-close-wait-secs",
                traffic.close_wait.map(|time| time.as_secs().to_string()),
            ),
        ];
        let given = optional
            .into_iter()
            .filter_map(|(flag, value)| Some((flag, value?)));
        flags.extend(given.filter(|(_, value)| !value.is_empty()));
        let mut arguments = vec!["init".to_owned()];
        if !self.config.ipv6 {
            arguments.push("--ipv6=false".to_owned());
        }
        arguments.extend(
            flags
                .into_iter()
                .flat_map(|(flag, value)| [flag.to_owned(), value]),
        );
        arguments
    }

    /// Added capabilities reach no other user than 0 (design.md, Images). A
    /// sysctl can only be written in a privileged container.
    fn init_security(&self) -> SecurityContext {
        let privileged = self.settings.traffic.close_wait.is_some();
        SecurityContext {
            allow_privilege_escalation: Some(privileged),
            privileged: privileged.then_some(true),
            capabilities: Some(Capabilities {
                add: Some(vec!["NET_ADMIN".to_owned()]),
                drop: Some(vec!["ALL".to_owned()]),
            }),
            run_as_non_root: Some(false),
            run_as_user: Some(0),
            ..locked()
        }
    }

    /// The proxy.
    pub(super) fn proxy(&self) -> Value {
        let (ports, user) = (&self.settings.ports, &self.settings.user);
        let native = self.settings.life.native;
        let mut container = Container {
            name: PROXY.to_owned(),
            env: Some(env::of(self)),
            ports: Some(vec![
                port("mesh-proxy", ports.inbound),
                port("mesh-admin", ports.admin),
            ]),
            liveness_probe: Some(probe("/live", ports.admin, 10)),
            readiness_probe: Some(probe("/ready", ports.admin, 2)),
            resources: self.resources(),
            security_context: Some(SecurityContext {
                capabilities: Some(Capabilities {
                    add: None,
                    drop: Some(vec!["ALL".to_owned()]),
                }),
                run_as_non_root: Some(true),
                run_as_user: Some(user.uid),
                run_as_group: user.gid,
                ..locked()
            }),
            volume_mounts: Some(vec![
                mount(TOKEN_NAME, TOKEN_MOUNT),
                mount(TRUST_BUNDLE, TRUST_MOUNT),
            ]),
            ..self.container()
        };
        match native {
            true => {
                container.restart_policy = Some("Always".to_owned());
                container.startup_probe = Some(startup(ports.admin));
            }
            false => container.lifecycle = self.lifecycle(),
        }
        json(&container)
    }

    /// A native sidecar starts before and ends after the others by itself.
    fn lifecycle(&self) -> Option<Lifecycle> {
        let life = &self.settings.life;
        let wait = [
            BINARY.to_owned(),
            "await".to_owned(),
            format!("--timeout={AWAIT}"),
            format!("--port={}", self.settings.ports.admin),
        ];
        let post_start = life.wait_for_ready.then(|| LifecycleHandler {
            exec: Some(ExecAction {
                command: Some(wait.to_vec()),
            }),
            ..Default::default()
        });
        // By the kubelet: the image holds no program that sleeps.
        let pre_stop = (life.wait_before_exit > 0).then(|| LifecycleHandler {
            sleep: Some(SleepAction {
                seconds: life.wait_before_exit,
            }),
            ..Default::default()
        });
        (post_start.is_some() || pre_stop.is_some()).then_some(Lifecycle {
            post_start,
            pre_stop,
            ..Default::default()
        })
    }

    fn resources(&self) -> Option<ResourceRequirements> {
        let resources = &self.settings.resources;
        let all = [
            ("cpu", &resources.cpu),
            ("memory", &resources.memory),
            ("ephemeral-storage", &resources.storage),
        ];
        let of = |which: fn(&Amount) -> &Option<(String, u128)>| {
            let named = all.iter().filter_map(|(name, amount)| {
                let (text, _) = which(amount).as_ref()?;
                Some(((*name).to_owned(), Quantity(text.clone())))
            });
            Some(named.collect::<BTreeMap<_, _>>()).filter(|named| !named.is_empty())
        };
        let (requests, limits) = (of(|amount| &amount.request), of(|amount| &amount.limit));
        (requests.is_some() || limits.is_some()).then_some(ResourceRequirements {
            limits,
            requests,
            ..Default::default()
        })
    }

    /// What the mounts need. A volume that is there (left by an earlier
    /// injection) is used again.
    pub(super) fn volumes(&self) -> Vec<Value> {
        let token = ServiceAccountTokenProjection {
            audience: Some(AUDIENCE.to_owned()),
            expiration_seconds: Some(TOKEN_SECONDS),
            path: TOKEN_NAME.to_owned(),
        };
        let token = Volume {
            name: TOKEN_NAME.to_owned(),
            projected: Some(ProjectedVolumeSource {
                sources: Some(vec![VolumeProjection {
                    service_account_token: Some(token),
                    ..Default::default()
                }]),
                ..Default::default()
            }),
            ..Default::default()
        };
        // Not optional: until the namespace has it, the pod waits and says why.
        let trust = Volume {
            name: TRUST_BUNDLE.to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: TRUST_BUNDLE.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let missing = [token, trust].into_iter();
        let missing = missing.filter(|volume| !self.target.has_volume(&volume.name));
        missing.map(|volume| json(&volume)).collect()
    }
}

/// What the restricted pod security standard asks of every container, and a
/// file system that nobody writes to.
fn locked() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..Default::default()
    }
}

fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number.into(),
        ..Default::default()
    }
}

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..Default::default()
    }
}

fn probe(path: &str, port: u16, delay: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(port.into()),
            ..Default::default()
        }),
        initial_delay_seconds: Some(delay),
        timeout_seconds: Some(1),
        ..Default::default()
    }
}

/// Each second for two minutes: the application's containers wait for it.
fn startup(port: u16) -> Probe {
    Probe {
        failure_threshold: Some(120),
        period_seconds: Some(1),
        timeout_seconds: None,
        ..probe("/ready", port, 0)
    }
}

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("the API's types are JSON")
}
