//! Peers, certificates and bytes that are not taken.

use super::*;

#[tokio::test]
async fn a_certificate_of_another_root_is_refused_by_both_sides() {
    let (ours, theirs) = (TestMesh::new(), TestMesh::new());
    let (web, stranger) = (ours.workload("web"), theirs.workload("web"));

    let (client, _) = handshake(
        web.client_config(&id("web"), vec![]),
        stranger.server_config(vec![]),
    )
    .await;
    let error = client.unwrap_err();
    assert!(
        error.contains("web.shop") && error.contains("not signed by any of our 1"),
        "{error}"
    );

    // A stranger that trusts us is known by its certificate all the same.
    stranger.0.trust.replace_pem(&ours.made.root.pem()).unwrap();
    let (_, server) = handshake(
        stranger.client_config(&id("web"), vec![]),
        web.server_config(vec![]),
    )
    .await;
    let error = server.unwrap_err();
    assert!(
        error.contains("not signed by any of our 1 trust anchors"),
        "{error}"
    );
}

#[tokio::test]
async fn an_expired_certificate_is_refused_by_both_sides() {
    let mesh = TestMesh::new();
    let fresh = mesh.workload("web");
    let stale = mesh.workload_at("web", SystemTime::now() - 3 * DAY);

    let (client, _) = handshake(
        fresh.client_config(&id("web"), vec![]),
        stale.server_config(vec![]),
    )
    .await;
    let error = client.unwrap_err();
    assert!(
        error.contains("web.shop") && error.contains("expired 17"),
        "{error}"
    );

    let (_, server) = handshake(
        stale.client_config(&id("web"), vec![]),
        fresh.server_config(vec![]),
    )
    .await;
    assert!(server.unwrap_err().contains("expired"));
}

#[tokio::test]
async fn a_certificate_of_another_identity_is_refused() {
    let mesh = TestMesh::new();
    let (db, shopper) = (mesh.workload("db"), mesh.workload("shopper"));
    let (client, _) = handshake(
        shopper.client_config(&id("web"), vec![]),
        db.server_config(vec![]),
    )
    .await;
    let error = client.unwrap_err();
    assert!(
        error.contains("expected the server web.shop") && error.contains("is of db.shop"),
        "{error}"
    );
}

#[tokio::test]
async fn noise_and_half_a_hello_are_refused() {
    let web = TestMesh::new().workload("web");
    let half_hello = [0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &half_hello, &[0; 64]] {
        let (mut near, far) = duplex(1024);
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let accepted = TlsAcceptor::from(web.server_config(vec![]))
            .accept(far)
            .await;
        assert!(accepted.is_err());
    }
}

#[tokio::test]
async fn other_alpn_and_older_tls_are_refused() {
    let mesh = TestMesh::new();
    let (web, shopper) = (mesh.workload("web"), mesh.workload("shopper"));
    let h2 = shopper.client_config(&id("web"), vec![b"h2".to_vec()]);
    let error = handshake(h2, web.server_config(vec![b"other".to_vec()]))
        .await
        .1
        .unwrap_err();
    assert!(error.contains("any known protocol"), "{error}");

    // A ClientHello of TLS 1.2: no supported_versions extension.
    let hello = hello_of_tls12();
    let (mut near, far) = duplex(1024);
    near.write_all(&hello).await.unwrap();
    let error = TlsAcceptor::from(web.server_config(vec![]))
        .accept(far)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("Tls13") || error.to_string().contains("SupportedVersions"),
        "{error}"
    );
}

fn hello_of_tls12() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    // No session, one suite (ECDHE-ECDSA-AES128-GCM), no compression; signature_algorithms: ECDSA P-256.
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let mut hello = vec![
        0x16,
        3,
        1,
        0,
        body.len() as u8 + 4,
        1,
        0,
        0,
        body.len() as u8,
    ];
    hello.extend(body);
    hello
}

#[test]
fn what_does_not_fit_is_not_installed() {
    let (mesh, other) = (TestMesh::new(), TestMesh::new());
    let web = Credentials::new(name("web"), mesh.trust.clone());
    let (now, validity) = (SystemTime::now(), Validity::default());
    let provision = |issuer: &crate::issuer::Issuer, now| {
        issuer
            .provision(&web, validity, now)
            .unwrap_err()
            .to_string()
    };
    let error = provision(&other.issuer, now);
    assert!(
        error.contains("not signed by any of our 1 trust anchors"),
        "{error}"
    );

    let donor = mesh.workload("web");
    let chain = |c: &Credentials| c.0.current.load().as_ref().unwrap().key.cert.clone();
    let key = || PrivatePkcs8KeyDer::from(rcgen::KeyPair::generate().unwrap().serialize_der());
    let install = |chain, now| web.install(chain, key(), now).unwrap_err().to_string();
    assert!(install(vec![], now).contains("no certificate"));
    assert!(install(chain(&donor), now).contains("does not belong to our private key"));
    assert!(install(chain(&mesh.workload("db")), now).contains("is of db.shop"));
    assert!(install(chain(&donor), now + 5 * DAY).contains("expired"));
    assert!(install(chain(&donor), now - 5 * DAY).contains("valid only"));
    assert!(install(vec![vec![0x30, 0].into()], now).contains("unnamed peer"));
    assert!(!*web.ready().borrow());
}
