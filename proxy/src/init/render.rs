//! The rules as `nft list ruleset` prints them (nftables 1.0), and as `nft -f`
//! reads them.

use super::rules::{Chain, Hook, Match, Rule, Ruleset, TABLE, Verdict};
use std::fmt::{self, Display, Formatter};

impl Display for Ruleset {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "table inet {TABLE} {{")?;
        for (i, chain) in self.0.iter().enumerate() {
            f.write_str(if i > 0 { "\n" } else { "" })?;
            chain.fmt(f)?;
        }
        writeln!(f, "}}")
    }
}

impl Display for Chain {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\tchain {} {{", self.name)?;
        writeln!(f, "\t\ttype nat hook {}; policy accept;", self.hook)?;
        for rule in &self.rules {
            writeln!(f, "\t\t{rule}")?;
        }
        writeln!(f, "\t}}")
    }
}

impl Display for Hook {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            // The same priority: it has a name in the first only.
            Self::Prerouting => "prerouting priority dstnat",
            Self::Output => "output priority -100",
        })
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.on, self.then)
    }
}

impl Display for Match {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv6 => f.write_str("meta nfproto ipv6"),
            Self::Tcp => f.write_str("meta l4proto tcp"),
            Self::TcpPorts(ports) => write!(f, "tcp dport {{ {ports} }}"),
            Self::FromIpv4(addrs) => write!(f, "ip saddr {{ {addrs} }}"),
            Self::FromIpv6(addrs) => write!(f, "ip6 saddr {{ {addrs} }}"),
            Self::Uid(uid) => write!(f, "meta skuid {uid}"),
            Self::Gid(gid) => write!(f, "meta skgid {gid}"),
            Self::ToLoopback => f.write_str("oifname \"lo\""),
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Return => f.write_str("return"),
            Self::Redirect(port) => write!(f, "redirect to :{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::init::{options::Options, rules::Ruleset};

    fn rendered(args: &[&str]) -> String {
        let options = Options::parse(args.iter().map(|&arg| arg.to_owned())).unwrap();
        Ruleset::new(&options.interception).to_string()
    }

    #[test]
    fn the_defaults() {
        let expected = r#"table inet mesh_proxy {
	chain inbound {
		type nat hook prerouting priority dstnat; policy accept;
		tcp dport { 4190-4191 } return
		meta l4proto tcp redirect to :4143
	}

	chain outbound {
		type nat hook output priority -100; policy accept;
		meta skuid 2102 return
		oifname "lo" return
		meta l4proto tcp redirect to :4140
	}
}
"#;
        assert_eq!(rendered(&[]), expected);
    }

    #[test]
    fn everything_at_once() {
        let expected = r#"table inet mesh_proxy {
	chain inbound {
		type nat hook prerouting priority dstnat; policy accept;
		meta nfproto ipv6 return
		tcp dport { 22, 4190-4191 } return
		ip saddr { 172.17.0.0/16 } return
		ip6 saddr { fd00::/8 } return
		tcp dport { 80, 8080-8090 } redirect to :5143
	}

	chain outbound {
		type nat hook output priority -100; policy accept;
		meta nfproto ipv6 return
		meta skuid 7 return
		meta skgid 8 return
		oifname "lo" return
		tcp dport { 3306, 4000-4001 } return
		meta l4proto tcp redirect to :5140
	}
}
"#;
        let args = "--incoming-proxy-port 5143 --outgoing-proxy-port=5140 --proxy-uid 7 \
            --proxy-gid 8 --ipv6=false --inbound-ports-to-ignore 4190,4191,22 \
            --outbound-ports-to-ignore 3306,4000-4001 --subnets-to-ignore 172.17.0.0/16,fd00::/8 \
            --ports-to-redirect 8080-8090 --ports-to-redirect 80";
        let args: Vec<_> = args.split_whitespace().collect();
        assert_eq!(rendered(&args), expected);
    }
}
