//! gRPC by Google's C implementation, through its Python package.

use mesh_integration::pods::{Trial, programs};

use crate::way::{Two, Way, each_way};

const CLIENT: &str = include_str!("grpc_client.py");

pub(crate) fn tests() -> Vec<Trial> {
    let kinds = [
        ("unary", "hello world\n"),
        ("error", "FAILED_PRECONDITION as asked asked\n"),
        ("client_stream", "3000000\n"),
        ("server_stream", "10000\n"),
        ("both", "20 there and back, OK\n"),
    ];
    let tests = kinds.into_iter().flat_map(|(kind, expected)| {
        each_way(&format!("grpc_{kind}"), move |way| {
            call(way, kind, expected)
        })
    });
    tests.collect()
}

fn call(way: Way, kind: &str, expected: &str) {
    let two = Two::start(way, programs::grpc(), &[(50051, 50051)]);
    let said = two
        .client
        .run(["python3", "-c", CLIENT, "web:50051", kind])
        .ok();
    assert_eq!(said, expected);
}
