//! Certificates that a mesh can't use, as files: `NAME.crt`, `NAME.key`, and `NAME-root.crt`.

use std::path::Path;
use std::time::{Duration, SystemTime};

use mesh_identity::ca::{self, Options};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Another CA, one that has expired, one that soon will, and a key of another kind.
pub(crate) fn write(dir: &Path) {
    let now = SystemTime::now();
    for (name, days, made) in [
        ("other", 365, now),
        ("expired", 9, now - 10 * DAY),
        ("expiring", 30, now),
    ] {
        let options = Options {
            root_lifetime: days * DAY,
            issuer_lifetime: days * DAY,
            ..Options::default()
        };
        let ca = ca::generate(&options, made).unwrap();
        file(dir, &format!("{name}-root.crt"), &ca.root.pem());
        file(dir, &format!("{name}.crt"), &ca.issuer.pem());
        file(
            dir,
            &format!("{name}.key"),
            &ca.issuer.key().serialize_pem(),
        );
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap().pem();
    file(dir, "p384.crt", &root);
    file(dir, "p384-root.crt", &root);
    file(dir, "p384.key", &key.serialize_pem());
}

fn file(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}
