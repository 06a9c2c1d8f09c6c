use super::*;
use crate::transport::io::tests::counter;
use futures::FutureExt;

const OPTIONS: ListenerOptions = ListenerOptions {
    sockets: SocketOptions {
        keepalive: Some(Duration::from_secs(10)),
        user_timeout: Some(Duration::from_secs(30)),
    },
    backlog: 16,
    reuse_port: false,
    max_connections: 10,
};

fn localhost() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[tokio::test]
async fn accepts_with_addresses_and_options() {
    let listener = Listener::bind(localhost(), OPTIONS).unwrap();
    let (client, accepted) =
        tokio::join!(TcpStream::connect(listener.local_addr()), listener.accept());
    assert_eq!(accepted.client, client.unwrap().local_addr().unwrap());
    assert_eq!(accepted.local, listener.local_addr());
    assert_eq!(accepted.orig_dst, None);
    let socket = SockRef::from(&accepted.stream);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    assert_eq!(
        socket.tcp_keepalive_time().unwrap(),
        Duration::from_secs(10)
    );
    assert_eq!(
        socket.tcp_keepalive_interval().unwrap(),
        Duration::from_secs(10)
    );
    assert_eq!(
        socket.tcp_user_timeout().unwrap(),
        Some(Duration::from_secs(30))
    );
}

#[tokio::test]
async fn an_ipv4_client_of_a_dual_stack_listener_is_shown_as_ipv4() {
    let addr = "[::]:0".parse().unwrap();
    let Ok(listener) = Listener::bind(addr, OPTIONS) else {
        return; // A host without IPv6.
    };
    let target = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().port()));
    let (client, accepted) = tokio::join!(TcpStream::connect(target), listener.accept());
    assert_eq!(accepted.client, client.unwrap().local_addr().unwrap());
    assert_eq!(accepted.local, target);
    assert_eq!(accepted.orig_dst, None);
}

#[tokio::test]
async fn at_the_limit_it_waits_for_a_connection_to_close() {
    let (full, count) = counter();
    let options = ListenerOptions {
        max_connections: 1,
        ..OPTIONS
    };
    let listener = Listener::bind(localhost(), options)
        .unwrap()
        .count_full(full);
    let (_first, accepted) =
        tokio::join!(TcpStream::connect(listener.local_addr()), listener.accept());
    // The kernel completes the second client's handshake; we don't take it.
    let _second = TcpStream::connect(listener.local_addr()).await.unwrap();
    let mut next = std::pin::pin!(listener.accept());
    assert!(next.as_mut().now_or_never().is_none());
    assert_eq!(count(), 1);
    drop(accepted);
    next.await;
}

#[tokio::test]
async fn a_dropped_accept_gives_its_place_back() {
    let options = ListenerOptions {
        max_connections: 1,
        ..OPTIONS
    };
    let listener = Listener::bind(localhost(), options).unwrap();
    assert!(listener.accept().now_or_never().is_none());
    let (_client, _accepted) =
        tokio::join!(TcpStream::connect(listener.local_addr()), listener.accept());
}

#[tokio::test]
async fn listeners_beside_the_first_share_its_port_and_strangers_do_not() {
    let options = ListenerOptions {
        reuse_port: true,
        ..OPTIONS
    };
    let first = Listener::bind(localhost(), options).unwrap();
    let second = first.place().clone().listen().unwrap();
    assert_eq!(first.local_addr(), second.local_addr());
    let error = Listener::bind(first.local_addr(), options).unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    // Each takes what the kernel gives it.
    let (mut firsts, mut seconds) = (0, 0);
    while firsts == 0 || seconds == 0 {
        let _client = TcpStream::connect(first.local_addr()).await.unwrap();
        tokio::select! {
            _ = first.accept() => firsts += 1,
            _ = second.accept() => seconds += 1,
        }
    }
}

#[tokio::test]
async fn a_taken_address_is_explained() {
    let first = Listener::bind(localhost(), OPTIONS).unwrap();
    let error = Listener::bind(first.local_addr(), OPTIONS).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("cannot listen on {}: ", first.local_addr())),
        "{text}"
    );
    assert!(text.contains("another process listens there"), "{text}");
}

#[tokio::test]
async fn an_address_of_another_host_is_explained() {
    let error = Listener::bind("192.0.2.1:4143".parse().unwrap(), OPTIONS).unwrap_err();
    assert!(error.to_string().contains("not of this host"), "{error}");
}

#[test]
fn errors_of_one_connection_are_told_from_those_of_the_process() {
    const ECONNABORTED: i32 = 103;
    const EHOSTUNREACH: i32 = 113;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    for code in [ECONNABORTED, EHOSTUNREACH] {
        assert!(of_connection(&io::Error::from_raw_os_error(code)), "{code}");
    }
    for code in [ENFILE, EMFILE, ENOBUFS] {
        assert!(
            !of_connection(&io::Error::from_raw_os_error(code)),
            "{code}"
        );
    }
}
