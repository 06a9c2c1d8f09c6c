//! Interim.
#![allow(missing_docs)]
#[derive(Debug, thiserror::Error)]
#[error("interim")]
pub struct AdminError;
pub struct A;
pub fn spawn(_: crate::config::AdminConfig, _: crate::config::Settings, _: tokio::sync::watch::Receiver<bool>, _: crate::metrics::Metrics, _: crate::log::Handle, _: tokio::sync::mpsc::Sender<()>) -> Result<A, AdminError> { Ok(A) }
