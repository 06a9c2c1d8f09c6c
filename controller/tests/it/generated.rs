//! The generated balancing code is what `api/balancing.proto` makes.
//!
//! Generated code is checked in, so that building needs no protocol compiler
//! and a change of it is seen in review. `UPDATE=1 cargo test -p
//! mesh-controller --test generated` writes it anew.

use std::{fs, path::Path};

const FILE: &str = "mesh.balancing.v1.rs";

fn generate(client: bool, server: bool) -> String {
    let api = Path::new(env!("CARGO_MANIFEST_DIR")).join("api");
    let descriptors = protox::compile(["balancing.proto"], [&api]).expect("the proto compiles");
    let out = tempfile::tempdir().expect("a directory for the output");
    tonic_prost_build::configure()
        .build_client(client)
        .build_server(server)
        .build_transport(false)
        .out_dir(out.path())
        .compile_fds(descriptors)
        .expect("code is generated");
    fs::read_to_string(out.path().join(FILE)).expect("the output is written")
}

fn check(target: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(target)
        .join(FILE);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, generated).expect("the generated file is written");
    }
    let present = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        present == generated,
        "{} differs from what api/balancing.proto makes; run this test with UPDATE=1",
        path.display()
    );
}

#[test]
fn the_proxy_has_the_client() {
    check("../proxy/src/generated", &generate(true, false));
}

#[test]
fn the_controller_has_both_sides() {
    check("src/generated", &generate(true, true));
}
