//! A cluster in memory: what `mesh install` makes, pods that run it, a meshed workload.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use mesh_controller::injector::{self, Annotations, Decision, INJECT, patch};
use mesh_identity::ca::{self, RootAndIssuer};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use crate::check::snapshot::{Answer, Metrics, Objects, Probe, Probes, Right, Scope, Snapshot};
use crate::cluster::PodName;
use crate::install::{self, Credentials, Values, credentials::Pair};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The mesh's CA, and the webhook's: made once, since keys take time.
pub(crate) static CA: LazyLock<RootAndIssuer> = LazyLock::new(|| made(&ca::Options::default()));
static WEBHOOK: LazyLock<RootAndIssuer> = LazyLock::new(|| {
    made(&ca::Options {
        trust_domain: "mesh-injector.mesh.svc".to_owned(),
        ..ca::Options::default()
    })
});

/// A root and an issuer.
pub(crate) fn made(options: &ca::Options) -> RootAndIssuer {
    ca::generate(options, std::time::SystemTime::now()).unwrap()
}

/// Objects, and what pods answer.
pub(crate) struct World {
    pub(crate) objects: Vec<Value>,
    pub(crate) probes: Probes,
    pub(crate) rights: Vec<Right>,
    pub(crate) scope: Scope,
    pub(crate) now: Timestamp,
    pub(crate) version: String,
}

