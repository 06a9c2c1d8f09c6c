//! The one set of cryptography that the mesh speaks.
//!
//! It is Linkerd's, so that peers of both kinds find common ground: TLS 1.3,
//! three AEAD suites, the hybrid post-quantum key exchange first, and ECDSA
//! P-256 with SHA-256 as the only signature, in handshakes and in certificates
//! alike. A short list is also what keeps a downgrade from being possible.

use std::sync::{Arc, OnceLock};

use rustls::SignatureScheme;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls_pki_types::SignatureVerificationAlgorithm;

/// Signature algorithms accepted in a chain of certificates.
pub(crate) static CHAIN_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] =
    &[webpki::aws_lc_rs::ECDSA_P256_SHA256];

/// The same for handshakes, by their TLS name.
pub(crate) static SIGNATURE_ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: CHAIN_ALGORITHMS,
    mapping: &[(SignatureScheme::ECDSA_NISTP256_SHA256, CHAIN_ALGORITHMS)],
};

/// The provider behind every TLS configuration of the mesh (aws-lc-rs, narrowed
/// to the algorithms above; features.md 2.5).
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(narrowed())))
}

fn narrowed() -> CryptoProvider {
    use aws_lc_rs::{cipher_suite, kx_group};
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        signature_verification_algorithms: SIGNATURE_ALGORITHMS,
        ..aws_lc_rs::default_provider()
    }
}
