//! Workloads that talk while root and issuer are replaced.

use super::*;

#[tokio::test]
async fn two_workloads_get_certificates_and_talk_while_the_issuer_rotates() {
    let running = start(|_| ()).await;
    let ((web, _w), (shopper, _s)) = (
        running.workload("web").await,
        running.workload("shopper").await,
    );
    let names =
        |from: &Credentials, to: &Credentials| (to.name().to_string(), from.name().to_string());
    assert_eq!(
        handshake(&shopper, &web).await.unwrap(),
        names(&shopper, &web)
    );
    assert_eq!(
        handshake(&web, &shopper).await.unwrap(),
        names(&web, &shopper)
    );

    let failures = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let mut load = JoinSet::new();
    let (from, to, failed) = (shopper.clone(), web.clone(), Arc::clone(&failures));
    load.spawn(async move {
        loop {
            if let Err(error) = handshake(&from, &to).await {
                failed.lock().push(error);
            }
            tokio::task::yield_now().await;
        }
    });

    // A new root beside the old, then its issuer, then the old root goes.
    let new = ca::generate(&ca::Options::default(), SystemTime::now()).unwrap();
    let path = |name: &str| running.dir.path().join(name);
    let trusted = async |roots: usize| [&web, &shopper].iter().all(|c| c.trust().len() == roots);
    let old_root = fs::read_to_string(path(ca::TRUST_ANCHORS)).unwrap();
    replace(&path(ca::TRUST_ANCHORS), &(old_root + &new.root.pem()));
    until("both roots are trusted", || trusted(2)).await;
    replace(&path(ca::ISSUER_CERTIFICATE), &new.issuer.pem());
    replace(&path(ca::ISSUER_KEY), &new.issuer.key().serialize_pem());
    let only_new = TrustBundle::from_pem(&new.root.pem()).unwrap();
    let judge = Credentials::new(shopper.name().clone(), only_new);
    for workload in [&web, &shopper] {
        until("a certificate of the new root", async || {
            accepts(&judge, workload).await
        })
        .await;
    }
    replace(&path(ca::TRUST_ANCHORS), &new.root.pem());
    until("the new root alone is trusted", || trusted(1)).await;
    assert_eq!(
        handshake(&web, &shopper).await.unwrap(),
        names(&web, &shopper)
    );
    load.shutdown().await;
    assert_eq!(*failures.lock(), [""; 0], "no handshake failed on the way");
}

/// Who each side takes the other for.
async fn handshake(client: &Credentials, server: &Credentials) -> Result<(String, String), String> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let to = client.client_config(&ServerId::from(server.name()), vec![]);
    let (near, far) = tokio::join!(
        TlsConnector::from(to).connect(server.name().server_name(), near),
        TlsAcceptor::from(server.server_config(vec![])).accept(far),
    );
    let (near, far) = (
        near.map_err(|e| e.to_string())?,
        far.map_err(|e| e.to_string())?,
    );
    let of = |certificates: Option<&[_]>| peer_identity(certificates.unwrap()).unwrap();
    Ok((
        of(near.get_ref().1.peer_certificates()),
        of(far.get_ref().1.peer_certificates()),
    ))
}

/// Would a client with this bundle take the server for who it is?
async fn accepts(client: &Credentials, server: &Credentials) -> bool {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let to = client.anonymous_client_config(&ServerId::from(server.name()), vec![]);
    let (near, _far) = tokio::join!(
        TlsConnector::from(to).connect(server.name().server_name(), near),
        TlsAcceptor::from(server.server_config(vec![])).accept(far),
    );
    near.is_ok()
}

/// As a mounted volume changes: never a half-written file.
fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}
