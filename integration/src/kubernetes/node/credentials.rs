//! Who is who in the cluster: a CA, the API server's certificate, tokens, and the key of service accounts.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::super::isolation::NODE_IP;
use super::NAME;

/// Where the API server listens.
const PORT: u16 = 6443;
/// The API server's own service: the first of the range.
const SERVICE_IP: &str = "10.96.0.1";

/// Files in one folder, and what is in them.
#[derive(Debug)]
pub(in super::super) struct Credentials {
    dir: PathBuf,
    ca: String,
    admin: String,
}

impl Credentials {
    /// Makes everything anew.
    pub(super) fn create(dir: &Path) -> Result<Self, String> {
        let ca_key = generate()?;
        let mut params = params("mesh test cluster")?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = params.self_signed(&ca_key).map_err(failed)?.pem();
        let issuer = Issuer::new(params, ca_key);
        let made = Self {
            dir: dir.join("credentials"),
            ca,
            admin: token(),
        };
        std::fs::create_dir_all(&made.dir).map_err(failed)?;
        made.write("ca.crt", &made.ca)?;
        made.write_server(&issuer)?;
        let accounts = generate()?;
        made.write("accounts.key", &accounts.serialize_pem())?;
        made.write("accounts.pub", &accounts.public_key_pem())?;
        made.write_tokens()?;
        Ok(made)
    }

    /// rustls takes no CA certificate for a server's, hence two.
    fn write_server(&self, issuer: &Issuer<'_, KeyPair>) -> Result<(), String> {
        let key = generate()?;
        let mut params = params("kube-apiserver")?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for ip in ["127.0.0.1", SERVICE_IP, NODE_IP] {
            let ip = ip.parse().expect("it is a constant");
            params.subject_alt_names.push(SanType::IpAddress(ip));
        }
        for name in ["localhost", "kubernetes.default.svc"] {
            let name = name.try_into().expect("it is a constant");
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        let server = params.signed_by(&key, issuer).map_err(failed)?;
        self.write("server.key", &key.serialize_pem())?;
        self.write("server.crt", &server.pem())
    }

    fn write_tokens(&self) -> Result<(), String> {
        let node = token();
        let users = format!(
            "{},admin,admin,\"system:masters\"\n{node},system:node:{NAME},node,\"system:nodes\"\n",
            self.admin
        );
        self.write("tokens.csv", &users)?;
        self.write("admin.conf", &self.kubeconfig_for(&self.admin, PORT))?;
        self.write("node.conf", &self.kubeconfig_for(&node, PORT))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        std::fs::write(self.dir.join(name), text).map_err(failed)
    }

    /// Path of one of the files.
    pub(super) fn file(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// The administrator's kubeconfig.
    pub(in super::super) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("admin.conf")
    }

    /// The text of the administrator's kubeconfig, where the API server is at another port of this machine.
    pub(in super::super) fn kubeconfig_at(&self, port: u16) -> String {
        self.kubeconfig_for(&self.admin, port)
    }

    fn kubeconfig_for(&self, token: &str, port: u16) -> String {
        let ca = STANDARD.encode(&self.ca);
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: mesh\n\
             contexts: [{{name: mesh, context: {{cluster: mesh, user: mesh}}}}]\n\
             users: [{{name: mesh, user: {{token: {token}}}}}]\n\
             clusters:\n- name: mesh\n  cluster:\n    server: https://127.0.0.1:{port}\n    certificate-authority-data: {ca}\n"
        )
    }
}

fn params(name: &str) -> Result<CertificateParams, String> {
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    Ok(params)
}

fn generate() -> Result<KeyPair, String> {
    KeyPair::generate().map_err(failed)
}

/// Letters that nobody guesses.
fn token() -> String {
    let number: u128 = rand::random();
    format!("{number:032x}")
}

fn failed(error: impl std::fmt::Display) -> String {
    format!("the cluster's credentials can't be made ({error})")
}