impl World {
    /// A cluster without a mesh.
    pub(crate) fn bare() -> Self {
        // Leases are written in seconds here.
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
        let renewed = now - SignedDuration::from_secs(3);
        Self {
            objects: vec![
                json!({"kind": "Namespace", "metadata": {"name": "default"}}),
                json!({"kind": "Node", "metadata": {"name": "node-1"}, "spec": {"podCIDRs": ["10.244.0.0/24"]}}),
                json!({"kind": "Lease", "metadata": {"name": "node-1"},
                    "spec": {"renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()}}),
            ],
            probes: Probes::default(),
            rights: vec![
                right("clusterroles", None),
                right("deployments.apps", Some("mesh")),
            ],
            scope: Scope {
                mesh: "mesh".to_owned(),
                namespace: None,
                version: VERSION.to_owned(),
            },
            now,
            version: "v1.33.2".to_owned(),
        }
    }

    /// A healthy mesh, with a meshed pod and its Service in namespace shop.
    pub(crate) fn well() -> Self {
        let mut world = Self::bare();
        let credentials = Credentials {
            trust_anchors: CA.root.pem(),
            issuer: Some(Pair {
                certificate: CA.issuer.pem(),
                key: CA.issuer.key().serialize_pem(),
            }),
        };
        let installed = install::objects(&Values::default(), &credentials, VERSION);
        world.objects.extend(installed.into_iter().map(stored));
        world.run();
        world.mesh();
        world
    }

    /// What controllers make of the installed objects.
    fn run(&mut self) {
        for (number, deployment) in (1..).zip(self.all("Deployment")) {
            let name = deployment["metadata"]["name"].as_str().unwrap();
            self.objects.push(json!({"kind": "ReplicaSet", "metadata": {"name": name, "namespace": "mesh"}, "spec": {"selector": {}}}));
            self.objects
                .push(pod_of(&deployment, &format!("{name}-1"), number));
            self.probes
                .control_plane
                .insert(in_mesh(&format!("{name}-1")), well_probe());
        }
        for service in self.all("Service") {
            let name = service["metadata"]["name"].as_str().unwrap();
            let labels = json!({"kubernetes.io/service-name": name});
            self.objects.push(json!({"kind": "EndpointSlice", "addressType": "IPv4", "metadata": {"name": name, "namespace": "mesh", "labels": labels},
                "endpoints": [{"addresses": ["10.244.0.9"], "conditions": {"ready": true}}]}));
        }
        let bundle = k8s_openapi::ByteString(WEBHOOK.root.pem().into_bytes());
        self.edit("MutatingWebhookConfiguration", "mesh-injector", |webhook| {
            webhook["webhooks"][0]["clientConfig"]["caBundle"] =
                serde_json::to_value(bundle).unwrap();
        });
        let served = served_by(&WEBHOOK, "mesh-injector.mesh.svc", 30);
        self.probes
            .webhook
            .insert(in_mesh("mesh-injector-1"), Ok(served));
    }

    /// A workload.
    fn mesh(&mut self) {
        let asked = json!({INJECT: "enabled"});
        self.objects.extend([
            json!({"kind": "Namespace", "metadata": {"name": "shop", "annotations": asked}}),
            json!({"kind": "ConfigMap", "metadata": {"name": "mesh-trust-bundle", "namespace": "shop"},
                "data": {"ca-bundle.crt": CA.root.pem()}}),
            json!({"kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.7", "ports": [{"port": 80, "targetPort": 8080}]}}),
            injected(&unmeshed_pod("web-1")),
        ]);
        let name = PodName {
            namespace: "shop".to_owned(),
            name: "web-1".to_owned(),
        };
        self.probes.proxies.insert(name, well_probe());
        self.proxy_says(&[]);
    }

    /// What the proxy's metrics say, beside or instead of what they do when all is well.
    pub(crate) fn proxy_says(&mut self, lines: &[&str]) {
        let now = self.now.as_second();
        let fingerprint = mesh_identity::TrustBundle::from_pem(&CA.root.pem())
            .unwrap()
            .fingerprint();
        let well = [
            format!(
                "control_identity_cert_refresh_timestamp_seconds {}",
                now - 3600
            ),
            format!(
                "control_identity_cert_expiration_timestamp_seconds {}",
                now + 82_800
            ),
            format!("control_identity_trust_anchors_info{{sha256=\"{fingerprint}\"}} 1"),
            "control_failing_since_timestamp_seconds{addr=\"mesh-policy:8090\",tls=\"true\"} 0"
                .to_owned(),
        ];
        let text = lines.iter().map(|line| (*line).to_owned()).chain(well);
        let text = text.collect::<Vec<_>>().join("\n");
        self.proxy().metrics = Ok(Metrics::new(text));
    }

    /// What the proxy answers.
    pub(crate) fn proxy(&mut self) -> &mut Probe {
        self.probes.proxies.values_mut().next().unwrap()
    }

    /// What a pod of a component answers.
    pub(crate) fn component(&mut self, name: &str) -> &mut Probe {
        self.probes
            .control_plane
            .get_mut(&in_mesh(&format!("mesh-{name}-1")))
            .unwrap()
    }

    fn all(&self, kind: &str) -> Vec<Value> {
        self.objects
            .iter()
            .filter(|object| object["kind"] == kind)
            .cloned()
            .collect()
    }

    /// Changes an object; `NAMESPACE/NAME` where two have the name.
    pub(crate) fn edit(&mut self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let found = self
            .objects
            .iter_mut()
            .find(|object| is(object, kind, name));
        change(found.unwrap_or_else(|| panic!("there is no {kind} {name}")));
    }

    /// Takes an object away.
    pub(crate) fn remove(&mut self, kind: &str, name: &str) {
        let before = self.objects.len();
        self.objects.retain(|object| !is(object, kind, name));
        assert_eq!(self.objects.len(), before - 1, "{kind} {name}");
    }

    /// Adds one.
    pub(crate) fn add(&mut self, object: Value) {
        self.objects.push(object);
    }

    /// The values that the cluster keeps, with more put over them.
    pub(crate) fn values(&mut self, over: &str) {
        let values = Values::default().overlaid("test", over).unwrap();
        self.edit("ConfigMap", "mesh-config", |config| {
            config["data"]["values.yaml"] = values.stored().into();
        });
    }

    /// More pods of a component, on these nodes.
    pub(crate) fn replicas(&mut self, component: &str, nodes: &[&str]) {
        let name = format!("mesh-{component}-1");
        let first = self
            .objects
            .iter()
            .find(|object| is(object, "Pod", &name))
            .unwrap()
            .clone();
        self.remove("Pod", &name);
        for (number, node) in (1..).zip(nodes) {
            let mut pod = first.clone();
            pod["metadata"]["name"] = format!("mesh-{component}-{number}").into();
            pod["spec"]["nodeName"] = (*node).into();
            self.add(pod);
        }
    }

    fn list<T: DeserializeOwned>(&self, kind: &str) -> Vec<T> {
        let read = |mut object: Value| {
            // The types know their kind.
            object.as_object_mut().unwrap().remove("kind");
            object.as_object_mut().unwrap().remove("apiVersion");
            serde_json::from_value(object.clone())
                .unwrap_or_else(|error| panic!("{error}: {object}"))
        };
        self.all(kind).into_iter().map(read).collect()
    }

    /// As the observer would take it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let configs = self.list::<k8s_openapi::api::core::v1::ConfigMap>("ConfigMap");
        let named = |name: &str| {
            configs
                .iter()
                .filter(|map| map.metadata.name.as_deref() == Some(name))
                .cloned()
                .collect::<Vec<_>>()
        };
        let objects = Objects {
            namespaces: Ok(self.list("Namespace")),
            nodes: Ok(self.list("Node")),
            leases: Ok(self.list("Lease")),
            pods: Ok(self.list("Pod")),
            services: Ok(self.list("Service")),
            bundles: Ok(named("mesh-trust-bundle")),
            replica_sets: Ok(self.list("ReplicaSet")),
            webhook: Ok(self.list("MutatingWebhookConfiguration").pop()),
            cluster_roles: Ok(self.list("ClusterRole")),
            cluster_role_bindings: Ok(self.list("ClusterRoleBinding")),
            config: Ok(named("mesh-config").pop()),
            issuer: Ok(self.list("Secret").pop()),
            service_accounts: Ok(self.list("ServiceAccount")),
            deployments: Ok(self.list("Deployment")),
            slices: Ok(self.list("EndpointSlice")),
            budgets: Ok(self.list("PodDisruptionBudget")),
        };
        Snapshot {
            version: Ok(self.version.clone()),
            objects,
            rights: Ok(self.rights.clone()),
            probes: self.probes.clone(),
            ..Snapshot::empty(&self.scope, self.now)
        }
    }
}

fn is(object: &Value, kind: &str, name: &str) -> bool {
    let (namespace, name) = match name.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, name),
    };
    let metadata = &object["metadata"];
    object["kind"] == kind
        && metadata["name"] == name
        && namespace.is_none_or(|namespace| metadata["namespace"] == namespace)
}

