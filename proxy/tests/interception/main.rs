//! `mesh-proxy init` and a real kernel: what is redirected and what is not, and that
//! the proxy's listener learns where a connection was meant to go.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod namespace;

use mesh_proxy::transport::listener::{Listener, ListenerOptions, SocketOptions};
use namespace::{GROUP, OUTSIDE, PATIENCE, POD, Pod, USER, connect, in_pod, nft};
use socket2::SockRef;
use std::{
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
};
use tokio::{runtime::Runtime, time::timeout};

/// The proxy's listeners, and nothing behind them.
struct Proxy {
    runtime: Runtime,
    inbound: Listener,
    outbound: [Listener; 2],
}

impl Proxy {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let listen = |addr: &str| {
            let _inside = runtime.enter();
            let options = ListenerOptions {
                sockets: SocketOptions::default(),
                backlog: 16,
                reuse_port: false,
                max_connections: 100,
            };
            Listener::bind(addr.parse().unwrap(), options).unwrap()
        };
        Self {
            inbound: listen("[::]:4143"),
            outbound: [listen("127.0.0.1:4140"), listen("[::1]:4140")],
            runtime,
        }
    }

    /// Where the next connection that `listener` has was meant to go.
    fn next(&self, listener: &Listener) -> Option<SocketAddr> {
        let accepted = async { timeout(PATIENCE, listener.accept()).await };
        self.runtime.block_on(accepted).unwrap().orig_dst
    }

    /// Asserts that a connection to `target`, made here, comes to the outbound listener.
    fn gets_outbound(&self, target: &str) {
        let _client = connect(target);
        let target = target.parse().unwrap();
        let listener = &self.outbound[usize::from(SocketAddr::is_ipv6(&target))];
        assert_eq!(self.next(listener), Some(target));
    }

    /// Asserts that a connection to `target`, made outside, comes to the inbound listener.
    fn gets_inbound(&self, pod: &Pod, target: &str) {
        let _client = pod.outside(|| connect(target));
        assert_eq!(self.next(&self.inbound), Some(target.parse().unwrap()));
    }
}

/// An application that gets its connections itself.
struct App(TcpListener);

impl App {
    fn on(addr: &str) -> Self {
        let listener = TcpListener::bind(addr).unwrap_or_else(|error| panic!("{addr}: {error}"));
        let patience = Some(PATIENCE);
        SockRef::from(&listener).set_read_timeout(patience).unwrap();
        Self(listener)
    }

    /// Asserts that the connection that `connect` makes comes here, by whatever way.
    fn gets(&self, connect: impl FnOnce() -> TcpStream) {
        let client = connect().local_addr().unwrap();
        assert_eq!(self.0.accept().unwrap().1, client);
    }
}

/// `address` with `port`, IPv4 or IPv6.
fn at(address: &str, port: u16) -> String {
    match address.contains(':') {
        true => format!("[{address}]:{port}"),
        false => format!("{address}:{port}"),
    }
}

#[test]
fn outbound_connections_come_to_the_proxy() {
    in_pod("outbound_connections_come_to_the_proxy", |pod| {
        pod.init_ok("--outbound-ports-to-ignore 3306,4000-4001");
        let proxy = Proxy::new();
        for elsewhere in ["192.0.2.7", "2001:db8::7", OUTSIDE[0], OUTSIDE[1]] {
            proxy.gets_outbound(&at(elsewhere, 80));
            proxy.gets_outbound(&at(elsewhere, 3999));
            proxy.gets_outbound(&at(elsewhere, 4002));
        }
        for outside in OUTSIDE {
            for port in [3306, 4000, 4001] {
                let addr = at(outside, port);
                pod.outside(|| App::on(&addr)).gets(|| connect(&addr));
            }
        }
    });
}

