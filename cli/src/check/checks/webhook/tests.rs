use crate::check::tests::world::{CA, World, in_mesh, served_by};
use crate::check::tests::{Break, assert_broken, assert_fine};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::CertificateDer;

pub(in crate::check) const BREAKS: &[Break] = &[
    ("webhook-target", "it has no webhook", |world| {
        world.edit("MutatingWebhookConfiguration", "mesh-injector", |webhook| {
            webhook["webhooks"] = json!([])
        });
    }),
    ("webhook-target", "another Service or path", |world| {
        edit(world, |webhook| {
            webhook["clientConfig"]["service"]["path"] = json!("/")
        });
    }),
    (
        "webhook-target",
        "not asked about the creation of pods",
        |world| {
            edit(world, |webhook| {
                webhook["rules"][0]["operations"] = json!(["DELETE"])
            });
        },
    ),
    ("webhook-ca-bundle", "there is no caBundle", |world| {
        edit(world, |webhook| {
            webhook["clientConfig"]["caBundle"] = Value::Null
        });
    }),
    (
        "webhook-ca-bundle",
        "it holds no PEM certificate",
        |world| {
            edit(world, |webhook| {
                webhook["clientConfig"]["caBundle"] = bytes("nonsense")
            });
        },
    ),
    (
        "webhook-certificate",
        "pod mesh/mesh-injector-1: the API server refuses its certificate",
        |world| {
            edit(world, |webhook| {
                webhook["clientConfig"]["caBundle"] = bytes(&CA.root.pem())
            });
        },
    ),
    (
        "webhook-certificate",
        "for mesh-injector.mesh.svc",
        |world| {
            edit(world, |webhook| {
                webhook["clientConfig"]["caBundle"] = bytes(&CA.root.pem())
            });
            serves(world, Ok(served_by(&CA, "other.mesh.svc", 30)));
        },
    ),
    ("webhook-certificate", "connection refused", |world| {
        serves(world, Err("port 8443: connection refused".to_owned()));
    }),
    ("webhook-certificate-expiry", "expires on", |world| {
        serves(world, Ok(served_by(&CA, "mesh-injector.mesh.svc", 3)));
    }),
    (
        "webhook-failure-policy",
        "it is Fail with 1 ready injectors",
        |world| {
            edit(world, |webhook| webhook["failurePolicy"] = json!("Fail"));
            world.values("injector: {failurePolicy: Fail}");
        },
    ),
    ("webhook-failure-policy", "installed with Fail", |world| {
        world.values("injector: {failurePolicy: Fail}");
    }),
];

fn edit(world: &mut World, change: impl FnOnce(&mut Value)) {
    world.edit(
        "MutatingWebhookConfiguration",
        "mesh-injector",
        |configuration| {
            change(&mut configuration["webhooks"][0]);
        },
    );
}

fn bytes(text: &str) -> Value {
    json!(k8s_openapi::ByteString(text.as_bytes().to_vec()))
}

type Served = Result<Vec<CertificateDer<'static>>, String>;

fn serves(world: &mut World, served: Served) {
    world
        .probes
        .webhook
        .insert(in_mesh("mesh-injector-1"), served);
}

#[test]
fn what_keeps_the_api_server_from_the_injector_is_named() {
    assert_broken(BREAKS);
}

#[test]
fn two_injectors_may_fail_closed_and_old_roots_may_stay() {
    assert_fine(&[
        ("webhook-failure-policy", |world| {
            world.values("injector: {failurePolicy: Fail}");
            edit(world, |webhook| webhook["failurePolicy"] = json!("Fail"));
            world.replicas("injector", &["node-1", "node-2"]);
        }),
        ("webhook-certificate", |world| {
            serves(world, Ok(served_by(&CA, "mesh-injector.mesh.svc", 30)));
            edit(world, |webhook| {
                webhook["clientConfig"]["caBundle"] = bytes(&CA.root.pem())
            });
        }),
    ]);
}
