//! Ring 3: a real Kubernetes.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mesh_integration::kubernetes;

fn main() -> ExitCode {
    kubernetes::main(Vec::new())
}
