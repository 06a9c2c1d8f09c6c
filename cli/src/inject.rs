//! `mesh inject` and `mesh uninject`: manifests in, manifests out.
//!
//! The decision is the controller's own function, so a pod that the webhook would
//! skip or refuse is skipped or refused here. Pure from here on: reading files and
//! URLs is [`input`]'s. Nothing is printed when anything is wrong: the output is made
//! to be piped into `kubectl apply`, and half a mesh is worse than none.

pub(crate) mod input;
mod object;

use crate::manifest::{self, Change};
use mesh_controller::{
    injector::{
        self, Annotations, BadAnnotation, Config, Decision, INJECT, Mode, Namespace, Owner, Patch,
        Skip, Unsupported,
    },
    manifests,
};
use object::{Object, Role};
use serde_json::{Map, Value};

/// What is done to every object.
#[derive(Debug)]
pub(crate) enum Action {
    Inject(Box<Injection>),
    Uninject,
}

/// How objects are injected.
#[derive(Debug)]
pub(crate) struct Injection {
    /// Write containers, not only the annotation.
    pub(crate) manual: bool,
    pub(crate) mode: Mode,
    /// Annotations to add, by their full names.
    pub(crate) annotations: Annotations,
    /// Where objects go that do not say.
    pub(crate) namespace: Option<String>,
    pub(crate) config: Config,
}

/// A file, or what stands for one.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// What became of a file.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) text: String,
    /// A line for each object, and for each warning.
    pub(crate) report: Vec<String>,
}

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: document {document}{}: {field}: {why}", object.as_ref().map(|object| format!(" ({object})")).unwrap_or_default())]
pub(crate) struct Mistake {
    file: String,
    /// Counted from 1, without empty ones.
    document: usize,
    object: Option<String>,
    /// Its path, or the line where it can't be read.
    field: String,
    why: String,
}

/// Does one file.
pub(crate) fn file(source: &Source, action: &Action) -> Result<Output, Vec<Mistake>> {
    let mut done = Done {
        file: &source.name,
        document: 0,
        report: Vec::new(),
        mistakes: Vec::new(),
    };
    let documents = manifests::documents(&source.text);
    let texts: Vec<_> = documents
        .into_iter()
        .map(|(above, text)| done.document(above, text, action))
        .collect();
    match done.mistakes.is_empty() {
        true => Ok(Output {
            text: texts.join("---"),
            report: done.report,
        }),
        false => Err(done.mistakes),
    }
}

/// A file while it is worked on.
struct Done<'a> {
    file: &'a str,
    document: usize,
    report: Vec<String>,
    mistakes: Vec<Mistake>,
}

