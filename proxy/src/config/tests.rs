use super::*;
use std::path::Path;

/// The least a proxy needs.
const REQUIRED: [(&str, &str); 7] = [
    ("DESTINATION_SVC_ADDR", "127.0.0.1:8086"),
    ("POLICY_SVC_ADDR", "127.0.0.1:8090"),
    ("POLICY_WORKLOAD", r#"{"ns":"shop","pod":"web-0"}"#),
    ("IDENTITY_SVC_ADDR", "127.0.0.1:8080"),
    (
        "IDENTITY_LOCAL_NAME",
        "web.shop.serviceaccount.identity.mesh.cluster.local",
    ),
    ("IDENTITY_TRUST_ANCHORS_FILE", "/run/mesh/ca.crt"),
    ("IDENTITY_TOKEN_FILE", "/run/mesh/token"),
];

fn vars(prefix: &str, extra: &[(&str, &str)]) -> Vars {
    let var = |(name, value): &(&str, &str)| (format!("{prefix}{name}"), (*value).to_owned());
    REQUIRED.iter().chain(extra).map(var).collect()
}

fn read(extra: &[(&str, &str)]) -> Result<Config, InvalidConfig> {
    Config::from_vars(&vars("MESH_PROXY_", extra))
}

#[test]
fn defaults_are_linkerds_except_where_design_says_otherwise() {
    let config = read(&[]).unwrap();
    let seconds = Duration::from_secs;
    assert_eq!(config.inbound.listen.to_string(), "0.0.0.0:4143");
    let outbound: Vec<_> = config
        .outbound
        .listen
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(outbound, ["127.0.0.1:4140", "[::1]:4140"]);
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:4191");
    assert_eq!(config.shutdown_grace_period, seconds(120));
    assert_eq!(config.cores.get(), 1);
    assert!(!config.admin.shutdown_enabled);
    let (inbound, outbound) = (&config.inbound.common, &config.outbound.common);
    for common in [inbound, outbound] {
        assert_eq!(common.detect_timeout, seconds(3));
        assert_eq!(common.http1_pool_idle_timeout, seconds(3));
        assert_eq!(common.max_in_flight, 100_000);
        assert_eq!(common.h2_server.common.initial_stream_window, 65_535);
        assert_eq!(common.h2_server.common.initial_connection_window, 16 << 20);
    }
    assert_eq!(inbound.connect_timeout, Duration::from_millis(300));
    assert_eq!(outbound.connect_timeout, seconds(1));
    assert_eq!(config.outbound.http_queue.capacity, 10_000);
    assert_eq!(config.outbound.tcp_queue.failfast_timeout, seconds(3));
    assert_eq!(config.discovery.outbound_idle, seconds(5));
    assert_eq!(config.discovery.inbound_idle, seconds(90));
    assert_eq!(config.identity.max_refresh, seconds(86_400));
    assert_eq!(config.metrics.retain_idle, seconds(600));
    assert_eq!(config.unknown, Vec::<String>::new());
}

/// Every setting that is read, with a value that is wrong for all kinds.
#[test]
fn every_variable_with_a_wrong_value_is_named_with_an_example() {
    const WRONG: &str = "no such\u{7} value";
    let names: Vec<_> = read(&[])
        .unwrap()
        .settings
        .0
        .into_iter()
        .map(|s| s.name)
        .collect();
    assert!(names.len() > 100, "only {} settings", names.len());
    for name in &names {
        let error = read(&[(name, WRONG)]).unwrap_err();
        let [problem] = error.0.as_slice() else {
            panic!("{name}: {error}");
        };
        assert_eq!(problem.variable, format!("MESH_PROXY_{name}"));
        assert_eq!(problem.value.as_deref(), Some(WRONG), "{name}");
        let text = error.to_string();
        assert!(
            text.contains("expected") && text.contains("for example"),
            "{text}"
        );
        // The example must be right, or the advice is worth nothing.
        let all = [(name.as_str(), problem.example.as_str())];
        let still = read(&all).err().map(|error| error.0).unwrap_or_default();
        let still = still.iter().any(|other| other.variable == problem.variable);
        assert!(!still || name == "IDENTITY_TRUST_ANCHORS", "{problem}");
    }
}

#[test]
fn all_problems_are_reported_at_once_and_in_words() {
    let error = read(&[
        ("INBOUND_CONNECT_TIMEOUT", "3 parsecs"),
        ("OUTBOUND_MAX_HEADERS", "1"),
        ("LOG_FORMAT", "xml"),
    ])
    .unwrap_err();
    let text = error.to_string();
    assert_eq!(error.0.len(), 3, "{text}");
    assert!(text.starts_with("3 settings are wrong:\n"), "{text}");
    assert!(text.contains(
        "MESH_PROXY_INBOUND_CONNECT_TIMEOUT=\"3 parsecs\": expected a duration: a whole number \
         and ms, s, m, h or d, more than 0, for example MESH_PROXY_INBOUND_CONNECT_TIMEOUT=300ms"
    ));
    assert!(
        text.contains("MESH_PROXY_OUTBOUND_MAX_HEADERS=\"1\": expected a whole number from 16")
    );
}

#[test]
fn an_empty_environment_names_what_is_missing() {
    let error = Config::from_vars(&Vars::new()).unwrap_err();
    let missing: Vec<_> = error
        .0
        .iter()
        .map(|problem| problem.variable.as_str())
        .collect();
    assert_eq!(
        missing,
        [
            "MESH_PROXY_IDENTITY_SVC_ADDR",
            "MESH_PROXY_IDENTITY_LOCAL_NAME",
            "MESH_PROXY_IDENTITY_TRUST_ANCHORS",
            "MESH_PROXY_IDENTITY_TOKEN_FILE",
            "MESH_PROXY_DESTINATION_SVC_ADDR",
            "MESH_PROXY_POLICY_SVC_ADDR",
            "MESH_PROXY_POLICY_WORKLOAD",
        ]
    );
    assert!(
        error
            .to_string()
            .contains("MESH_PROXY_IDENTITY_SVC_ADDR is not set")
    );
}

#[test]
fn values_that_do_not_go_together_are_named() {
    for (name, extra) in [
        (
            "INBOUND_CONNECT_EXP_BACKOFF_MIN",
            ("INBOUND_CONNECT_EXP_BACKOFF_MIN", "11s"),
        ),
        (
            "CONTROL_EXP_BACKOFF_MIN",
            ("CONTROL_EXP_BACKOFF_MAX", "1ms"),
        ),
        ("IDENTITY_MIN_REFRESH", ("IDENTITY_MAX_REFRESH", "1s")),
        ("DNS_MIN_TTL", ("DNS_MAX_TTL", "0")),
        ("CORES_MAX", ("CORES_MIN", "2")),
        ("OUTBOUND_LISTEN_ADDRS", ("OUTBOUND_LISTEN_ADDRS", ",")),
        // Not loopback: TLS, so the peer's name is needed.
        (
            "POLICY_SVC_NAME",
            ("POLICY_SVC_ADDR", "mesh-policy.mesh:8090"),
        ),
    ] {
        let error = read(&[("CORES_MAX", "1"), extra]).unwrap_err();
        let named: Vec<_> = error
            .0
            .iter()
            .map(|problem| problem.variable.as_str())
            .collect();
        assert_eq!(named, [format!("MESH_PROXY_{name}")], "{error}");
    }
}

#[test]
fn linkerds_names_work_and_ours_win() {
    let mut vars = vars("LINKERD2_PROXY_", &[("INBOUND_CONNECT_TIMEOUT", "100ms")]);
    let config = Config::from_vars(&vars).unwrap();
    let timeout = |config: &Config| config.inbound.common.connect_timeout;
    assert_eq!(timeout(&config), Duration::from_millis(100));
    vars.insert("MESH_PROXY_INBOUND_CONNECT_TIMEOUT".into(), "200ms".into());
    let config = Config::from_vars(&vars).unwrap();
    assert_eq!(timeout(&config), Duration::from_millis(200));
    let text = config.settings.to_string();
    assert!(text.contains("INBOUND_CONNECT_TIMEOUT=200ms (MESH_PROXY_INBOUND_CONNECT_TIMEOUT)\n"));
    assert!(text.contains("OUTBOUND_CONNECT_TIMEOUT=1s (default)\n"));
}

#[test]
fn a_misspelt_name_is_noticed() {
    let config = read(&[("INBOUND_CONECT_TIMEOUT", "1s")]).unwrap();
    assert_eq!(config.unknown, ["MESH_PROXY_INBOUND_CONECT_TIMEOUT"]);
    // Set by Linkerd's injector for every pod: no reason to warn in each.
    let config = read(&[("IDENTITY_DIR", "/var/run/mesh/identity/end-entity")]).unwrap();
    assert!(config.unknown.is_empty());
}

/// What Linkerd's injector gives a stock proxy (vectors/inject), names translated.
#[test]
fn the_environment_of_linkerds_injector_is_taken() {
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let networks = "10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8";
    let context = "{\"ns\":\"shop\", \"nodeName\":\"n1\", \"pod\":\"web-0\"}\n";
    let name = "mesh-destination.mesh.serviceaccount.identity.mesh.cluster.local";
    let config = read(&[
        ("CORES_MIN", "1"),
        ("CORES", "1"),
        ("SHUTDOWN_ENDPOINT_ENABLED", "false"),
        (
            "LOG",
            "warn,linkerd=info,hickory=error,[{headers}]=off,[{request}]=off",
        ),
        ("LOG_FORMAT", "plain"),
        (
            "DESTINATION_SVC_ADDR",
            "mesh-dst-headless.mesh.svc.cluster.local.:8086",
        ),
        ("DESTINATION_SVC_NAME", name),
        (
            "POLICY_SVC_ADDR",
            "mesh-policy.mesh.svc.cluster.local.:8090",
        ),
        ("POLICY_SVC_NAME", name),
        ("DESTINATION_CONTEXT", context),
        ("POLICY_CLUSTER_NETWORKS", networks),
        ("IDENTITY_TRUST_ANCHORS", pem),
        ("INBOUND_IPS", "10.0.0.7"),
        ("INBOUND_PORTS", ""),
        ("INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION", "7000,9000-9002"),
        ("INBOUND_ACCEPT_KEEPALIVE", "10000ms"),
        ("OUTBOUND_LISTEN_ADDR", "127.0.0.1:4140"),
        ("OUTBOUND_LISTEN_ADDRS", "127.0.0.1:4140"),
    ])
    .unwrap();
    assert_eq!(config.outbound.listen.len(), 1);
    assert_eq!(
        config.log.filter.to_string(),
        "warn,mesh=info,hickory=error"
    );
    assert_eq!(config.destination.addr.identity.as_deref(), Some(name));
    assert_eq!(&*config.discovery.context, context.trim());
    let opaque = &config.inbound.ports_disable_protocol_detection;
    assert!(opaque.contains(9001) && !opaque.contains(9003));
    assert!(config.inbound.ports.is_empty());
    // A watched file wins over certificates in the environment.
    let file = Path::new("/run/mesh/ca.crt").to_owned();
    assert_eq!(
        config.identity.trust_anchors,
        crate::identity::TrustAnchors::File(file)
    );
    let text = config.settings.to_string();
    assert!(text.contains("IDENTITY_TRUST_ANCHORS=(1 certificates, "));
    assert!(!text.contains("MIIB"));
}

#[test]
fn windows_set_once_hold_for_all_unless_set_apart() {
    let config = read(&[
        ("HTTP2_INITIAL_STREAM_WINDOW_SIZE", "100000"),
        ("INBOUND_SERVER_HTTP2_INITIAL_STREAM_WINDOW_SIZE", "200000"),
        ("OUTBOUND_SERVER_HTTP2_KEEP_ALIVE_INTERVAL", "0"),
        ("INBOUND_ACCEPT_KEEPALIVE", "0"),
    ])
    .unwrap();
    let (inbound, outbound) = (&config.inbound.common, &config.outbound.common);
    assert_eq!(inbound.h2_server.common.initial_stream_window, 200_000);
    assert_eq!(inbound.h2_client.common.initial_stream_window, 100_000);
    assert_eq!(outbound.h2_server.common.initial_stream_window, 100_000);
    assert_eq!(outbound.h2_server.common.keepalive, None);
    assert_eq!(inbound.accept.keepalive, None);
    assert!(inbound.connect.keepalive.is_some());
}

#[test]
fn an_error_never_repeats_a_long_value() {
    let secret = format!("-----BEGIN PRIVATE KEY-----\n{}", "s3cret".repeat(100));
    let error = read(&[("IDENTITY_TRUST_ANCHORS", &secret)])
        .unwrap_err()
        .to_string();
    assert!(error.contains("certificates in PEM"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

/// `docs/config.md` has a row for each setting, with its default and what is expected.
#[test]
fn the_documentation_lists_every_setting() {
    let documented = include_str!("../../../docs/config.md");
    let rows: Vec<_> = documented
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let settings = read(&[]).unwrap().settings.0;
    assert_eq!(rows.len(), settings.len());
    for setting in settings {
        let default = match setting.source {
            Some(_) => "required".to_owned(),
            None if setting.value.is_empty() => String::new(),
            None => format!("`{}`", setting.value),
        };
        let start = format!("| `{}` | {default}", setting.name);
        let row = rows.iter().find(|row| row.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("no row {start}"));
        assert!(row.contains(&format!("| {} |", setting.expected)), "{row}");
    }
}

#[test]
fn debug_output_has_no_certificates() {
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
    let mut vars = vars("MESH_PROXY_", &[("IDENTITY_TRUST_ANCHORS", pem)]);
    vars.remove("MESH_PROXY_IDENTITY_TRUST_ANCHORS_FILE");
    let text = format!("{:?}", Config::from_vars(&vars).unwrap());
    assert!(text.contains("INBOUND_LISTEN_ADDR=0.0.0.0:4143"), "{text}");
    assert!(!text.contains("MIIB"), "{text}");
}
