//! Protocols that are not for a proxy to parse: SMTP and MariaDB, where the client waits for the server, and SSH.

use mesh_integration::pods::{Cluster, Pod, Program, Trial, programs};

use crate::way::{Two, Way, each_way};

pub(crate) fn tests() -> Vec<Trial> {
    let scenarios: [(&str, fn(Way)); 5] = [
        ("smtp_not_marked", |way| smtp(way, false)),
        ("smtp_marked_opaque", |way| smtp(way, true)),
        ("mariadb_not_marked", |way| mariadb(way, false)),
        ("mariadb_marked_opaque", |way| mariadb(way, true)),
        ("ssh", ssh),
    ];
    scenarios
        .into_iter()
        .flat_map(|(name, scenario)| each_way(name, scenario))
        .collect()
}

fn smtp(way: Way, marked: bool) {
    let two = start(way, programs::smtp(), 2525, marked);
    let mail = "printf 'Subject: hello\\r\\n\\r\\nworld\\r\\n' | \
         curl -sS smtp://web:2525 --mail-from a@test --mail-rcpt b@test -T -";
    two.client.shell(mail).ok();
    two.web.program().says("b'Subject: hello'");
    detected(&two, way, marked);
}

fn mariadb(way: Way, marked: bool) {
    let two = start(way, programs::mariadb(3307), 3307, marked);
    let said = two.client.run([
        "mariadb",
        "--no-defaults",
        "-h",
        "web",
        "-P",
        "3307",
        "-u",
        "root",
        "-N",
        "-e",
        "select 6*7",
    ]);
    assert_eq!(said.ok(), "42\n");
    detected(&two, way, marked);
}

/// Its client does not wait, so detection sees at once that this is no HTTP.
fn ssh(way: Way) {
    let two = Two::start(way, programs::sshd(), &[(22, 2222)]);
    let key = two.web.file("sshd", "key");
    let ssh = [
        "ssh",
        "-F",
        "none",
        "-i",
        &key,
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
    ];
    let command = ["app@web", "head -c 3000000 /dev/zero | wc -c; id -u"];
    let said = two.client.run(ssh.into_iter().chain(command)).ok();
    assert_eq!(said, "3000000\n1000\n");
    for pod in two.proxied(way) {
        assert_eq!(timeouts(pod), 0, "{}", pod.name());
    }
}

fn start(way: Way, program: Program, port: u16, marked: bool) -> Two {
    let cluster = Cluster::start();
    let web = cluster
        .pod("web")
        .meshed_if(way.server_meshed)
        .run(program)
        .start();
    let service = cluster.service("web").port(port, port).of(&[&web]);
    let service = if marked {
        service.config("opaque-ports", &port.to_string())
    } else {
        service
    };
    service.create();
    let client = cluster.pod("client").meshed_if(way.client_meshed).start();
    Two {
        cluster,
        web,
        client,
    }
}

/// On a marked port no proxy has looked; else the first one has waited in vain, and told the second.
fn detected(two: &Two, way: Way, marked: bool) {
    let waits: Vec<u64> = two.proxied(way).into_iter().map(timeouts).collect();
    assert_eq!(waits.iter().sum::<u64>(), u64::from(!marked), "{waits:?}");
}

fn timeouts(pod: &Pod) -> u64 {
    let result = ["result=\"read_timeout\""];
    ["inbound", "outbound"]
        .map(|direction| {
            pod.metric(
                &format!("{direction}_tcp_detect_http_results_total"),
                &result,
            )
        })
        .into_iter()
        .sum()
}