impl Done<'_> {
    fn document(&mut self, above: u64, text: &str, action: &Action) -> String {
        let unchanged = text.to_owned();
        // Comments, and directives such as `%YAML 1.2`, which end in `---`.
        let blank = |line: &str| {
            line.trim().is_empty() || line.trim_start().starts_with(['#', '%', '\u{feff}'])
        };
        if text.lines().all(blank) {
            return unchanged;
        }
        self.document += 1;
        let Some(value) = self.read(above, text) else {
            return unchanged;
        };
        let mut changes = Vec::new();
        match object::all(&value) {
            Ok(objects) => {
                for object in objects {
                    changes.extend(self.object(&object, action));
                }
            }
            Err((field, why)) => self.mistake(None, &field, &why),
        }
        if changes.is_empty() {
            return unchanged;
        }
        let changed = manifest::change(text, &value, &changes);
        if changed.rewritten {
            self.report.push(format!(
                "{}: document {}: warning: written anew, without its comments: its layout could not be kept",
                self.file, self.document
            ));
        }
        match (self.document, changed.rewritten) {
            (1, true) if above == 0 && !text.starts_with('\n') => {
                changed.text.trim_start().to_owned()
            }
            _ => changed.text,
        }
    }

    /// `None` for nothing, and for what is no YAML.
    fn read(&mut self, above: u64, text: &str) -> Option<Value> {
        match manifests::read(text) {
            Ok(Value::Null) => None,
            Ok(value) => Some(value),
            Err(error) => {
                let line = above + error.location().map_or(1, |location| location.line());
                let why = format!("no valid YAML: {}", error.without_snippet());
                self.mistake(None, &format!("line {line}"), &why);
                None
            }
        }
    }

    fn object(&mut self, object: &Object<'_>, action: &Action) -> Vec<Change> {
        match action {
            Action::Inject(injection) => self.inject(object, injection),
            Action::Uninject => self.uninject(object),
        }
    }

    fn inject(&mut self, object: &Object<'_>, injection: &Injection) -> Vec<Change> {
        let added = new_annotations(object, injection);
        let what = match added.is_empty() {
            true => "has the annotations already",
            false => "annotated",
        };
        let annotations = Patch::members(object.template, "/metadata/annotations", added);
        match object.role {
            Role::Workload => self.workload(object, injection, annotations, what),
            Role::Namespace if !injection.manual => {
                self.told(object, what, additions(annotations, &object.path))
            }
            _ => {
                let why = Unsupported::Kind(object.kind.clone());
                self.skipped(object, &Skip::Unsupported(why))
            }
        }
    }

    /// Annotated, it is shown to the injector; `what` is told of that it was.
    fn workload(
        &mut self,
        object: &Object<'_>,
        injection: &Injection,
        annotations: Patch,
        what: &str,
    ) -> Vec<Change> {
        let mut template = object.template.clone();
        if let Err(error) = annotations.apply(&mut template) {
            self.mistake(Some(object), &object.field("metadata"), &error.to_string());
            return Vec::new();
        }
        let namespace = namespace(object, injection);
        let decision = injector::patch(&template, owner(object), &namespace, &injection.config);
        let (patch, warnings) = match decision {
            Decision::Inject { patch, warnings } => (patch, warnings),
            Decision::Skip(skip) => return self.skipped(object, &skip),
            Decision::Refuse(errors) => {
                errors
                    .iter()
                    .for_each(|bad| self.bad_annotation(object, bad));
                return Vec::new();
            }
        };
        for warning in warnings {
            let line = format!("{}: {object}: warning: {warning}", self.file);
            self.report.push(line);
        }
        let mut changes = additions(annotations, &object.path);
        match injection.manual {
            true => {
                changes.extend(additions(patch, &object.path));
                self.told(object, "injected", changes)
            }
            false => self.told(object, what, changes),
        }
    }

    fn uninject(&mut self, object: &Object<'_>) -> Vec<Change> {
        let paths = match object.role {
            Role::Other => Vec::new(),
            _ => injector::remove(object.template),
        };
        match paths.is_empty() {
            true => self.told(object, "has nothing to take out", Vec::new()),
            false => {
                let changes = paths
                    .into_iter()
                    .map(|path| Change::Remove(format!("{}{path}", object.path)));
                self.told(object, "uninjected", changes.collect())
            }
        }
    }

    fn told(&mut self, object: &Object<'_>, what: &str, changes: Vec<Change>) -> Vec<Change> {
        self.report.push(format!("{}: {object}: {what}", self.file));
        changes
    }

    fn skipped(&mut self, object: &Object<'_>, skip: &Skip) -> Vec<Change> {
        match skip {
            Skip::InvalidOnWorkload(bad) => self.bad_annotation(object, bad),
            Skip::Unsupported(Unsupported::Unreadable(error)) => {
                let field = object.field(&error.field);
                self.mistake(Some(object), &field, &error.why);
            }
            skip => self.report.push(format!(
                "{}: {object}: skipped ({}): {skip}",
                self.file,
                skip.label()
            )),
        }
        Vec::new()
    }

    fn bad_annotation(&mut self, object: &Object<'_>, bad: &BadAnnotation) {
        let field = object.field(&format!("metadata.annotations[{}]", bad.name));
        self.mistake(
            Some(object),
            &field,
            &format!("{:?}: expected {}", bad.value, bad.expected),
        );
    }

    fn mistake(&mut self, object: Option<&Object<'_>>, field: &str, why: &str) {
        self.mistakes.push(Mistake {
            file: self.file.to_owned(),
            document: self.document,
            object: object.map(ToString::to_string),
            field: field.to_owned(),
            why: why.to_owned(),
        });
    }
}

/// Annotations that are not there yet, or other. `disabled` is the author's
/// decision; a value that means nothing is reported, not covered up.
fn new_annotations(object: &Object<'_>, injection: &Injection) -> Map<String, Value> {
    let annotations = object.template.pointer("/metadata/annotations");
    let there = |name: &str| annotations?.get(name);
    let present = |name: &str| there(name)?.as_str();
    let mut wanted: Vec<_> = injection
        .annotations
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // Who wrote `ingress` meant it, whatever the next run is told.
    let over = match injection.mode {
        Mode::Enabled => None,
        Mode::Ingress => Some("enabled"),
    };
    if there(INJECT).is_none() || over.is_some() && present(INJECT) == over {
        wanted.push((INJECT.to_owned(), injection.mode.to_string()));
    }
    let new = wanted
        .into_iter()
        .filter(|(name, value)| present(name) != Some(value));
    new.map(|(name, value)| (name, value.into())).collect()
}

fn additions(patch: Patch, path: &str) -> Vec<Change> {
    let changes = patch.below(path).0.into_iter();
    changes
        .map(|add| Change::Add(add.path, add.value))
        .collect()
}

/// Of a template, the object that it is in; a Pod names its own.
fn owner(object: &Object<'_>) -> Option<Owner> {
    (object.kind != "Pod").then(|| Owner::new(&object.kind, &object.name))
}

fn namespace(object: &Object<'_>, injection: &Injection) -> Namespace {
    Namespace {
        name: object
            .namespace
            .clone()
            .or_else(|| injection.namespace.clone()),
        annotations: Annotations::new(),
    }
}

#[cfg(test)]
mod tests;