#[test]
fn the_pods_own_addresses_and_the_proxy_are_exempt() {
    in_pod("the_pods_own_addresses_and_the_proxy_are_exempt", |pod| {
        let proxy = Proxy::new();
        pod.init_ok("");
        for own in ["127.0.0.1", "::1", POD[0], POD[1]] {
            let addr = at(own, 8080);
            App::on(&addr).gets(|| connect(&addr));
        }
        let target = at(OUTSIDE[0], 80);
        proxy.gets_outbound(&target);
        let app = pod.outside(|| App::on(&target));
        pod.init_ok(&format!("--proxy-uid {USER}"));
        app.gets(|| connect(&target));
        pod.init_ok(&format!("--proxy-gid {GROUP}"));
        app.gets(|| connect(&target));
        pod.init_ok("");
        proxy.gets_outbound(&target);
    });
}

#[test]
fn inbound_connections_come_to_the_proxy() {
    in_pod("inbound_connections_come_to_the_proxy", |pod| {
        pod.init_ok("--inbound-ports-to-ignore 22,4190-4191");
        let proxy = Proxy::new();
        for own in POD {
            for port in [80, 4189, 4192] {
                proxy.gets_inbound(pod, &at(own, port));
            }
            for port in [22, 4190, 4191] {
                let addr = at(own, port);
                App::on(&addr).gets(|| pod.outside(|| connect(&addr)));
            }
        }
        // Straight to the proxy is no redirection.
        let _client = pod.outside(|| connect(&at(POD[0], 4143)));
        assert_eq!(proxy.next(&proxy.inbound), None);
    });
}

#[test]
fn sources_and_ports_can_be_left_out() {
    in_pod("sources_and_ports_can_be_left_out", |pod| {
        let proxy = Proxy::new();
        let addrs = POD.map(|own| at(own, 8080));
        let apps = addrs.each_ref().map(|addr| App::on(addr));
        pod.init_ok("--subnets-to-ignore 10.8.0.0/15,fd08::/15");
        for (app, addr) in apps.iter().zip(&addrs) {
            app.gets(|| pod.outside(|| connect(addr)));
        }
        pod.init_ok("--subnets-to-ignore 10.10.0.0/15,fd0a::/15");
        for addr in &addrs {
            proxy.gets_inbound(pod, addr);
        }
        pod.init_ok("--ports-to-redirect 1000-2000,8080");
        proxy.gets_inbound(pod, &addrs[0]);
        proxy.gets_inbound(pod, &at(POD[1], 1500));
        let other = at(POD[0], 8081);
        App::on(&other).gets(|| pod.outside(|| connect(&other)));
        pod.init_ok("--ipv6=false");
        proxy.gets_inbound(pod, &addrs[0]);
        apps[1].gets(|| pod.outside(|| connect(&addrs[1])));
    });
}

#[test]
fn udp_passes() {
    in_pod("udp_passes", |pod| {
        pod.init_ok("");
        for (own, outside) in POD.iter().zip(OUTSIDE) {
            let app = UdpSocket::bind(at(own, 53)).unwrap();
            let client = pod.outside(|| UdpSocket::bind(at(outside, 0)).unwrap());
            let mut buf = [0; 16];
            for socket in [&app, &client] {
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
            }
            client.send_to(b"question", at(own, 53)).unwrap();
            let (_, from) = app.recv_from(&mut buf).unwrap();
            assert_eq!(from, client.local_addr().unwrap());
            app.send_to(b"answer", from).unwrap();
            let (_, from) = client.recv_from(&mut buf).unwrap();
            assert_eq!(from, app.local_addr().unwrap());
        }
    });
}

