//! From the text of a manifest to objects.
//!
//! A document is read twice: as plain data, which tells its kind, and as that
//! kind, which checks every field. An error says which document, line and field;
//! the second reading knows only the field, so the line is looked up in the text
//! afterwards ([`super::locate`]), in the rare case that one is needed.

use super::locate::line_of;
use crate::{
    model::object::Object,
    source::convert::{Convert, Converted},
};
use k8s_openapi::api::{core::v1, discovery::v1 as discovery};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What one file says.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    pub(super) objects: Vec<Object>,
    /// Settings that were left out, as sentences.
    pub(super) warnings: Vec<String>,
}

/// Why a file can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("document {document}{}, line {line}: {why}", object.as_ref().map(|object| format!(" ({object})")).unwrap_or_default())]
pub(super) struct ParseError {
    /// Counted from 1.
    pub(super) document: usize,
    /// Kind and name, when they are known.
    pub(super) object: Option<String>,
    /// In the file, counted from 1.
    pub(super) line: u64,
    pub(super) why: String,
}

/// One document of a file.
#[derive(Clone, Copy)]
struct Document<'a> {
    text: &'a str,
    /// Counted from 1, without empty ones.
    number: usize,
    /// How many lines of the file are before it.
    above: u64,
}

/// Reads the text of a file: YAML documents, of which JSON is a kind.
pub(super) fn manifest(text: &str) -> Result<Manifest, ParseError> {
    let mut manifest = Manifest::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut number = 0;
    for (above, text) in documents(text) {
        let document = Document {
            text,
            number: number + 1,
            above,
        };
        let value = document.value()?;
        if !value.is_null() {
            number += 1;
            document.object(value, "", &mut manifest)?;
        }
    }
    Ok(manifest)
}

/// Splits a file at its `---` lines; with each part comes the number of lines
/// above it.
#[must_use]
pub fn documents(text: &str) -> Vec<(u64, &str)> {
    let mut parts = Vec::new();
    let (mut start, mut above) = (0, 0);
    let mut offset = 0;
    for (number, line) in (0..).zip(text.split_inclusive('\n')) {
        let marker = line.strip_prefix("---");
        if marker.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            parts.push((above, &text[start..offset]));
            // What follows the marker on its line belongs to the document.
            (start, above) = (offset + 3, number);
        }
        offset += line.len();
    }
    parts.push((above, &text[start..]));
    parts
}

impl Document<'_> {
    fn value(&self) -> Result<Value, ParseError> {
        // Comments, and directives such as `%YAML 1.2`, which end in `---`.
        let blank =
            |line: &str| line.trim().is_empty() || line.trim_start().starts_with(['#', '%']);
        if self.text.lines().all(blank) {
            return Ok(Value::Null);
        }
        read(self.text).map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            ParseError {
                document: self.number,
                object: None,
                line: self.above + line,
                why: format!("no valid YAML: {}", error.without_snippet()),
            }
        })
    }

    /// Reads one object, which is at `path` of the document.
    fn object(&self, value: Value, path: &str, manifest: &mut Manifest) -> Result<(), ParseError> {
        let missing = |name: &str| {
            let why = format!("no Kubernetes object: {name} is missing or no text");
            self.error(path, None, why)
        };
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = text("kind").ok_or_else(|| missing("kind"))?;
        let version = text("apiVersion").ok_or_else(|| missing("apiVersion"))?;
        match (version.as_str(), kind.as_str()) {
            ("v1", "List") => self.list(value, path, manifest),
            ("v1", "Namespace") => self.convert::<v1::Namespace>(value, path, manifest),
            ("v1", "Node") => self.convert::<v1::Node>(value, path, manifest),
            ("v1", "Pod") => self.convert::<v1::Pod>(value, path, manifest),
            ("v1", "Service") => self.convert::<v1::Service>(value, path, manifest),
            ("discovery.k8s.io/v1", "EndpointSlice") => {
                self.convert::<discovery::EndpointSlice>(value, path, manifest)
            }
            _ => {
                tracing::debug!(%version, %kind, name = label(&value), "Kept aside: the controller has no use for this kind yet");
                Ok(())
            }
        }
    }

    fn list(&self, value: Value, path: &str, manifest: &mut Manifest) -> Result<(), ParseError> {
        let Some(Value::Array(items)) = value.get("items").cloned() else {
            return Err(self.error(path, None, "items: a List needs a list of items".to_owned()));
        };
        for (i, item) in items.into_iter().enumerate() {
            let path = join(path, &format!("items[{i}]"));
            if item.get("kind").and_then(Value::as_str) == Some("List") {
                return Err(self.error(&path, None, format!("{path}: a List inside a List")));
            }
            self.object(item, &path, manifest)?;
        }
        Ok(())
    }

    fn convert<T: DeserializeOwned + Convert>(
        &self,
        value: Value,
        path: &str,
        manifest: &mut Manifest,
    ) -> Result<(), ParseError> {
        let label = label(&value);
        let failed = |field: &str, why: String| {
            let field = join(path, field);
            self.error(&field, Some(label.clone()), format!("{field}: {why}"))
        };
        let object: T = serde_path_to_error::deserialize(value)
            .map_err(|error| failed(&error.path().to_string(), error.inner().to_string()))?;
        let Converted { object, warnings } = object
            .convert()
            .map_err(|error| failed(&error.field, error.why))?;
        manifest.objects.extend(object);
        let warnings = warnings
            .into_iter()
            .map(|warning| format!("{label}: {warning}"));
        manifest.warnings.extend(warnings);
        Ok(())
    }

    fn error(&self, path: &str, object: Option<String>, why: String) -> ParseError {
        ParseError {
            document: self.number,
            object,
            line: self.above + line_of(self.text, path),
            why,
        }
    }
}

/// YAML 1.2, where only `true` and `false` are no text: `y` is a fine name.
///
/// # Errors
/// When the text is no YAML, or says other than `T`.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_saphyr::Error> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options)
}

fn join(path: &str, field: &str) -> String {
    match (path, field) {
        ("", field) => field.to_owned(),
        (path, "" | ".") => path.to_owned(),
        (path, field) => format!("{path}.{field}"),
    }
}

/// Kind and name, for people.
fn label(value: &Value) -> String {
    let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or("?");
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    match value.pointer("/metadata/namespace").and_then(Value::as_str) {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

#[cfg(test)]
mod tests;
