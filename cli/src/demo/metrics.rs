//! What the demo reads from the proxies' `/metrics`: bytes and identities of connections under mutual TLS, and the
//! balancing policy in force.

use std::net::SocketAddr;

use crate::local::{LocalError, get};
use crate::prometheus::{Sample, sample};

/// Connections of one proxy under mutual TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MutualTls {
    /// Read and written, in bytes.
    pub(crate) bytes: u64,
    /// Verified identity of the peer that called this proxy.
    pub(crate) client_id: Option<String>,
    /// Verified identity of the peer that this proxy called.
    pub(crate) server_id: Option<String>,
}

/// Asks the proxy `name` whose admin endpoint is `addr`.
pub(crate) async fn mutual_tls(name: &str, addr: SocketAddr) -> Result<MutualTls, LocalError> {
    Ok(summarize(&scrape(name, addr).await?))
}

/// Whether the proxy `name` balances all that it balances by `policy`.
pub(crate) async fn balances_by(
    policy: &str,
    name: &str,
    addr: SocketAddr,
) -> Result<bool, LocalError> {
    Ok(all_by(policy, &scrape(name, addr).await?))
}

fn all_by(policy: &str, text: &str) -> bool {
    let mut in_force = text
        .lines()
        .filter_map(sample)
        .filter(|sample| sample.name == "outbound_http_balancer_policy" && sample.value == 1.0)
        .peekable();
    in_force.peek().is_some() && in_force.all(|sample| sample.labels.get("policy") == Some(&policy))
}

async fn scrape(name: &str, addr: SocketAddr) -> Result<String, LocalError> {
    let error = |cause| LocalError::Metrics {
        name: name.to_owned(),
        addr,
        cause,
    };
    let response = get(addr, "/metrics")
        .await
        .map_err(|cause| error(cause.to_string()))?;
    if !response.status().is_success() {
        return Err(error(format!("status {}", response.status())));
    }
    Ok(String::from_utf8_lossy(response.body()).into_owned())
}

/// Adds up the samples with `tls="true"`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "byte counters are whole and positive"
)]
fn summarize(text: &str) -> MutualTls {
    let mut sum = MutualTls::default();
    let identity = |sample: &Sample<'_>, label| sample.labels.get(label).map(|id| (*id).to_owned());
    for sample in text.lines().filter_map(sample) {
        let counted = matches!(
            sample.name,
            "tcp_read_bytes_total" | "tcp_write_bytes_total"
        );
        if counted && sample.labels.get("tls") == Some(&"true") {
            sum.bytes += sample.value as u64;
            sum.client_id = sum.client_id.or_else(|| identity(&sample, "client_id"));
            sum.server_id = sum.server_id.or_else(|| identity(&sample, "server_id"));
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_under_mutual_tls_count() {
        let text = r#"
# TYPE tcp_read_bytes_total counter
tcp_read_bytes_total{direction="outbound",peer="dst",tls="true",server_id="web.demo"} 3169
tcp_read_bytes_total{direction="outbound",peer="src",tls="no_identity",no_tls_reason="loopback"} 3775
tcp_write_bytes_total{direction="outbound",peer="dst",server_id="web.demo",tls="true"} 3211
tcp_open_total{direction="outbound",peer="dst",tls="true",server_id="other"} 5
process_start_time_seconds 17
"#;
        let expected = MutualTls {
            bytes: 6380,
            client_id: None,
            server_id: Some("web.demo".to_owned()),
        };
        assert_eq!(summarize(text), expected);
    }

    #[test]
    fn a_policy_is_in_force_when_no_balancer_has_another() {
        let http = "outbound_http_balancer_policy{backend=\"web:80\",policy=\"round-robin\"} 1\n\
                    outbound_http_balancer_policy{backend=\"web:80\",policy=\"peak-ewma\"} 0\n";
        let grpc = "outbound_http_balancer_policy{backend=\"web:81\",policy=\"peak-ewma\"} 1\n";
        assert!(all_by("round-robin", http));
        assert!(!all_by("peak-ewma", http));
        assert!(!all_by("round-robin", &format!("{http}{grpc}")));
        assert!(!all_by("round-robin", ""));
    }
}
