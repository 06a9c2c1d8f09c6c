//! Hands rustls the newest certificate at each handshake.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Current;

pub(super) struct Resolver(Arc<ArcSwapOption<Current>>);

impl Resolver {
    pub(super) fn new(current: Arc<ArcSwapOption<Current>>) -> Self {
        Self(current)
    }

    /// The certificate, if the peer can verify its signature. A peer that can't
    /// is told so by the handshake ("no signature schemes in common").
    fn newest(&self, offered: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let current = self.0.load_full()?;
        current.key.key.choose_scheme(offered)?;
        Some(Arc::clone(&current.key))
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.newest(hello.signature_schemes())
    }
}

impl ResolvesClientCert for Resolver {
    fn resolve(&self, _roots: &[&[u8]], offered: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.newest(offered)
    }

    fn has_certs(&self) -> bool {
        self.0.load().is_some()
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}
