//! `mesh-proxy`: see the library.
fn main() -> std::process::ExitCode {
    mesh_proxy::main_from_env()
}
