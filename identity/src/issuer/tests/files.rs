//! The issuer's files as they are found, changed and broken.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::ca;
use crate::issuer::{IssuerFiles, IssuerHandle, watch};
use crate::testing::{TestMesh, ca_options};
use crate::trust::TrustBundle;

use super::*;

const TICK: Duration = Duration::from_secs(1);

fn files(dir: &Path) -> IssuerFiles {
    IssuerFiles {
        certificate: dir.join(ca::ISSUER_CERTIFICATE),
        key: dir.join(ca::ISSUER_KEY),
    }
}

fn start(dir: &Path) -> Result<IssuerHandle, String> {
    let trust = fs::read_to_string(dir.join(ca::TRUST_ANCHORS)).unwrap();
    let trust = TrustBundle::from_pem(&trust).unwrap();
    watch(files(dir), trust, TICK).map_err(|e| e.to_string())
}

fn made() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    ca::create_root_and_issuer(dir.path(), &ca_options()).unwrap();
    dir
}

#[tokio::test]
async fn missing_empty_and_unreadable_files_are_named() {
    for file in [ca::ISSUER_CERTIFICATE, ca::ISSUER_KEY] {
        let dir = made();
        let path = dir.path().join(file);
        let good = fs::read(&path).unwrap();
        let refused = || start(dir.path()).unwrap_err();

        fs::remove_file(&path).unwrap();
        let error = refused();
        assert!(
            error.contains(file) && error.contains("No such file"),
            "{error}"
        );

        fs::write(&path, "").unwrap();
        let error = refused();
        assert!(
            error.contains(file) && error.contains("is empty"),
            "{error}"
        );

        fs::write(&path, "garbage").unwrap();
        let error = refused();
        assert!(error.contains(file) && error.contains("PEM"), "{error}");

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let error = refused();
        assert!(
            error.contains(file) && error.contains("Is a directory"),
            "{error}"
        );
        fs::remove_dir(&path).unwrap();

        fs::write(&path, good).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // Root reads everything, so there the file can only be found good.
        match fs::File::open(&path) {
            Ok(_) => assert!(start(dir.path()).is_ok()),
            Err(_) => assert!(refused().contains("Permission denied")),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_issuer_is_taken_and_a_bad_one_is_not() {
    let dir = made();
    let handle = start(dir.path()).unwrap();
    let first = handle.current();
    let wait = || tokio::time::sleep(3 * TICK);

    // Another mesh's issuer does not lead to our anchors.
    let other = TestMesh::new().made;
    fs::write(files(dir.path()).certificate, other.issuer.pem()).unwrap();
    wait().await;
    assert!(std::sync::Arc::ptr_eq(&first, &handle.current()));
    fs::write(files(dir.path()).key, other.issuer.key().serialize_pem()).unwrap();
    wait().await;
    assert!(std::sync::Arc::ptr_eq(&first, &handle.current()));
    fs::remove_file(files(dir.path()).key).unwrap();
    wait().await;
    assert!(std::sync::Arc::ptr_eq(&first, &handle.current()));
}

#[tokio::test(start_paused = true)]
async fn a_new_root_brings_a_waiting_issuer_into_use() {
    let dir = made();
    let old_root = fs::read_to_string(dir.path().join(ca::TRUST_ANCHORS)).unwrap();
    let trust = TrustBundle::from_pem(&old_root).unwrap();
    let handle = watch(files(dir.path()), trust.clone(), TICK).unwrap();
    let first = handle.current();

    // The issuer's files arrive before the bundle that has its root.
    let next = TestMesh::new().made;
    fs::write(files(dir.path()).certificate, next.issuer.pem()).unwrap();
    fs::write(files(dir.path()).key, next.issuer.key().serialize_pem()).unwrap();
    tokio::time::sleep(3 * TICK).await;
    assert!(std::sync::Arc::ptr_eq(&first, &handle.current()));

    trust.replace_pem(&(old_root + &next.root.pem())).unwrap();
    tokio::time::sleep(3 * TICK).await;
    let issued = handle
        .current()
        .issue(
            &name("web"),
            &web_key(),
            Validity::default(),
            SystemTime::now(),
        )
        .unwrap();
    assert_eq!(issued.intermediates, [next.issuer.der().clone()]);
}

/// A mounted Secret of cert-manager: its keys are links into a folder that is
/// swapped as a whole. The key is in SEC1, cert-manager's default encoding.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(issuer: &ca::RootAndIssuer) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(Path::new("..data").join(name), dir.path().join(name)).unwrap();
        }
        let mounted = Self(dir);
        mounted.swap("..1", issuer);
        mounted
    }

    fn swap(&self, version: &str, made: &ca::RootAndIssuer) {
        let dir = self.0.path();
        fs::create_dir(dir.join(version)).unwrap();
        for (name, text) in [
            ("tls.crt", made.issuer.pem()),
            ("tls.key", sec1(&made.issuer.key().serialize_pem())),
            ("ca.crt", made.root.pem()),
        ] {
            fs::write(dir.join(version).join(name), text).unwrap();
        }
        symlink(version, dir.join("..tmp")).unwrap();
        fs::rename(dir.join("..tmp"), dir.join("..data")).unwrap();
    }
}

/// `BEGIN EC PRIVATE KEY`: what is inside of PKCS#8 (RFC 5915).
fn sec1(pkcs8: &str) -> String {
    use x509_parser::der_parser::der::parse_der;
    let (_, pem) = x509_parser::pem::parse_x509_pem(pkcs8.as_bytes()).unwrap();
    let (_, outer) = parse_der(&pem.contents).unwrap();
    let inner = outer.as_sequence().unwrap()[2].as_slice().unwrap().to_vec();
    crate::file::pem("EC PRIVATE KEY", &inner)
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_cert_manager_is_followed() {
    let first = TestMesh::new().made;
    let mounted = Mounted::new(&first);
    let dir = mounted.0.path();
    let trust = TrustBundle::watch_file(dir.join("ca.crt"), TICK).unwrap();
    let handle = watch(IssuerFiles::in_directory(dir), trust, TICK).unwrap();

    // Issuer and root change in one step.
    let second = TestMesh::new().made;
    mounted.swap("..2", &second);
    tokio::time::sleep(5 * TICK).await;
    let issued = handle
        .current()
        .issue(
            &name("web"),
            &web_key(),
            Validity::default(),
            SystemTime::now(),
        )
        .unwrap();
    assert_eq!(issued.intermediates, [second.issuer.der().clone()]);
}

#[test]
fn our_own_layout_comes_first() {
    let dir = made();
    fs::write(dir.path().join("tls.crt"), "else").unwrap();
    let own = IssuerFiles::in_directory(dir.path());
    assert_eq!(own.certificate, files(dir.path()).certificate);
}
