//! The folder of Kubernetes objects that the controller follows: what a cluster's API server would hold.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde_json::{Value, json};

/// The namespace that all pods and services are in.
pub(super) const NAMESPACE: &str = "test";
const NODE: &str = "node";

/// A folder of manifests, each a file.
#[derive(Debug)]
pub(super) struct Manifests {
    dir: PathBuf,
    files: Mutex<usize>,
}

/// What a pod's manifest tells.
#[derive(Debug)]
pub(super) struct PodFacts<'a> {
    pub(super) name: &'a str,
    pub(super) account: &'a str,
    pub(super) meshed: bool,
    pub(super) ips: &'a [IpAddr],
    pub(super) ports: &'a [u16],
    pub(super) annotations: &'a [(String, String)],
}

/// What a service's manifests tell.
#[derive(Debug)]
pub(super) struct ServiceFacts<'a> {
    pub(super) name: &'a str,
    /// None for a headless service.
    pub(super) ips: &'a [IpAddr],
    /// Ports, and the pods' ports.
    pub(super) ports: &'a [(u16, u16)],
    pub(super) annotations: &'a [(String, String)],
    /// Names and addresses.
    pub(super) pods: &'a [(String, Vec<IpAddr>)],
}

impl Manifests {
    pub(super) fn create(dir: PathBuf) -> Self {
        fs::create_dir_all(&dir).unwrap();
        let files = Mutex::new(0);
        let manifests = Self { dir, files };
        let plain = |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
        manifests.write("namespace", &plain("Namespace", NAMESPACE));
        manifests.write("node", &plain("Node", NODE));
        manifests
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// How many objects there are.
    pub(super) fn count(&self) -> usize {
        *self.files.lock()
    }

    /// In one step, so that nobody reads half of it.
    fn write(&self, name: &str, object: &Value) {
        let (draft, path) = (
            self.dir.join("draft"),
            self.dir.join(format!("{name}.json")),
        );
        let mut files = self.files.lock();
        *files += usize::from(!path.exists());
        fs::write(&draft, object.to_string()).unwrap();
        fs::rename(&draft, &path).unwrap();
    }

    pub(super) fn pod(&self, pod: &PodFacts<'_>) {
        let &PodFacts {
            name,
            account,
            meshed,
            ips,
            ports,
            ..
        } = pod;
        let mut labels = json!({"app": name});
        let ports: Vec<Value> = ports
            .iter()
            .map(|port| json!({"containerPort": port}))
            .collect();
        let mut containers = vec![json!({"name": "app", "image": "app", "ports": ports})];
        if meshed {
            labels["mesh.dev/control-plane-ns"] = json!(super::identities::MESH_NAMESPACE);
            labels["mesh.dev/proxy-deployment"] = json!(account);
            containers.push(json!({
                "name": "mesh-proxy",
                "image": "mesh-proxy",
                "env": [{"name": "MESH_PROXY_INBOUND_LISTEN_ADDR", "value": "0.0.0.0:4143"}],
            }));
        }
        let pod_ips: Vec<Value> = ips.iter().map(|ip| json!({"ip": ip})).collect();
        let object = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name, "namespace": NAMESPACE, "labels": labels,
                "annotations": annotations(pod.annotations),
            },
            "spec": {"serviceAccountName": account, "nodeName": NODE, "containers": containers},
            "status": {
                "phase": "Running", "podIP": ips.first(), "podIPs": pod_ips,
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        });
        self.write(&format!("pod-{name}"), &object);
    }

    pub(super) fn service(&self, service: &ServiceFacts<'_>) {
        let &ServiceFacts {
            name,
            ips,
            ports,
            pods,
            ..
        } = service;
        let cluster_ip = ips.first().map_or(json!("None"), |ip| json!(ip));
        let all = if ips.is_empty() {
            json!(["None"])
        } else {
            json!(ips)
        };
        let ports_here: Vec<Value> = ports
            .iter()
            .map(|(port, target)| json!({"name": format!("p{port}"), "port": port, "targetPort": target, "protocol": "TCP"}))
            .collect();
        let object = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations(service.annotations)},
            "spec": {"clusterIP": cluster_ip, "clusterIPs": all, "ports": ports_here, "selector": {"service": name}},
        });
        self.write(&format!("service-{name}"), &object);
        for (family, is) in [
            ("IPv4", IpAddr::is_ipv4 as fn(&IpAddr) -> bool),
            ("IPv6", IpAddr::is_ipv6),
        ] {
            let wanted = ips.is_empty() || ips.iter().any(is);
            let any = pods.iter().any(|(_, ips)| ips.iter().any(is));
            if wanted && (any || family == "IPv4") {
                self.slice(service, family, is);
            }
        }
    }

    fn slice(&self, service: &ServiceFacts<'_>, family: &str, is: fn(&IpAddr) -> bool) {
        let name = service.name;
        let ports: Vec<Value> = service
            .ports
            .iter()
            .map(|(port, target)| json!({"name": format!("p{port}"), "port": target, "protocol": "TCP"}))
            .collect();
        let endpoints = service.pods.iter().filter_map(|(pod, ips)| {
            let ip = ips.iter().copied().find(is)?;
            Some(json!({
                "addresses": [ip],
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "nodeName": NODE,
                "targetRef": {"kind": "Pod", "name": pod, "namespace": NAMESPACE},
            }))
        });
        let endpoints: Vec<Value> = endpoints.collect();
        let object = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "addressType": family,
            "metadata": {
                "name": format!("{name}-{}", family.to_lowercase()), "namespace": NAMESPACE,
                "labels": {"kubernetes.io/service-name": name},
            },
            "ports": ports,
            "endpoints": endpoints,
        });
        self.write(&format!("slice-{name}-{family}"), &object);
    }
}

fn annotations(all: &[(String, String)]) -> Value {
    all.iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect()
}
