//! HTTP/1 by the byte to nginx, whose parser is nobody's of ours: the tables of
//! `mesh_integration::framing`, behind a kernel that intercepts.

use mesh_integration::framing::{self, Case};
use mesh_integration::pods::{Program, Trial};

use crate::way::{Two, Way, each_way};

/// What nginx refuses itself, with 400; a target of `*` gets 404 where an inbound
/// policy has only routes for paths.
const NGINX_REFUSES: [&str; 4] = [
    "a method in small letters",
    "an empty Host",
    "OPTIONS of the server",
    "GET of *",
];

pub(crate) fn tests() -> Vec<Trial> {
    let scenarios: [(&str, fn(Way)); 2] = [
        ("smuggling_is_refused", |way| {
            through(way, framing::refused())
        }),
        ("framing_is_kept", |way| through(way, framing::carried())),
    ];
    scenarios
        .into_iter()
        .flat_map(|(name, scenario)| each_way(name, scenario))
        .collect()
}

/// nginx, whose outer server reads the whole body and asks its inner one to say it.
fn nginx() -> Program {
    let script = "exec nginx -p $PWD -c nginx.conf -e stderr -g 'daemon off;'";
    Program::new("nginx", script)
        .file("nginx.conf", NGINX)
        .port(8080)
}

const NGINX: &str = r#"
worker_processes 1;
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 1000000;
    # $request_uri would leave out what stands before a path.
    map $request $line {
        "~^(.+) HTTP/1" $1;
    }
    server {
        listen 8080;
        location / {
            proxy_pass http://127.0.0.1:8079/;
            proxy_method GET;
            proxy_pass_request_body off;
            proxy_pass_request_headers off;
            proxy_set_header X-Saw "$line host=$http_host body=$request_body x=$http_x_case";
        }
    }
    server {
        listen 127.0.0.1:8079;
        location / { return 200 $http_x_saw; }
    }
}
"#;

fn through(way: Way, cases: Vec<Case>) {
    let two = Two::start(way, nginx(), &[(80, 8080)]);
    let addr = two.web.addr(8080);
    let mut wrong = Vec::new();
    for case in cases {
        let came = case.send(two.client.netns().connect(addr).unwrap());
        let right = if NGINX_REFUSES.contains(&case.name.as_str()) {
            let came = framing::answers(&came, &[]);
            let statuses: Vec<_> = came.iter().map(|answer| answer.status).collect();
            let refused = matches!(statuses[..], [200, 400 | 404, 200]);
            refused
                .then_some(())
                .ok_or_else(|| format!("{}: {came:?}", case.name))
        } else {
            case.check(&came)
        };
        wrong.extend(right.err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
