//! `/env.json`: the variables that the proxy was started with.
//!
//! Only those with our prefix: what else is in the environment is the pod's
//! business and may be anybody's password. Of ours, certificates are shown by
//! their size, and what is named like a secret not at all.

use crate::{config::Vars, log::json};

/// A JSON object of names and values, by name.
pub(super) fn render(vars: &Vars) -> String {
    let ours = |name: &str| name.starts_with("MESH_PROXY_") || name.starts_with("LINKERD2_PROXY_");
    let mut out = String::from("{");
    for (name, value) in vars.iter().filter(|(name, _)| ours(name)) {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str("\n  ");
        json::string(&mut out, name).expect("a String takes what is written to it");
        out.push_str(": ");
        json::string(&mut out, &shown(name, value)).expect("a String takes what is written to it");
    }
    out.push_str("\n}\n");
    out
}

fn shown(name: &str, value: &str) -> String {
    const SECRET: [&str; 4] = ["TOKEN", "SECRET", "PASSWORD", "KEY"];
    // Settings such as `KEEPALIVE` have a part of a secret's name, so whole words
    // count; a file's name is no secret.
    let secret = name.split('_').any(|word| SECRET.contains(&word));
    if value.contains("-----BEGIN") {
        format!("(PEM, {} bytes)", value.len())
    } else if secret && !name.ends_with("_FILE") {
        "(not shown)".into()
    } else {
        value.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ours_is_shown_and_no_secret() {
        let vars = [
            ("DATABASE_PASSWORD", "hunter2"),
            ("LINKERD2_PROXY_LOG", "say \"hi\"\n"),
            ("MESH_PROXY_API_KEY", "hunter2"),
            ("MESH_PROXY_IDENTITY_TOKEN_FILE", "/run/token"),
            (
                "MESH_PROXY_IDENTITY_TRUST_ANCHORS",
                "-----BEGIN CERTIFICATE-----",
            ),
            ("MESH_PROXY_INBOUND_ACCEPT_KEEPALIVE", "10s"),
        ];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = concat!(
            "{\n  \"LINKERD2_PROXY_LOG\": \"say \\\"hi\\\"\\n\",",
            "\n  \"MESH_PROXY_API_KEY\": \"(not shown)\",",
            "\n  \"MESH_PROXY_IDENTITY_TOKEN_FILE\": \"/run/token\",",
            "\n  \"MESH_PROXY_IDENTITY_TRUST_ANCHORS\": \"(PEM, 27 bytes)\",",
            "\n  \"MESH_PROXY_INBOUND_ACCEPT_KEEPALIVE\": \"10s\"\n}\n",
        );
        assert_eq!(render(&Vars::from(vars)), expected);
        assert_eq!(render(&Vars::new()), "{\n}\n");
    }
}
