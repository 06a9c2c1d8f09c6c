//! The issuer's files as they are found, changed and broken.

use std::fs;
use std::os::unix::fs::PermissionsExt;
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