#[test]
fn a_check_tells_whether_it_works() {
    in_pod("a_check_tells_whether_it_works", |pod| {
        let fails = |args: &str, why: &str| {
            let output = pod.init(&format!("--check {args}"));
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(69), "{said}");
            assert!(said.contains(why), "{said}");
        };
        pod.init_ok("");
        let report = pod.init_ok("--check");
        for line in [
            "outbound: a connection to 192.0.2.1:20001 came to 127.0.0.1:4140",
            "outbound: a connection to [2001:db8::1]:20001 came to [::1]:4140",
            "inbound: the rule is in place",
        ] {
            assert!(report.contains(line), "{report}");
        }
        fails(
            "--outgoing-proxy-port 4999",
            "The rules are there: was it another",
        );
        fails(
            &format!("--proxy-uid {USER}"),
            "whose connections are exempt",
        );
        fails(
            &format!("--proxy-gid {GROUP}"),
            "the proxy's group, 1001, whose connections are exempt",
        );
        let proxy = Proxy::new();
        fails("", "port 4140 is taken");
        drop(proxy);
        pod.init_ok("--remove");
        pod.outside(|| namespace::ip("addr add 192.0.2.1/32 dev lo"));
        fails("", "There are no rules of ours: run mesh-proxy init");
    });
}

#[test]
fn the_rules_are_those_printed_and_the_same_when_applied_again() {
    in_pod(
        "the_rules_are_those_printed_and_the_same_when_applied_again",
        |pod| {
            let Some(before) = nft("list ruleset") else {
                return eprintln!("not compared: no nft program");
            };
            assert_eq!(before, "");
            for args in [
                "",
                "-p 5143 -o 5140 -u 7 --proxy-gid 8 --ipv6=false -r 80,8080-8090 \
             --inbound-ports-to-ignore 22,4190,4191 --outbound-ports-to-ignore 60000-65535,25 \
             --subnets-to-ignore 10.0.0.0/24,10.0.1.0/25,172.17.0.0/16,192.0.2.1/32,fd00::/8",
                "--subnets-to-ignore 0.0.0.0/0,::/0 --outbound-ports-to-ignore 1-65535",
            ] {
                let printed = pod.init_ok(&format!("--dry-run {args}"));
                for _ in 0..2 {
                    pod.init_ok(args);
                    // Newer versions have a name for it here too.
                    let listed = nft("list ruleset").unwrap();
                    let listed = listed.replace("output priority dstnat", "output priority -100");
                    assert_eq!(listed, printed);
                }
            }
            pod.init_ok("--remove");
            pod.init_ok("--remove");
            assert_eq!(nft("list ruleset").unwrap(), "");
        },
    );
}

#[test]
fn linkerds_injector_can_start_it_by_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("linkerd2-proxy-init");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mesh-proxy"), &program).unwrap();
    let flags = "--simulate --firewall-bin-path iptables-nft --ipv6=false -p 5143";
    let output = Command::new(program).args(flags.split(' ')).output();
    let printed = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(printed.contains("redirect to :5143"), "{printed}");
}

#[test]
fn beside_other_redirections_nothing_is_applied() {
    in_pod("beside_other_redirections_nothing_is_applied", |pod| {
        let tables = "add table ip linkerd; add chain ip linkerd OUTPUT { type nat hook output \
            priority -100; }; add rule ip linkerd OUTPUT tcp dport 80 redirect to :4140";
        let Ok(added) = Command::new("nft").arg(tables).status() else {
            return eprintln!("not tried: no nft program");
        };
        assert!(added.success());
        let before = nft("list ruleset");
        let output = pod.init("");
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("table ip linkerd chain OUTPUT"), "{said}");
        assert_eq!(nft("list ruleset"), before);
    });
}

#[test]
fn without_the_capability_nothing_is_applied() {
    in_pod("without_the_capability_nothing_is_applied", |pod| {
        // Capabilities in a user namespace are none over the network outside of it.
        for args in ["", "--remove"] {
            let output = Command::new("unshare")
                .args(["--user", env!("CARGO_BIN_EXE_mesh-proxy"), "init"])
                .args(args.split_whitespace())
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(77));
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(
                said.contains("NET_ADMIN") && said.ends_with("Nothing was changed\n"),
                "{said}"
            );
        }
        let target = at(OUTSIDE[0], 80);
        pod.outside(|| App::on(&target)).gets(|| connect(&target));
    });
}
