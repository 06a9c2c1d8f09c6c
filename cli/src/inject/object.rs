//! The objects of a document, and where their pods are.

use serde_json::Value;
use std::fmt;

/// One object, alone or in a List.
#[derive(Debug)]
pub(super) struct Object<'a> {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) role: Role,
    /// The pod, or the template of pods, or the object itself.
    pub(super) template: &'a Value,
    /// Its JSON pointer in the document.
    pub(super) path: String,
}

/// What can be done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It has a pod.
    Workload,
    /// Its annotations count for its pods.
    Namespace,
    Other,
}

/// Field and mistake.
type Wrong = (String, String);

/// Every object of a document.
pub(super) fn all(document: &Value) -> Result<Vec<Object<'_>>, Wrong> {
    let mut objects = Vec::new();
    collect(document, "", &mut objects)?;
    Ok(objects)
}

fn collect<'a>(value: &'a Value, path: &str, objects: &mut Vec<Object<'a>>) -> Result<(), Wrong> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let Some(kind) = text("/kind") else {
        let why = "no Kubernetes object: it is missing or no text".to_owned();
        return Err((dotted(&format!("{path}/kind")), why));
    };
    // Lists of one kind too, which kubectl get makes: DeploymentList.
    if let Some(Value::Array(items)) = value.get("items")
        && kind.ends_with("List")
    {
        let each = items.iter().enumerate();
        return each
            .into_iter()
            .try_for_each(|(i, item)| collect(item, &format!("{path}/items/{i}"), objects));
    }
    let (role, below) = match kind {
        "Pod" => (Role::Workload, ""),
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job" => (Role::Workload, "/spec/template"),
        "CronJob" => (Role::Workload, "/spec/jobTemplate/spec/template"),
        "Namespace" => (Role::Namespace, ""),
        _ => (Role::Other, ""),
    };
    let path = format!("{path}{below}");
    let template = value.pointer(below).filter(|template| template.is_object());
    objects.push(Object {
        kind: kind.to_owned(),
        name: text("/metadata/name")
            .or_else(|| text("/metadata/generateName"))
            .unwrap_or("?")
            .to_owned(),
        namespace: text("/metadata/namespace").map(str::to_owned),
        role,
        template: template.ok_or_else(|| (dotted(&path), format!("a {kind} needs it")))?,
        path,
    });
    Ok(())
}

impl Object<'_> {
    /// A field of the pod as a field of the document.
    pub(super) fn field(&self, field: &str) -> String {
        match dotted(&self.path) {
            path if path.is_empty() => field.to_owned(),
            path => format!("{path}.{field}"),
        }
    }
}

/// `/items/0/spec` as `items[0].spec`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        match part.parse::<usize>() {
            Ok(index) => path += &format!("[{index}]"),
            Err(_) if path.is_empty() => path += part,
            Err(_) => path += &format!(".{part}"),
        }
    }
    path
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, .. } = self;
        match &self.namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{name}"),
            None => write!(f, "{kind} {name}"),
        }
    }
}
