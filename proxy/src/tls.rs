//! Mutual TLS as the data path uses it.
//!
//! `mesh-identity` owns certificates, trust and verification; here is only which
//! ALPN goes with which kind of connection (wire form as linkerd2-proxy's): the
//! transport header is announced by `transport.l5d.io/v1`, and a connection
//! without it announces nothing.

use crate::{
    policy::ServerIdentity,
    transport::{
        connect::{ClientTls, Security},
        header,
    },
};
use mesh_identity::{Credentials, ServerId};
use rustls::{ServerConfig, pki_types::ServerName};
use std::sync::Arc;

/// Makes TLS configurations from our credentials.
#[derive(Clone, Debug)]
pub struct Tls {
    credentials: Credentials,
    intercepted: Arc<ServerConfig>,
    direct: Arc<ServerConfig>,
}

impl Tls {
    /// TLS with these credentials, which may still lack a certificate.
    pub fn new(credentials: Credentials) -> Self {
        Self {
            intercepted: credentials.server_config(Vec::new()),
            direct: credentials.server_config(vec![header::ALPN.to_vec()]),
            credentials,
        }
    }

    /// Our name, by which peers ask for us in SNI.
    pub fn name(&self) -> &str {
        self.credentials.name().as_str()
    }

    /// For connections that were meant for the application.
    pub fn intercepted(&self) -> Arc<ServerConfig> {
        self.intercepted.clone()
    }

    /// For connections to the inbound port itself, which carry a header.
    pub fn direct(&self) -> Arc<ServerConfig> {
        self.direct.clone()
    }

    /// How to secure connections to an endpoint. An identity that can't be
    /// verified makes connecting impossible: it never becomes plaintext.
    pub fn client(&self, identity: Option<&ServerIdentity>, with_header: bool) -> Security {
        let Some(identity) = identity else {
            return Security::Plain;
        };
        let id: ServerId = match identity.id.parse() {
            Ok(id) => id,
            Err(error) => return Security::Impossible(format!("{error}").into()),
        };
        let Ok(server_name) = ServerName::try_from(identity.server_name.to_string()) else {
            let text = format!("{:?} is no TLS server name", identity.server_name);
            return Security::Impossible(text.into());
        };
        let alpn = if with_header {
            vec![header::ALPN.to_vec()]
        } else {
            Vec::new()
        };
        Security::Mutual(ClientTls {
            config: self.credentials.client_config(&id, alpn),
            server_name,
        })
    }
}
