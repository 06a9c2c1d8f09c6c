//! `mesh-proxy await`, the command itself.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    process::{Command, Output},
    thread,
};

fn wait(admin: SocketAddr, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mesh-proxy"))
        .arg("await")
        .args(args)
        .env_clear()
        .env("MESH_PROXY_ADMIN_LISTEN_ADDR", admin.to_string())
        .output()
        .unwrap()
}

/// An admin server that gives these answers, one for each request.
fn admin(answers: &[&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let answers = answers.to_vec();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            assert!(head.starts_with(b"GET /ready HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    addr
}

#[test]
fn ends_well_when_the_proxy_is_ready() {
    let no = "HTTP/1.1 503 Service Unavailable\r\n\r\nnot ready";
    let addr = admin(&[no, no, "HTTP/1.1 200 OK\r\n\r\nready"]);
    let output = wait(addr, &["--timeout", "1m"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn gives_up_in_time_and_says_what_was_missing() {
    let no = "HTTP/1.1 503 Service Unavailable\r\n\r\nnot ready: waiting for a miracle";
    let addr = admin(&[no; 100]);
    let output = wait(addr, &["--timeout=250ms"]);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("not ready after 250ms"), "{said}");
    assert!(said.contains("waiting for a miracle"), "{said}");
}

#[test]
fn says_so_when_there_is_no_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let output = wait(addr, &["--timeout=150ms"]);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("refused"), "{said}");
}

#[test]
fn a_wrong_argument_is_a_usage_error() {
    let output = wait("127.0.0.1:1".parse().unwrap(), &["--timeout", "soon"]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
}
