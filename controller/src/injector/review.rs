//! Answers the API server's question about one object (AdmissionReview v1).
//!
//! Pure: [`answer`] takes the review, what is known of namespaces and the
//! configuration. The message types are our own few lines: those of the
//! libraries read the object into a type on the way, and a pod of a shape that
//! they don't know would then get no answer at all, not even one with its uid.

use super::{Annotations, Config, Decision, Namespace, Owner, Patch, Skip, Unsupported, patch};
use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_openapi::api::core::v1::ObjectReference;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The question.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    api_version: String,
    kind: String,
    request: Option<Request>,
}

/// What it is about.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    uid: String,
    kind: Kind,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    object: Value,
}

#[derive(Clone, Debug, Deserialize)]
struct Kind {
    #[serde(default)]
    group: String,
    kind: String,
}

impl Request {
    /// Whether it is about something that can have a proxy.
    fn is_pod(&self) -> bool {
        self.kind.group.is_empty() && self.kind.kind == "Pod"
    }

    /// The namespace whose annotations matter.
    pub(super) fn needs_namespace(&self) -> Option<&str> {
        self.is_pod().then_some(self.namespace.as_str())
    }
}

/// The answer, in the same envelope.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    /// JSON in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    /// Shown by kubectl.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    /// In the API server's audit log, under the webhook's name.
    audit_annotations: BTreeMap<&'static str, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Status {
    code: u16,
    message: String,
}

/// Why a question can't be answered: the API server then goes by the webhook's
/// `failurePolicy`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// The body.
    #[error("no AdmissionReview: {0}")]
    Malformed(String),
    /// Its version.
    #[error("apiVersion {0:?}, kind {1:?}: expected {API_VERSION}, {KIND}")]
    Version(String, String),
    /// `request` is missing.
    #[error("an AdmissionReview without a request")]
    NoRequest,
    /// Guessing would leave a pod without its proxy.
    #[error("namespace {0} is not known yet")]
    UnknownNamespace(String),
}

/// What happened, for logs, metrics and events.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The pod's.
    pub namespace: String,
    /// The pod's; made of `generateName` when the API server has not named it yet.
    pub name: String,
    /// What it belongs to.
    pub owner: Option<Owner>,
    /// What was decided.
    pub decision: Decision,
    /// What an event about it is about: the owner, else the pod.
    pub about: ObjectReference,
    /// It has our proxy, or gets one.
    pub meshed: bool,
    /// Nothing will be stored: no event should tell of it.
    pub dry_run: bool,
}

impl Outcome {
    /// `injected`, `refused`, or why it was skipped.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match &self.decision {
            Decision::Inject { .. } => "injected",
            Decision::Refuse(_) => "refused",
            Decision::Skip(skip) => skip.label(),
        }
    }
}

/// Reads a question.
///
/// # Errors
/// When it is none that can be answered.
pub fn read(body: &[u8]) -> Result<Request, Unanswerable> {
    let review: Review =
        serde_json::from_slice(body).map_err(|error| Unanswerable::Malformed(error.to_string()))?;
    if review.api_version != API_VERSION || review.kind != KIND {
        return Err(Unanswerable::Version(review.api_version, review.kind));
    }
    review.request.ok_or(Unanswerable::NoRequest)
}

/// Decides; `annotations` are a namespace's.
///
/// # Errors
/// When the namespace is not known.
pub fn answer(
    request: Request,
    annotations: impl FnOnce(&str) -> Option<Annotations>,
    config: &Config,
) -> Result<(Answer, Outcome), Unanswerable> {
    let decision = if request.is_pod() {
        let Some(annotations) = annotations(&request.namespace) else {
            return Err(Unanswerable::UnknownNamespace(request.namespace));
        };
        let namespace = Namespace {
            name: Some(request.namespace.clone()),
            annotations,
        };
        patch(&request.object, None, &namespace, config)
    } else {
        Decision::Skip(Skip::Unsupported(Unsupported::Kind(
            request.kind.kind.clone(),
        )))
    };
    let of = request
        .object
        .pointer("/metadata/labels/mesh.dev~1control-plane-ns");
    let has_ours = of.and_then(Value::as_str) == Some(&config.namespace);
    let outcome = Outcome {
        name: name(&request),
        about: about(&request),
        meshed: has_ours || matches!(decision, Decision::Inject { .. }),
        owner: Owner::of(&request.object),
        namespace: request.namespace,
        decision,
        dry_run: request.dry_run,
    };
    let answer = Answer {
        api_version: API_VERSION,
        kind: KIND,
        response: response(request.uid, &outcome),
    };
    Ok((answer, outcome))
}

fn name(request: &Request) -> String {
    let text = |path| request.object.pointer(path).and_then(Value::as_str);
    let named = Some(request.name.as_str()).filter(|name| !name.is_empty());
    let name = named.or_else(|| text("/metadata/name"));
    name.or_else(|| text("/metadata/generateName"))
        .unwrap_or_default()
        .to_owned()
}

/// With the uid of what exists already; a pod gets its own later.
fn about(request: &Request) -> ObjectReference {
    let owners = request.object.pointer("/metadata/ownerReferences");
    let owners = owners.and_then(Value::as_array).into_iter().flatten();
    let owner = owners.max_by_key(|owner| owner["controller"] == true);
    let text = |name| Some(owner?.get(name)?.as_str()?.to_owned());
    let is_owner = text("name").is_some();
    let of_pod = |pod: String, owner: Option<String>| match is_owner {
        true => owner,
        false => Some(pod),
    };
    ObjectReference {
        api_version: of_pod("v1".to_owned(), text("apiVersion")),
        kind: of_pod("Pod".to_owned(), text("kind")),
        name: of_pod(name(request), text("name")),
        namespace: Some(request.namespace.clone()),
        uid: text("uid").filter(|_| is_owner),
        ..ObjectReference::default()
    }
}

fn response(uid: String, outcome: &Outcome) -> Response {
    let mut response = Response {
        uid,
        allowed: true,
        patch_type: None,
        patch: None,
        warnings: Vec::new(),
        status: None,
        audit_annotations: BTreeMap::from([("decision", outcome.label().to_owned())]),
    };
    match &outcome.decision {
        Decision::Inject { patch, warnings } => {
            response.patch_type = Some("JSONPatch");
            response.patch = Some(encode(patch));
            response.warnings = warnings
                .iter()
                .map(|warning| format!("mesh: {warning}"))
                .collect();
        }
        Decision::Skip(skip) if skip.is_unexpected() => {
            response.warnings = vec![format!("mesh: no proxy is injected: {skip}")];
        }
        Decision::Skip(_) => {}
        Decision::Refuse(errors) => {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            response.allowed = false;
            response.status = Some(Status {
                code: 422,
                message: format!("mesh: {}", errors.join("; ")),
            });
        }
    }
    response
}

fn encode(patch: &Patch) -> String {
    STANDARD.encode(serde_json::to_vec(patch).expect("a patch is JSON"))
}

#[cfg(test)]
mod tests;
