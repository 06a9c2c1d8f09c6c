//! What an install consists of: the objects that `mesh install` makes of the values
//! that the cluster keeps. So an object that a new version adds is looked for
//! without a line here.

use std::time::SystemTime;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::snapshot::seen;
use super::super::{Problem, Snapshot};
use crate::install::{self, Credentials, Values};

pub(crate) use crate::install::{CONFIG, ISSUER};

/// Of all control planes: there is one for each cluster.
pub(crate) const WEBHOOK_CONFIGURATION: &str = "mesh-injector";
/// The webhook's Service.
pub(crate) const WEBHOOK_SERVICE: &str = "mesh-injector";
/// On every pod of the control plane: `identity`, `destination` or `injector`.
const COMPONENT: &str = "mesh.dev/control-plane-component";
/// On every object of the control plane: who installed it.
const VERSION: &str = "app.kubernetes.io/version";

/// The components of a control plane.
pub(crate) const COMPONENTS: [&str; 3] = ["identity", "destination", "injector"];

/// Which component a pod is of.
pub(crate) fn component(pod: &Pod) -> Option<&str> {
    pod.labels().get(COMPONENT).map(String::as_str)
}

/// The name that the webhook's certificate has to be for.
pub(crate) fn webhook_host(mesh: &str) -> String {
    format!("{WEBHOOK_SERVICE}.{mesh}.svc")
}

/// The values that the mesh was installed with.
///
/// # Errors
/// When they can't be read.
pub(crate) fn values(snapshot: &Snapshot) -> Result<Values, Problem> {
    match seen(&snapshot.objects.config)? {
        Some(config) => parse(config).map_err(Problem::one),
        None => Err(Problem::one(format!("there is no ConfigMap {CONFIG}"))),
    }
}

/// The same for checks that are not about them.
pub(crate) fn values_or_skip(snapshot: &Snapshot) -> Result<Values, Problem> {
    values(snapshot).map_err(|problem| match problem {
        Problem::Wrong(_) => Problem::skipped("needs the configuration, see mesh-config"),
        skipped @ Problem::Skipped(_) => skipped,
    })
}

fn parse(config: &ConfigMap) -> Result<Values, String> {
    let data = config.data.as_ref();
    let text = data.and_then(|data| data.get(install::VALUES));
    let text = text.ok_or_else(|| format!("ConfigMap {CONFIG} has no {}", install::VALUES))?;
    let file = format!("{} of ConfigMap {CONFIG}", install::VALUES);
    Values::default()
        .overlaid(&file, text)
        .map_err(|error| error.to_string())
}

/// The version of the mesh that was installed.
pub(crate) fn installed_version(snapshot: &Snapshot) -> Option<String> {
    let config = snapshot.objects.config.as_ref().ok()?.as_ref()?;
    config.labels().get(VERSION).cloned()
}

/// All objects of one kind that the install has made, as it made them.
///
/// Where the cluster keeps no values, they are those of an install without flags.
pub(crate) fn objects<K: DeserializeOwned>(snapshot: &Snapshot, kind: &str) -> Vec<K> {
    let values = values(snapshot).unwrap_or_else(|_| Values {
        namespace: snapshot.scope.mesh.clone(),
        ..Values::default()
    });
    let version = installed_version(snapshot).unwrap_or_else(|| snapshot.scope.version.clone());
    // Certificates make no difference to what is looked for here.
    let credentials = Credentials {
        trust_anchors: String::new(),
        issuer: None,
    };
    let all = install::objects(&values, &credentials, &version);
    let of_kind = all.into_iter().filter(|object| object["kind"] == kind);
    let read = |object: Value| serde_json::from_value(object).expect("a test reads each of them");
    of_kind.map(read).collect()
}

/// The time as the certificate libraries have it.
pub(crate) fn system_time(snapshot: &Snapshot) -> SystemTime {
    SystemTime::from(snapshot.now)
}
