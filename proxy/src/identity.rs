//! This proxy's identity.

use crate::control::ControlConfig;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Who this proxy is and who says so.
#[derive(Clone, Debug)]
pub struct IdentityConfig {
    /// This proxy's own name: `IDENTITY_LOCAL_NAME`, else `IDENTITY_SERVER_ID`.
    pub name: Arc<str>,
    /// The roots of trust.
    pub trust_anchors: TrustAnchors,
    /// `IDENTITY_TOKEN_FILE`; read again for every request.
    pub token_file: PathBuf,
    /// `IDENTITY_SVC_ADDR` and `_NAME`.
    pub service: ControlConfig,
    /// `IDENTITY_MIN_REFRESH`: a certificate is renewed at most this often.
    pub min_refresh: Duration,
    /// `IDENTITY_MAX_REFRESH`: and at least this often.
    pub max_refresh: Duration,
}

/// Where the roots of trust come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustAnchors {
    /// `IDENTITY_TRUST_ANCHORS`: PEM, fixed for the life of the process.
    Pem(String),
    /// `IDENTITY_TRUST_ANCHORS_FILE`: PEM, read again when it changes.
    File(PathBuf),
}
