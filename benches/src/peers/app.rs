//! What the server's pod runs beside its proxy.

use mesh_integration::pods::Program;

use crate::case::{Case, Protocol};

/// Bodies that nginx serves from files; smaller ones are in its configuration.
const FILES: [usize; 4] = [1000, 10_000, 100_000, 1_000_000];

/// All of them, for people.
pub const SIZES: &str = "0b, 100b, 1kb, 10kb, 100kb and 1mb";

/// nginx on 8080 and our own on 8081 and 8082.
pub(super) fn programs() -> [Program; 2] {
    let nginx = Program::new(
        "app",
        "exec nginx -p $PWD -c nginx.conf -e stderr -g 'daemon off;'",
    );
    let nginx = nginx.file("nginx.conf", include_str!("../../peers/app/nginx.conf"));
    let file = |program: Program, size: &usize| program.file(&size.to_string(), &"b".repeat(*size));
    let bench = Program::new("app2", "exec bench app 0.0.0.0:8081 0.0.0.0:8082");
    [
        FILES.iter().fold(nginx, file).port(8080),
        bench.port(8081).port(8082),
    ]
}

/// Whether the application has the body that a case asks for.
#[must_use]
pub fn serves(case: &Case) -> bool {
    let size = case.bytes();
    case.protocol != Protocol::Http1 || size == 0 || size == 100 || FILES.contains(&size)
}
