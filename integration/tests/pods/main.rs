//! Ring 2: real programs in pods, through the shipped binaries, with interception on.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mesh_integration::pods;

mod http;
mod way;

fn main() -> ExitCode {
    let tests = [http::tests()];
    pods::main(tests.into_iter().flatten().collect())
}
