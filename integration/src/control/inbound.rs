//! `InboundServerPolicies`.

use super::{
    Shared,
    outbound::{default, duration},
    serve::changes,
};
use futures::{StreamExt, stream::BoxStream};
use linkerd2_proxy_api::http_route::{
    HeaderMatch, HttpRouteMatch, PathMatch, header_match, path_match,
};
use linkerd2_proxy_api::inbound::{
    Authn, Authz as AuthzMessage, HttpRoute, Identity, IdentitySuffix, Network, PortSpec,
    ProxyProtocol, Server,
    authn::{
        Permit, PermitMeshTls, PermitUnauthenticated,
        permit_mesh_tls::{Clients, PermitClientIdentities},
    },
    http_route::Rule,
    inbound_server_policies_server::InboundServerPolicies,
    proxy_protocol::{Detect, Http1, Http2, Kind, Opaque},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tonic::{Request, Response, Status, async_trait};

/// Who may connect to a port, and what is spoken there.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    name: &'static str,
    protocol: Protocol,
    authorizations: Vec<Authz>,
    routes: Vec<HttpRoute>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Protocol {
    Detect(Duration),
    Http1,
    Http2,
    Opaque,
}

/// One authorization.
#[derive(Clone, Debug, PartialEq)]
pub struct Authz {
    networks: Vec<String>,
    permit: PermitWho,
}

#[derive(Clone, Debug, PartialEq)]
enum PermitWho {
    Anyone,
    AnyTls,
    AnyIdentity,
    Identity(String),
}

const ALL: [&str; 2] = ["0.0.0.0/0", "::/0"];

impl Authz {
    fn new(permit: PermitWho) -> Self {
        let networks = ALL.map(str::to_owned).to_vec();
        Self { networks, permit }
    }

    /// Only for clients of these networks.
    #[must_use]
    pub fn from_networks(self, networks: &[&str]) -> Self {
        let networks = networks.iter().map(|net| (*net).to_owned()).collect();
        Self { networks, ..self }
    }

    /// Everyone.
    pub fn anyone() -> Self {
        Self::new(PermitWho::Anyone)
    }

    /// Everyone with TLS, with or without an identity.
    pub fn any_tls() -> Self {
        Self::new(PermitWho::AnyTls)
    }

    /// Everyone with an identity.
    pub fn any_identity() -> Self {
        Self::new(PermitWho::AnyIdentity)
    }

    /// One identity.
    pub fn identity(name: impl Into<String>) -> Self {
        Self::new(PermitWho::Identity(name.into()))
    }
}

impl Policy {
    /// Detection and these authorizations.
    pub fn of(name: &'static str, authorizations: impl IntoIterator<Item = Authz>) -> Self {
        Self {
            name,
            protocol: Protocol::Detect(Duration::from_secs(3)),
            authorizations: authorizations.into_iter().collect(),
            routes: Vec::new(),
        }
    }

    /// As Linkerd's default policy of that name; likewise below.
    pub fn all_unauthenticated() -> Self {
        Self::of("all-unauthenticated", [Authz::anyone()])
    }

    /// Any identity, from anywhere.
    pub fn all_authenticated() -> Self {
        Self::of("all-authenticated", [Authz::any_identity()])
    }

    /// Anyone of these networks.
    pub fn cluster_unauthenticated(networks: &[&str]) -> Self {
        Self::of(
            "cluster-unauthenticated",
            [Authz::anyone().from_networks(networks)],
        )
    }

    /// Any identity, of these networks.
    pub fn cluster_authenticated(networks: &[&str]) -> Self {
        Self::of(
            "cluster-authenticated",
            [Authz::any_identity().from_networks(networks)],
        )
    }

    /// Nobody.
    pub fn deny() -> Self {
        Self::of("deny", [])
    }

    /// Everyone, but noted.
    pub fn audit() -> Self {
        Self::of("audit", [Authz::anyone()])
    }

    /// How long first bytes are waited for.
    #[must_use]
    pub fn detecting_within(self, timeout: Duration) -> Self {
        let protocol = Protocol::Detect(timeout);
        Self { protocol, ..self }
    }

    /// With a route for all paths under `prefix`, in the order given; `headers`
    /// are also asked for.
    #[must_use]
    pub fn route(mut self, prefix: &str, headers: &[(&str, &str)]) -> Self {
        let header = |(name, value): &(&str, &str)| HeaderMatch {
            name: (*name).into(),
            value: Some(header_match::Value::Exact(value.as_bytes().into())),
        };
        let matched = HttpRouteMatch {
            path: Some(PathMatch {
                kind: Some(path_match::Kind::Prefix(prefix.into())),
            }),
            headers: headers.iter().map(header).collect(),
            ..HttpRouteMatch::default()
        };
        self.routes.push(HttpRoute {
            metadata: Some(default(self.name)),
            rules: vec![Rule {
                matches: vec![matched],
                filters: Vec::new(),
            }],
            ..HttpRoute::default()
        });
        self
    }

    /// The port speaks HTTP/1.
    #[must_use]
    pub fn http1(self) -> Self {
        let protocol = Protocol::Http1;
        Self { protocol, ..self }
    }

    /// The port speaks HTTP/2.
    #[must_use]
    pub fn http2(self) -> Self {
        let protocol = Protocol::Http2;
        Self { protocol, ..self }
    }

    /// The port is opaque.
    #[must_use]
    pub fn opaque(self) -> Self {
        let protocol = Protocol::Opaque;
        Self { protocol, ..self }
    }

    fn message(&self) -> Server {
        let kind = match self.protocol {
            Protocol::Detect(timeout) => Kind::Detect(Detect {
                timeout: Some(duration(timeout)),
                http_routes: self.routes.clone(),
                ..Detect::default()
            }),
            Protocol::Http1 => Kind::Http1(Http1::default()),
            Protocol::Http2 => Kind::Http2(Http2::default()),
            Protocol::Opaque => Kind::Opaque(Opaque {}),
        };
        let authorization = |authz: &Authz| authz.message(self.name);
        let labels = [("kind", "default"), ("name", self.name)];
        Server {
            protocol: Some(ProxyProtocol { kind: Some(kind) }),
            server_ips: Vec::new(),
            authorizations: self.authorizations.iter().map(authorization).collect(),
            labels: HashMap::from(labels.map(|(k, v)| (k.into(), v.into()))),
        }
    }
}

impl Authz {
    fn message(&self, name: &str) -> AuthzMessage {
        let mesh = |clients| {
            Permit::MeshTls(PermitMeshTls {
                clients: Some(clients),
            })
        };
        let permit = match &self.permit {
            PermitWho::Anyone => Permit::Unauthenticated(PermitUnauthenticated {}),
            PermitWho::AnyTls => mesh(Clients::Unauthenticated(PermitUnauthenticated {})),
            PermitWho::AnyIdentity => mesh(Clients::Identities(PermitClientIdentities {
                identities: Vec::new(),
                suffixes: vec![IdentitySuffix { parts: Vec::new() }],
            })),
            PermitWho::Identity(name) => mesh(Clients::Identities(PermitClientIdentities {
                identities: vec![Identity { name: name.clone() }],
                suffixes: Vec::new(),
            })),
        };
        let network = |net: &String| Network {
            net: Some(ip_network(net)),
            except: Vec::new(),
        };
        AuthzMessage {
            networks: self.networks.iter().map(network).collect(),
            authentication: Some(Authn {
                permit: Some(permit),
            }),
            labels: HashMap::new(),
            metadata: Some(default(name)),
        }
    }
}

fn ip_network(net: &str) -> linkerd2_proxy_api::net::IpNetwork {
    let (ip, prefix) = net.split_once('/').unwrap();
    let ip: std::net::IpAddr = ip.parse().unwrap();
    linkerd2_proxy_api::net::IpNetwork {
        ip: Some(ip.into()),
        prefix_len: prefix.parse().unwrap(),
    }
}

pub(super) struct InboundService(pub(super) Arc<Shared>);

#[async_trait]
impl InboundServerPolicies for InboundService {
    type WatchPortStream = BoxStream<'static, Result<Server, Status>>;

    async fn get_port(&self, _: Request<PortSpec>) -> Result<Response<Server>, Status> {
        Err(Status::unimplemented("proxies watch"))
    }

    async fn watch_port(
        &self,
        request: Request<PortSpec>,
    ) -> Result<Response<Self::WatchPortStream>, Status> {
        let PortSpec { workload, port } = request.into_inner();
        let port = u16::try_from(port).map_err(|_| Status::invalid_argument("port"))?;
        let policy = self.0.policy(&workload, port).subscribe();
        Ok(Response::new(
            changes(policy, Policy::message).map(Ok).boxed(),
        ))
    }
}