pub(crate) fn right(resource: &str, namespace: Option<&str>) -> Right {
    Right {
        resource: resource.to_owned(),
        namespace: namespace.map(ToOwned::to_owned),
        allowed: true,
    }
}

pub(crate) fn in_mesh(name: &str) -> PodName {
    PodName {
        namespace: "mesh".to_owned(),
        name: name.to_owned(),
    }
}

/// As the API server keeps it.
fn stored(mut object: Value) -> Value {
    if let Some(text) = object["stringData"].take().as_object() {
        let encoded = |text: &Value| {
            let bytes = text.as_str().unwrap().as_bytes().to_vec();
            serde_json::to_value(k8s_openapi::ByteString(bytes)).unwrap()
        };
        let data: BTreeMap<_, _> = text
            .iter()
            .map(|(name, text)| (name.clone(), encoded(text)))
            .collect();
        object["data"] = serde_json::to_value(data).unwrap();
    }
    object.as_object_mut().unwrap().remove("stringData");
    object
}

/// Running and ready.
fn ready_status(address: &str, containers: &[&str]) -> Value {
    let containers = containers.iter().map(|name| {
        json!({"name": name, "ready": true, "image": "", "imageID": "", "restartCount": 0, "state": {"running": {}}})
    });
    json!({
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
        "containerStatuses": containers.collect::<Vec<_>>(),
    })
}

fn pod_of(deployment: &Value, name: &str, number: u8) -> Value {
    let template = &deployment["spec"]["template"];
    let mut spec = template["spec"].clone();
    spec["nodeName"] = "node-1".into();
    json!({
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "mesh", "labels": template["metadata"]["labels"]},
        "spec": spec,
        "status": ready_status(&format!("10.244.0.{number}"), &[deployment["metadata"]["name"].as_str().unwrap()]),
    })
}

/// A running pod in namespace shop, without a proxy.
pub(crate) fn unmeshed_pod(name: &str) -> Value {
    json!({
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"nodeName": "node-1", "containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": ready_status("10.244.0.20", &["web", "mesh-proxy"]),
    })
}

/// The pod as the injector leaves it.
pub(crate) fn injected(pod: &Value) -> Value {
    let config = injector::Config {
        install: Values::default().all_proxy_defaults(VERSION),
        ..injector::Config::default()
    };
    let namespace = injector::Namespace {
        name: Some("shop".to_owned()),
        annotations: Annotations::from([(INJECT.to_owned(), "enabled".to_owned())]),
    };
    let Decision::Inject { patch, .. } = patch(pod, None, &namespace, &config) else {
        panic!("it is not injected: {pod}");
    };
    let mut pod = pod.clone();
    patch.apply(&mut pod).unwrap();
    pod
}

/// Answers of a healthy process.
fn well_probe() -> Probe {
    Probe {
        ready: Ok(Answer {
            ok: true,
            text: "ready\n".to_owned(),
            ahead: Some(0),
        }),
        metrics: Ok(Metrics::new(String::new())),
    }
}

/// A certificate for a host of so many days, signed by the issuer.
pub(crate) fn served_by(
    made: &RootAndIssuer,
    host: &str,
    days: u64,
) -> Vec<CertificateDer<'static>> {
    let mut params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    params.not_after =
        (std::time::SystemTime::now() + std::time::Duration::from_secs(days * 86_400)).into();
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &made.issuer).unwrap();
    let issuer = CertificateDer::from_pem_slice(made.issuer.pem().as_bytes()).unwrap();
    vec![leaf.der().clone(), issuer]
}
