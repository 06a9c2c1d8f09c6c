//! What the three components have in common: account, roles, services, and a Deployment that meets the restricted pod security standard.
//!
//! With one replica an update starts the new pod before the old one ends. With more, one may be missing at a time, so that an update
//! also goes on where each replica has a node of its own. Replicas prefer, but do not demand, different nodes: three replicas on two
//! nodes are better than two and one that waits for ever.

use super::{Install, rbac};
use rbac::Rule;
use serde_json::{Map, Value, json};

/// Its group and user, those of our images.
const USER: u32 = 2102;
/// Where `/live`, `/ready` and `/metrics` are.
const ADMIN: u16 = 9990;

/// What makes one component differ from another.
pub(super) struct Component {
    /// `identity`, `destination` or `injector`; objects are called `mesh-` and this.
    pub(super) name: &'static str,
    /// The program and its arguments.
    pub(super) program: &'static str,
    pub(super) args: Vec<String>,
    /// Names and numbers of ports, without the admin port.
    pub(super) ports: &'static [(&'static str, u16)],
    pub(super) services: &'static [Service],
    pub(super) mounts: Vec<Mount>,
    pub(super) annotations: Map<String, Value>,
    pub(super) resources: Value,
    pub(super) rules: &'static [Rule],
}

/// A Service with one port.
pub(super) struct Service {
    pub(super) name: &'static str,
    /// Clients find each pod by DNS, and balance by themselves.
    pub(super) headless: bool,
    pub(super) port: u16,
    /// The name of the container's port.
    pub(super) target: &'static str,
}

/// A volume, read-only.
pub(super) struct Mount {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    /// What is in it, as a member of `Volume`.
    pub(super) volume: (&'static str, Value),
}

impl Mount {
    /// The trust anchors; followed.
    pub(super) fn anchors() -> Self {
        let map = json!({"name": mesh_controller::injector::TRUST_BUNDLE});
        Self {
            name: "anchors",
            path: "/anchors",
            volume: ("configMap", map),
        }
    }
}

impl Component {
    pub(super) fn objects(&self, install: &Install<'_>) -> Vec<Value> {
        let mut objects = vec![json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": install.meta(&self.full_name()),
        })];
        objects.extend(rbac::cluster(install, self.name, self.rules));
        objects.extend(
            self.services
                .iter()
                .map(|service| self.service(install, service)),
        );
        objects.push(self.deployment(install));
        if install.values.replicas() > 1 {
            objects.push(self.disruption_budget(install));
        }
        objects
    }

    fn full_name(&self) -> String {
        format!("mesh-{}", self.name)
    }

    /// What selects its pods; a Deployment's selector can never change.
    fn selector(&self, install: &Install<'_>) -> Value {
        json!({
            "mesh.dev/control-plane-component": self.name,
            super::CONTROL_PLANE: install.namespace(),
        })
    }

    /// Metadata with the component's label beside those of all objects.
    fn meta(&self, install: &Install<'_>, name: &str) -> Value {
        let mut meta = install.meta(name);
        meta["labels"]["mesh.dev/control-plane-component"] = self.name.into();
        meta
    }

    fn service(&self, install: &Install<'_>, service: &Service) -> Value {
        let mut spec = json!({
            "selector": self.selector(install),
            "ports": [{"name": service.target, "port": service.port, "targetPort": service.target}],
        });
        if service.headless {
            spec["clusterIP"] = "None".into();
        }
        json!({"apiVersion": "v1", "kind": "Service", "metadata": self.meta(install, service.name), "spec": spec})
    }

    fn disruption_budget(&self, install: &Install<'_>) -> Value {
        json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": self.meta(install, &self.full_name()),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": self.selector(install)}},
        })
    }

    fn deployment(&self, install: &Install<'_>) -> Value {
        let replicas = install.values.replicas();
        let mut labels = self.meta(install, "")["labels"].take();
        labels["app.kubernetes.io/name"] = self.full_name().into();
        let mut template = json!({"metadata": {"labels": labels}, "spec": self.pod(install)});
        if !self.annotations.is_empty() {
            template["metadata"]["annotations"] = self.annotations.clone().into();
        }
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self.meta(install, &self.full_name()),
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": self.selector(install)},
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": u32::from(replicas > 1)},
                },
                "template": template,
            },
        })
    }

    fn pod(&self, install: &Install<'_>) -> Value {
        let volumes = self.mounts.iter().map(|mount| {
            let (kind, volume) = &mount.volume;
            json!({"name": mount.name, *kind: volume})
        });
        let mut pod = json!({
            "serviceAccountName": self.full_name(),
            "nodeSelector": {"kubernetes.io/os": "linux"},
            // The user of the image, and a group that can read the issuer's key.
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [self.container(install)],
            "volumes": volumes.collect::<Vec<_>>(),
        });
        if install.values.replicas() > 1 {
            pod["affinity"] = self.spread(install);
        }
        pod
    }

    /// Nodes first, then zones.
    fn spread(&self, install: &Install<'_>) -> Value {
        let prefer = |weight: u8, key: &str| {
            json!({
                "weight": weight,
                "podAffinityTerm": {
                    "labelSelector": {"matchLabels": self.selector(install)},
                    "topologyKey": key,
                },
            })
        };
        let terms = [
            prefer(100, "kubernetes.io/hostname"),
            prefer(50, "topology.kubernetes.io/zone"),
        ];
        json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": terms}})
    }

    fn container(&self, install: &Install<'_>) -> Value {
        let mut ports: Vec<_> = self.ports.to_vec();
        ports.push(("admin", ADMIN));
        let ports = ports
            .iter()
            .map(|(name, port)| json!({"name": name, "containerPort": port}));
        let mounts = self.mounts.iter();
        let mounts = mounts
            .map(|mount| json!({"name": mount.name, "mountPath": mount.path, "readOnly": true}));
        let probe = |path: &str| json!({"path": path, "port": "admin"});
        json!({
            "name": self.full_name(),
            "image": install.image(self.program),
            "imagePullPolicy": install.values.image_pull_policy,
            "args": self.args,
            "ports": ports.collect::<Vec<_>>(),
            "livenessProbe": {"httpGet": probe("/live"), "initialDelaySeconds": 10, "timeoutSeconds": 5},
            "readinessProbe": {"httpGet": probe("/ready"), "periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": 3},
            "resources": self.resources,
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": true,
            },
            "volumeMounts": mounts.collect::<Vec<_>>(),
        })
    }
}
