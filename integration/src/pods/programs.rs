//! Real programs, ready to be run in a pod.

use super::process::Program;

/// nginx: says hello on 8080, in HTTP/1; the same in HTTP/2 without TLS on 8081.
#[must_use]
pub fn nginx() -> Program {
    Program::new(
        "nginx",
        "exec nginx -p $PWD -c nginx.conf -e stderr -g 'daemon off;'",
    )
    .file("nginx.conf", include_str!("programs/nginx.conf"))
    .port(8080)
    .port(8081)
}
