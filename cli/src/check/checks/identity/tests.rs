use super::*;
use crate::check::tests::world::{CA, World, made};
use crate::check::tests::{Break, assert_broken};
use mesh_identity::ca::{self, RootAndIssuer};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

pub(in crate::check) const BREAKS: &[Break] = &[
    (
        "identity-anchors",
        "there is no ConfigMap mesh-trust-bundle in mesh",
        |world| {
            world.remove("ConfigMap", "mesh/mesh-trust-bundle");
        },
    ),
    ("identity-anchors", "has no certificate", |world| {
        anchors_are(world, "no PEM")
    }),
    ("identity-anchors-crypto", "is not ECDSA P-256", |world| {
        anchors_are(world, &p384())
    }),
    (
        "identity-anchors-valid",
        "CN=root.cluster.local expired on",
        |world| {
            let old = ended();
            anchors_are(world, &(old.root.pem() + &CA.root.pem()));
        },
    ),
    ("identity-anchors-expiry", "expires on", |world| {
        let old = made(&options(|options| options.root_lifetime = 30 * DAY));
        anchors_are(world, &(old.root.pem() + &CA.root.pem()));
    }),
    (
        "identity-issuer",
        "there is no Secret mesh-identity-issuer",
        |world| {
            world.remove("Secret", "mesh-identity-issuer");
        },
    ),
    ("identity-issuer", "has no tls.key", |world| {
        world.edit("Secret", "mesh-identity-issuer", |secret| {
            secret["data"].as_object_mut().unwrap().remove("tls.key");
        });
    }),
    (
        "identity-issuer",
        "does not belong to the issuer certificate",
        |world| {
            let other = made(&ca::Options::default());
            issuer_is(world, &CA.issuer.pem(), &other.issuer.key().serialize_pem());
        },
    ),
    ("identity-issuer", "has no PEM certificate in it", |world| {
        issuer_is(world, "", "")
    }),
    ("identity-issuer-crypto", "is not ECDSA P-256", |world| {
        issuer_is(world, &p384(), &CA.issuer.key().serialize_pem());
    }),
    (
        "identity-issuer-valid",
        "CN=identity.cluster.local expired on",
        |world| issued_by(world, &ended()),
    ),
    ("identity-issuer-expiry", "in 29 days", |world| {
        issued_by(
            world,
            &made(&options(|options| options.issuer_lifetime = 30 * DAY)),
        );
    }),
    (
        "identity-issuer-chain",
        "would be refused by peers",
        |world| {
            let other = made(&ca::Options::default());
            issuer_is(
                world,
                &other.issuer.pem(),
                &other.issuer.key().serialize_pem(),
            );
        },
    ),
];

fn options(change: impl FnOnce(&mut ca::Options)) -> ca::Options {
    let mut options = ca::Options::default();
    change(&mut options);
    options
}

/// A CA that ended a day ago.
fn ended() -> RootAndIssuer {
    let ten_days = options(|options| {
        options.root_lifetime = 9 * DAY;
        options.issuer_lifetime = 9 * DAY;
    });
    ca::generate(&ten_days, std::time::SystemTime::now() - 10 * DAY).unwrap()
}

/// A certificate with a key that peers don't take.
fn p384() -> String {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&key).unwrap().pem()
}

fn anchors_are(world: &mut World, pem: &str) {
    world.edit("ConfigMap", "mesh/mesh-trust-bundle", |map| {
        map["data"]["ca-bundle.crt"] = json!(pem)
    });
}

fn issuer_is(world: &mut World, certificate: &str, key: &str) {
    let bytes = |text: &str| k8s_openapi::ByteString(text.as_bytes().to_vec());
    world.edit("Secret", "mesh-identity-issuer", |secret| {
        secret["data"] = json!({"tls.crt": bytes(certificate), "tls.key": bytes(key)});
    });
}

/// Another CA, of which everything fits together.
fn issued_by(world: &mut World, ca: &RootAndIssuer) {
    anchors_are(world, &ca.root.pem());
    issuer_is(world, &ca.issuer.pem(), &ca.issuer.key().serialize_pem());
}

#[test]
fn what_peers_would_not_take_is_named() {
    assert_broken(BREAKS);
}

#[test]
fn an_expired_issuer_is_one_problem_not_four() {
    let mut world = World::well();
    issued_by(&mut world, &ended());
    let snapshot = world.snapshot();
    for (id, look) in [
        ("identity-issuer", issuer as fn(&Snapshot) -> Finding),
        ("identity-issuer-crypto", issuer_crypto),
        ("identity-issuer-expiry", issuer_expiry),
        ("identity-issuer-chain", issuer_chain),
    ] {
        assert_eq!(look(&snapshot), Ok(()), "{id}");
    }
    assert!(issuer_valid(&snapshot).is_err());
}
