//! Ring 2: real programs in pods, through the shipped binaries, with interception on.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mesh_integration::pods;

mod clients;
mod databases;
mod faults;
mod framing;
mod grpc;
mod h2spec;
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
        clients::tests(),
        framing::tests(),
        h2spec::tests(),
    ];
    pods::main(tests.into_iter().flatten().collect())
}
