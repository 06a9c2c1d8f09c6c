//! Requests as bytes, through each proxy alone and both, to different parsers.

use crate::{
    backend::{self, Log},
    paths::Paths,
};
use mesh_integration::{Application, framing, framing::Case, wait::DEADLINE};
use std::net::{SocketAddr, TcpStream};

async fn exchange(addr: SocketAddr, case: &Case) -> String {
    let case = case.clone();
    let exchange = move || {
        let io = TcpStream::connect(addr).unwrap();
        io.set_read_timeout(Some(DEADLINE)).unwrap();
        case.send(io)
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

async fn each_by_each_path(cases: Vec<Case>, app: Application, log: Log) {
    let paths = Paths::start(app).await;
    for case in cases {
        for (path, addr) in paths.all() {
            let came = exchange(addr, &case).await;
            case.check(&came)
                .unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
            assert_eq!(log.take(), case.saw, "{path}: {}", case.name);
        }
    }
}

#[tokio::test]
async fn hyper_sees_nothing_that_is_refused() {
    let log = Log::default();
    each_by_each_path(framing::refused(), backend::hyper(&log), log).await;
}

#[tokio::test]
async fn a_lenient_parser_sees_nothing_that_is_refused() {
    let log = Log::default();
    each_by_each_path(framing::refused(), backend::lenient(&log), log).await;
}

#[tokio::test]
async fn hyper_sees_what_was_meant() {
    let log = Log::default();
    each_by_each_path(framing::carried(), backend::hyper(&log), log).await;
}

#[tokio::test]
async fn a_lenient_parser_sees_what_was_meant() {
    let log = Log::default();
    each_by_each_path(framing::carried(), backend::lenient(&log), log).await;
}
