//! Keys for those who have no identity service: ECDSA P-256 as ours are, made for each run.

use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A folder with `ca.pem`, and for `client` and `server` `NAME.crt`, `NAME.key` and both in `NAME.pem`.
#[derive(Debug)]
pub struct Certificates {
    dir: PathBuf,
}

impl Certificates {
    /// Makes the folder and all in it, readable by the proxies' user.
    ///
    /// # Errors
    /// When they can't be made or written.
    pub fn create(dir: &Path) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(dir)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Another than rcgen's default, or OpenSSL takes what it signs for self-signed.
        params
            .distinguished_name
            .push(DnType::CommonName, "bench's authority");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::write(dir.join("ca.pem"), ca.pem())?;
        for name in ["client", "server"] {
            let key = KeyPair::generate()?;
            let certificate =
                CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &ca)?;
            let (certificate, key) = (certificate.pem(), key.serialize_pem());
            fs::write(dir.join(format!("{name}.crt")), &certificate)?;
            fs::write(dir.join(format!("{name}.key")), &key)?;
            fs::write(dir.join(format!("{name}.pem")), certificate + &key)?;
        }
        for entry in fs::read_dir(dir)? {
            fs::set_permissions(entry?.path(), Permissions::from_mode(0o644))?;
        }
        let dir = dir.to_owned();
        Ok(Self { dir })
    }

    /// Where they are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}
