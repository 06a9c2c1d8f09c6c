use super::*;

fn parse(args: &str) -> Result<Options, InvalidOptions> {
    Options::parse(args.split_whitespace().map(str::to_owned))
}

fn ranges(text: &str) -> Ranges<u16> {
    config::ports(text)
        .unwrap()
        .ranges()
        .iter()
        .cloned()
        .collect()
}

#[test]
fn without_flags_everything_but_admin_and_tap_is_redirected() {
    let Options {
        mode,
        interception,
        close_wait,
    } = parse("").unwrap();
    assert_eq!((mode, close_wait), (Mode::Apply, None));
    assert_eq!(interception.inbound_port, 4143);
    assert_eq!(interception.outbound_port, 4140);
    assert_eq!(interception.proxy_uid, 2102);
    assert_eq!(interception.inbound_ignored, ranges("4190-4191"));
    assert!(interception.outbound_ignored.is_empty() && interception.ipv6);
}

#[test]
fn what_linkerds_injector_writes_is_taken() {
    let options = parse(
        "--firewall-bin-path iptables-nft --firewall-save-bin-path iptables-nft-save --ipv6=false \
         --incoming-proxy-port 5143 --outgoing-proxy-port 4140 --proxy-uid 2102 --proxy-gid 2103 \
         --inbound-ports-to-ignore 4190,4191,22 --outbound-ports-to-ignore 3306,4000-4001 \
         --subnets-to-ignore 172.17.0.0/16 --timeout-close-wait-secs 60 --log-format json \
         --log-level debug -w",
    )
    .unwrap();
    let expected = Interception {
        inbound_port: 5143,
        outbound_port: 4140,
        proxy_uid: 2102,
        proxy_gid: Some(2103),
        ipv6: false,
        inbound_redirected: ranges(""),
        inbound_ignored: ranges("22,4190-4191"),
        outbound_ignored: ranges("3306,4000-4001"),
        subnets_ignored: vec!["172.17.0.0/16".parse().unwrap()],
    };
    assert_eq!(options.interception, expected);
    assert_eq!(options.close_wait, Some(60));
}

#[test]
fn short_flags_and_lists_in_parts() {
    let options = parse("-p 1 -o 2 -u 3 -r 80 -r 443 --inbound-ports-to-ignore= --simulate");
    let options = options.unwrap();
    let interception = options.interception;
    assert_eq!(options.mode, Mode::DryRun);
    assert_eq!(
        (interception.inbound_port, interception.outbound_port),
        (1, 2)
    );
    assert_eq!(interception.inbound_redirected, ranges("80,443"));
    assert!(
        interception.inbound_ignored.is_empty(),
        "an empty list is a list"
    );
}

#[test]
fn an_error_names_the_flag_the_value_and_what_is_right() {
    for (args, said) in [
        (
            "--proxy-uid root",
            "--proxy-uid \"root\": expected a number from 1 to",
        ),
        (
            "--proxy-uid 0",
            "--proxy-uid \"0\": expected a number from 1 to",
        ),
        ("--proxy-uid=-1", "--proxy-uid \"-1\": expected"),
        (
            "-p 70000",
            "-p \"70000\": expected a port from 1 to 65535, for example -p 4143",
        ),
        (
            "--outgoing-proxy-port",
            "--outgoing-proxy-port \"\": expected a port",
        ),
        (
            "--inbound-ports-to-ignore 80,9-1",
            "--inbound-ports-to-ignore \"80,9-1\": expected ports and ranges",
        ),
        (
            "--outbound-ports-to-ignore all",
            "--outbound-ports-to-ignore \"all\": expected",
        ),
        (
            "--subnets-to-ignore 10.0.0.1",
            "--subnets-to-ignore \"10.0.0.1\": expected networks",
        ),
        ("--ipv6=no", "--ipv6 \"no\": expected true or false"),
        (
            "--timeout-close-wait-secs 1h",
            "--timeout-close-wait-secs \"1h\": expected seconds",
        ),
        ("--netns /run/netns/a", "unknown argument \"--netns\""),
        ("now", "unknown argument \"now\""),
        ("-p 4140", "are both 4140: expected two ports"),
        (
            "--check --remove",
            "--check and --remove exclude each other",
        ),
    ] {
        let error = parse(args).unwrap_err().to_string();
        assert!(
            error.starts_with("init: ") && error.contains(said),
            "{error}"
        );
    }
}

#[test]
fn a_list_that_does_not_fit_is_refused() {
    let list = |count: u16| {
        let ports: Vec<_> = (1..=count).map(|i| (2 * i).to_string()).collect();
        parse(&format!("--outbound-ports-to-ignore {}", ports.join(",")))
    };
    assert!(list(500).is_ok());
    let error = list(501).unwrap_err().to_string();
    assert!(error.contains("has 501 separate ranges"), "{error}");
}
