//! The objects, in the order in which they are applied.

mod config;
mod deployment;
mod destination;
mod identity;
mod injector;
mod rbac;

use super::{CONTROL_PLANE, Credentials, PART_OF, Values};
use deployment::Component;
use serde_json::{Map, Value, json};

/// Everything of one installation; pure.
pub(crate) fn all(values: &Values, credentials: &Credentials, version: &str) -> Vec<Value> {
    let install = Install { values, version };
    let mut objects = vec![config::namespace(&install)];
    objects.extend(config::objects(&install, credentials));
    for component in [
        identity::component(&install),
        destination::component(&install),
        injector::component(&install),
    ] {
        objects.extend(component.objects(&install));
    }
    // Last, so that no pod waits for a webhook that is not there yet.
    objects.push(injector::webhook(&install));
    objects
}

/// What all objects are made from.
struct Install<'a> {
    values: &'a Values,
    /// Of whoever renders.
    version: &'a str,
}

impl Install<'_> {
    fn namespace(&self) -> &str {
        &self.values.namespace
    }

    /// The labels that every object has.
    fn labels(&self) -> Map<String, Value> {
        let labels = [
            (PART_OF.0, PART_OF.1),
            ("app.kubernetes.io/version", self.version),
            (CONTROL_PLANE, self.namespace()),
        ];
        labels
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into_iter()
            .collect()
    }

    /// Metadata of an object in the control plane's namespace.
    fn meta(&self, name: &str) -> Value {
        json!({"name": name, "namespace": self.namespace(), "labels": self.labels()})
    }

    /// Metadata of an object of the whole cluster.
    fn cluster_meta(&self, name: &str) -> Value {
        json!({"name": name, "labels": self.labels()})
    }

    /// The image of one of our programs.
    fn image(&self, program: &str) -> String {
        let tag = match self.values.tag.as_str() {
            "" => self.version,
            tag => tag,
        };
        format!("{}/{program}:{tag}", self.values.registry)
    }
}
