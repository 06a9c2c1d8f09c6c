use std::time::Duration;

use super::*;
use crate::testing::TestMesh;

const TICK: Duration = Duration::from_secs(1);

#[test]
fn what_is_no_bundle_says_so() {
    let root = TestMesh::new().made.root.pem();
    let key = TestMesh::new().made.root.key().serialize_pem();
    let damaged = root.replacen("MII", "AAA", 1);
    let cut = &root[..root.len() / 2];
    for (pem, why) in [
        ("", "no certificate"),
        ("hello", "no certificate"),
        (&key, "no certificate"),
        (cut, "PEM"),
        (&damaged, "certificate 1 of the trust bundle"),
        (
            &(root.clone() + &damaged),
            "certificate 2 of the trust bundle",
        ),
    ] {
        let error = TrustBundle::from_pem(pem).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(
        TrustBundle::from_pem(&(root.clone() + &root))
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_watched_file_is_followed_and_a_bad_one_is_not() {
    let (old, new) = (
        TestMesh::new().made.root.pem(),
        TestMesh::new().made.root.pem(),
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.crt");
    assert!(
        TrustBundle::watch_file(&path, TICK)
            .unwrap_err()
            .to_string()
            .contains("ca.crt")
    );
    std::fs::write(&path, &old).unwrap();
    let bundle = TrustBundle::watch_file(&path, TICK).unwrap();
    let mut changed = bundle.changed();

    for bad in ["", "garbage"] {
        std::fs::write(&path, bad).unwrap();
        let told = tokio::time::timeout(3 * TICK, changed.changed()).await;
        assert!(
            told.is_err() && bundle.len() == 1,
            "the last good bundle stays"
        );
    }
    std::fs::remove_file(&path).unwrap();
    assert!(
        tokio::time::timeout(3 * TICK, changed.changed())
            .await
            .is_err()
    );

    std::fs::write(&path, old + &new).unwrap();
    tokio::time::timeout(3 * TICK, changed.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(bundle.len(), 2);

    drop(bundle);
    assert!(
        changed.changed().await.is_err(),
        "nobody follows for nobody"
    );
}

#[test]
fn a_bundle_is_written_as_it_was_read() {
    let [a, b] = [(); 2].map(|()| TestMesh::new().made.root.pem());
    let bundle = TrustBundle::from_pem(&format!("# two\n{a}\n{b}")).unwrap();
    let again = TrustBundle::from_pem(&bundle.to_pem()).unwrap();
    assert_eq!(again.anchors().certificates, bundle.anchors().certificates);
    assert_eq!(bundle.to_pem(), (a + &b).replace("\r\n", "\n"));
}

#[test]
fn a_fingerprint_tells_sets_apart_whatever_their_order() {
    let (a, b) = (
        TestMesh::new().made.root.pem(),
        TestMesh::new().made.root.pem(),
    );
    let fingerprint = |pem: &str| TrustBundle::from_pem(pem).unwrap().fingerprint();
    let both = fingerprint(&(a.clone() + &b));
    assert_eq!(both, fingerprint(&(b.clone() + &a)));
    assert_eq!(both.len(), 64);
    assert_ne!(fingerprint(&a), fingerprint(&b));
    assert_ne!(both, fingerprint(&a));
}
