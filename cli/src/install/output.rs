//! Objects as text, for `kubectl`.

use crate::manifest;
use serde_json::{Value, json};

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A document for each object
    #[default]
    Yaml,
    /// One List
    Json,
}

/// All objects, in the order given.
pub(crate) fn text(objects: &[Value], format: Format) -> String {
    match format {
        Format::Yaml => objects
            .iter()
            .map(|object| format!("---\n{}", manifest::document(object)))
            .collect(),
        Format::Json => {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
            format!("{list:#}\n")
        }
    }
}
