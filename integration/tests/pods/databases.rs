//! Databases and caches, each by its own client.

use mesh_integration::pods::{Trial, programs};

use crate::way::{Two, Way, each_way};

pub(crate) fn tests() -> Vec<Trial> {
    let scenarios: [(&str, fn(Way)); 4] = [
        ("postgres", postgres),
        ("mariadb", mariadb),
        ("redis", redis),
        ("memcached", memcached),
    ];
    scenarios
        .into_iter()
        .flat_map(|(name, scenario)| each_way(name, scenario))
        .collect()
}

/// A table of 10 000 rows, there and back by COPY.
fn postgres(way: Way) {
    let two = Two::start(way, programs::postgres(), &[(5432, 5432)]);
    let sql = "create table t as select i, repeat('x', 100) as text from generate_series(1, 10000) i; \
         select count(*), sum(i) from t;";
    let psql =
        "psql --no-psqlrc --quiet --tuples-only --no-align -h web -U postgres -v ON_ERROR_STOP=1";
    let said = two.client.shell(&format!("{psql} -c \"{sql}\"")).ok();
    assert_eq!(said, "10000|50005000\n");
    let copied = two.client.shell(&format!(
        "{psql} -c 'copy t to stdout' | {psql} -c 'copy t from stdin' -c 'select count(*) from t'"
    ));
    assert_eq!(copied.ok(), "20000\n");
}

fn mariadb(way: Way) {
    let two = Two::start(way, programs::mariadb(3306), &[(3306, 3306)]);
    let sql = "create database d; use d; create table t as select seq from seq_1_to_10000; select count(*), sum(seq) from t";
    let said = two
        .client
        .run([
            "mariadb",
            "--no-defaults",
            "-h",
            "web",
            "-u",
            "root",
            "-N",
            "-e",
            sql,
        ])
        .ok();
    assert_eq!(said, "10000\t50005000\n");
}

fn redis(way: Way) {
    let two = Two::start(way, programs::redis(), &[(6379, 6379)]);
    let said = two
        .client
        .run(["redis-cli", "-h", "web", "set", "key", "value"])
        .ok();
    assert_eq!(said, "OK\n");
    let benchmark = "redis-benchmark -h web -q -n 2000 -P 16 -d 10000 -t set,get | tr '\\r' '\\n' | grep -c 'requests per second'";
    assert_eq!(two.client.shell(benchmark).ok(), "2\n");
    assert_eq!(
        two.client
            .run(["redis-cli", "-h", "web", "get", "key"])
            .ok(),
        "value\n"
    );
}

/// By bash's own TCP, because memcached's clients are libraries.
fn memcached(way: Way) {
    let two = Two::start(way, programs::memcached(), &[(11211, 11211)]);
    let talk = "exec 3<>/dev/tcp/web/11211; printf 'set k 0 0 5\\r\\nhello\\r\\nget k\\r\\nquit\\r\\n' >&3; cat <&3";
    let said = two.client.shell(talk).ok();
    assert_eq!(said, "STORED\r\nVALUE k 0 5\r\nhello\r\nEND\r\n");
}
