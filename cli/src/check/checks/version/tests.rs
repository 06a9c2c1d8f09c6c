use crate::check::tests::{Break, assert_broken};
use serde_json::json;

pub(in crate::check) const BREAKS: &[Break] = &[
    (
        "version-control-plane",
        "pod mesh/mesh-identity-1: 0.0.1",
        |world| {
            world.edit("Pod", "mesh-identity-1", |pod| {
                pod["metadata"]["labels"]["app.kubernetes.io/version"] = json!("0.0.1");
            });
        },
    ),
    ("version-expected", "not 9.9.9", |world| {
        world.scope.version = "9.9.9".to_owned()
    }),
];

#[test]
fn other_versions_are_named() {
    assert_broken(BREAKS);
}
