//! A pod and what is outside of it: two network namespaces joined by a cable.
//!
//! A scenario runs in a process of its own, this test binary started again by
//! `unshare` (util-linux) inside a new user namespace, so it needs no root, has the
//! network to itself, and leaves nothing behind however it ends.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    env,
    fs::File,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

/// Set in the process that is in the namespace.
const INSIDE: &str = "MESH_TEST_IN_POD";

/// The user and group that everything in the pod runs as. Not root, so that there
/// is a user to exempt: without root only one can be had.
pub(crate) const USER: u32 = 1000;
pub(crate) const GROUP: u32 = 1001;

/// For what takes no time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The addresses of the pod and of the other side, IPv4 and IPv6.
pub(crate) const POD: [&str; 2] = ["10.9.0.1", "fd09::1"];
pub(crate) const OUTSIDE: [&str; 2] = ["10.9.0.2", "fd09::2"];

/// This process is in the pod; the other side is held by a child.
pub(crate) struct Pod {
    outside: Child,
}

/// Runs `scenario`, of the test `name`, in a pod.
pub(crate) fn in_pod(name: &str, scenario: fn(&Pod)) {
    if env::var_os(INSIDE).is_some() {
        return scenario(&Pod::new());
    }
    if let Some(missing) = missing() {
        assert!(env::var_os("CI").is_none(), "{missing}");
        eprintln!("{name} was not run: {missing}");
        return;
    }
    let output = namespace()
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(
        output.status.success() && said[0].contains("1 passed"),
        "{}",
        said.concat()
    );
}

/// `unshare`, up to the program.
fn namespace() -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--net", "--keep-caps"]);
    unshare.arg(format!("--map-user={USER}"));
    unshare.arg(format!("--map-group={GROUP}"));
    unshare
}

fn missing() -> Option<String> {
    let fails = |command: &mut Command| !command.output().is_ok_and(|out| out.status.success());
    if fails(namespace().arg("true")) {
        return Some("unshare --user --net does not work: util-linux, user namespaces?".to_owned());
    }
    fails(Command::new("ip").arg("-V")).then(|| "no ip program: iproute2?".to_owned())
}

impl Pod {
    fn new() -> Self {
        // Ends with this process, when nobody holds the other end of its input.
        let mut outside = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; read _"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let ready = outside.stdout.take().unwrap();
        BufReader::new(ready).read_line(&mut line).unwrap();
        let pod = Self { outside };
        let cable = format!(
            "link add eth0 type veth peer name eth0 netns {}",
            pod.outside.id()
        );
        ip(&cable);
        pod.outside(|| plug(OUTSIDE));
        plug(POD);
        for (family, gateway) in ["-4", "-6"].iter().zip(OUTSIDE) {
            ip(&format!("{family} route add default via {gateway}"));
        }
        pod
    }

    /// Does `something` on the other side. Sockets stay there.
    pub(crate) fn outside<T: Send>(&self, something: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/proc/{}/ns/net", self.outside.id())).unwrap();
        let move_and_do = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).unwrap();
            something()
        };
        thread::scope(|scope| scope.spawn(move_and_do).join().unwrap())
    }

    /// Runs `mesh-proxy init` with `args`, in this pod.
    pub(crate) fn init(&self, args: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_mesh-proxy"))
            .arg("init")
            .args(args.split_whitespace())
            .env_clear()
            .output()
            .unwrap()
    }

    /// As [`Self::init`], which must succeed; what it printed.
    pub(crate) fn init_ok(&self, args: &str) -> String {
        let output = self.init(args);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        drop(self.outside.stdin.take());
        let _ = self.outside.wait();
    }
}

/// Gives this side of the cable its addresses.
fn plug([ipv4, ipv6]: [&str; 2]) {
    ip("link set lo up");
    ip("link set eth0 up");
    ip(&format!("-4 addr add {ipv4}/24 dev eth0"));
    ip(&format!("-6 addr add {ipv6}/64 dev eth0 nodad"));
}

pub(crate) fn ip(args: &str) {
    let status = Command::new("ip").args(args.split(' ')).status().unwrap();
    assert!(status.success(), "ip {args}");
}

/// What nft prints, where there is one.
pub(crate) fn nft(args: &str) -> Option<String> {
    let output = Command::new("nft").args(args.split(' ')).output().ok()?;
    assert!(output.status.success(), "nft {args}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Connects from where it is called.
pub(crate) fn connect(addr: &str) -> TcpStream {
    let addr: SocketAddr = addr.parse().unwrap();
    TcpStream::connect_timeout(&addr, PATIENCE).unwrap_or_else(|error| panic!("{addr}: {error}"))
}
