//! Real programs, ready to be run in a pod. Ports are those that people know, so that the controller's list of opaque ports applies.

use super::program::Program;

const POSTGRES_UID: u32 = 102;
const MYSQL_UID: u32 = 103;
const ROOT: u32 = 0;

/// nginx: HTTP/1 on 8080, HTTP/2 in plain text on 8081, TLS of its own on 8443 (certificate for `web` in its folder: `cert.pem`).
///
/// `/` says hello, `/seen` what nginx sees of the request, `/big` is 16 MB, `/name` the name of its pod.
#[must_use]
pub fn nginx() -> Program {
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
         -subj /CN=web -addext subjectAltName=DNS:web -keyout key.pem -out cert.pem
         truncate --size 16M big
         exec nginx -p $PWD -c nginx.conf -e stderr -g 'daemon off;'";
    Program::new("nginx", script)
        .file("nginx.conf", include_str!("programs/nginx.conf"))
        .port(8080)
        .port(8081)
        .port(8443)
}

/// A small HTTP/1.1 server on 8080 that counts what is uploaded (`PUT`), and streams events (`GET /events`, one for each `GET /next`).
#[must_use]
pub fn http() -> Program {
    python("http", include_str!("programs/http.py")).port(8080)
}

/// A WebSocket server on 8080 that sends back what it gets.
#[must_use]
pub fn websocket() -> Program {
    python("websocket", include_str!("programs/websocket.py")).port(8080)
}

/// A gRPC server on 50051, with all four kinds of method.
#[must_use]
pub fn grpc() -> Program {
    python("grpc", include_str!("programs/grpc_server.py")).port(50051)
}

/// PostgreSQL on 5432, where everybody may be `postgres`.
#[must_use]
pub fn postgres() -> Program {
    let script = "PATH=$PATH:/usr/lib/postgresql/15/bin
         initdb --no-sync --no-locale --username=postgres --auth=trust data
         echo 'host all all all trust' >> data/pg_hba.conf
         exec postgres -D data -c listen_addresses='*' -c unix_socket_directories= -c fsync=off";
    Program::new("postgres", script)
        .uid(POSTGRES_UID)
        .port(5432)
}

/// MariaDB on this port, where everybody may be `root`. On 3306 it is opaque for being there.
#[must_use]
pub fn mariadb(port: u16) -> Program {
    let script = "mkdir data
         exec mariadbd --no-defaults --datadir=$PWD/data --socket=$PWD/socket --port=$PORT --bind-address='*' \
           --skip-grant-tables --skip-name-resolve --innodb-flush-method=fsync --innodb-log-file-size=4M";
    Program::new("mariadb", script)
        .env("PORT", &port.to_string())
        .uid(MYSQL_UID)
        .port(port)
}

/// Redis on 6379.
#[must_use]
pub fn redis() -> Program {
    Program::new(
        "redis",
        "exec redis-server --bind '*' '-::*' --protected-mode no --save ''",
    )
    .port(6379)
}

/// memcached on 11211.
#[must_use]
pub fn memcached() -> Program {
    Program::new("memcached", "exec memcached -p 11211").port(11211)
}

/// An SMTP server on 2525: the server speaks first.
#[must_use]
pub fn smtp() -> Program {
    Program::new(
        "smtp",
        "exec python3 -u -W ignore -m smtpd -n -c DebuggingServer 0.0.0.0:2525",
    )
    .port(2525)
}

/// OpenSSH's server on 2222; `key` in its folder opens the account `app`.
#[must_use]
pub fn sshd() -> Program {
    let script = "ssh-keygen -q -t ed25519 -N '' -f host
         ssh-keygen -q -t ed25519 -N '' -f key
         chown 1000:1000 key
         exec /usr/sbin/sshd -D -e -f /dev/null -p 2222 -o HostKey=$PWD/host -o AuthorizedKeysFile=$PWD/key.pub \
           -o StrictModes=no -o UsePAM=no -o PidFile=none";
    Program::new("sshd", script).uid(ROOT).port(2222)
}

fn python(name: &str, source: &str) -> Program {
    Program::new(name, "exec python3 -u server.py").file("server.py", source)
}
