//! What a proxy presents, and what another proxy would say to it.
//!
//! The verdict comes from the verifier that proxies use.

use std::io;

use mesh_identity::{Credentials, IdentityName, ServerId, TrustBundle};
use rustls::Error;
use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::presented::presented;

/// What was presented.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) leaf: Option<CertificateDer<'static>>,
    /// Why a proxy would refuse it.
    pub(super) verdict: Result<(), String>,
}

/// Shakes hands with a server that has to be `name`.
///
/// # Errors
/// When the connection breaks, or there is no TLS at its other end.
pub(super) async fn see(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    name: &IdentityName,
    trust: TrustBundle,
) -> io::Result<Seen> {
    let mut certificates = presented(stream, name.server_name()).await?.into_iter();
    let leaf = certificates.next();
    let judge = Credentials::new(name.clone(), trust).verifier(&ServerId::from(name));
    let verdict = match &leaf {
        None => Err(Error::NoCertificatesPresented),
        Some(leaf) => {
            let (above, name) = (certificates.as_slice(), name.server_name());
            judge.verify_server_cert(leaf, above, &name, &[], UnixTime::now())
        }
    };
    Ok(Seen {
        leaf,
        verdict: verdict.map(drop).map_err(|error| reason(&error)),
    })
}

/// The cause alone: that a certificate is invalid is said by its being one.
fn reason(error: &Error) -> String {
    let text = error.to_string();
    let cause = text.strip_prefix("invalid peer certificate: ");
    cause.unwrap_or(&text).to_owned()
}
