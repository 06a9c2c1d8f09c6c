//! Ring 3: a real Kubernetes. One cluster serves all scenarios, each in namespaces of its own.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use std::process::ExitCode;

use mesh_integration::kubernetes;

mod api_server;
mod check;
mod churn;
mod control_plane;
mod diagnostics;
mod getting_started;
mod identity;
mod load;
mod meshed;
mod node;
mod pods;
mod rotation;
mod services;
mod tokens;
mod uninstall;
mod upgrade;

fn main() -> ExitCode {
    let scenarios = [
        node::scenarios(),
        services::scenarios(),
        pods::scenarios(),
        tokens::scenarios(),
        control_plane::scenarios(),
        meshed::scenarios(),
        identity::scenarios(),
        diagnostics::scenarios(),
        churn::scenarios(),
        // Those that run alone, in this order.
        rotation::scenarios(),
        api_server::scenarios(),
        check::scenarios(),
        upgrade::scenarios(),
        // After this there is no mesh.
        uninstall::scenarios(),
        check::scenarios_without_mesh(),
        getting_started::scenarios(),
    ];
    kubernetes::main(scenarios.into_iter().flatten().collect())
}
