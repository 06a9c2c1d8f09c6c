//! What can end a run before its verdict.

use std::io;
use std::path::PathBuf;

use mesh::local::{GetError, LocalError};

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnduranceError {
    #[error(
        "no mesh binary at {}: build it with the same profile (cargo build -p mesh), or name one with --mesh",
        .0.display()
    )]
    NoProgram(PathBuf),
    #[error(transparent)]
    Mesh(Box<LocalError>),
    #[error("cannot read the metrics of {name}: {source}")]
    Metrics { name: String, source: GetError },
    #[error("the load cannot be sent: {0}")]
    Load(io::Error),
    #[error("no runtime: {0}")]
    Runtime(io::Error),
}

impl From<LocalError> for EnduranceError {
    fn from(error: LocalError) -> Self {
        Self::Mesh(Box::new(error))
    }
}
