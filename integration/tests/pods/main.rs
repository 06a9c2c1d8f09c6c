//! Ring 2: real programs in pods, through the shipped binaries, with interception on.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mesh_integration::pods;

mod databases;
mod faults;
mod grpc;
mod http;
mod isolation;
mod places;
mod server_first;
mod way;

fn main() -> ExitCode {
    let tests = [
        http::tests(),
        grpc::tests(),
        databases::tests(),
        server_first::tests(),
        places::tests(),
        isolation::tests(),
        faults::tests(),
    ];
    pods::main(tests.into_iter().flatten().collect())
}
