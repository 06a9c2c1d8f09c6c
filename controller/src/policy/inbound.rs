//! `InboundServerPolicies`: what a workload's proxy lets in, by port.

use super::{DETECT_TIMEOUT, duration};
use crate::{
    context::Workload,
    grpc::frames::{self, Unframed},
    hub::Hub,
    metrics::Rpc,
    model::inbound::{Authorization, InboundQuery, InboundView},
    stream::{self, Limits, Updates},
};
use ipnet::IpNet;
use linkerd2_proxy_api::{
    http_route::{HttpRouteMatch, PathMatch, path_match},
    http_types::{HttpMethod, http_method},
    inbound::{
        Authn, Authz, HttpRoute, IdentitySuffix, Network, PortSpec, ProxyProtocol, Server,
        authn::{
            Permit, PermitMeshTls, PermitUnauthenticated,
            permit_mesh_tls::{Clients, PermitClientIdentities},
        },
        http_route::Rule,
        inbound_server_policies_server::InboundServerPolicies,
        proxy_protocol::{Detect, Kind, Opaque},
    },
    meta::{Metadata, metadata},
};
use std::{collections::HashMap, sync::Arc};
use tonic::{Request, Response, Status};

/// The service, cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    hub: Arc<Hub>,
    limits: Limits,
}

impl Inbound {
    pub(crate) fn new(hub: Arc<Hub>, limits: Limits) -> Self {
        Self { hub, limits }
    }

    fn get(&self, spec: &PortSpec) -> Result<Server, Status> {
        let query = query(spec)?;
        let view = self.hub.get(&query).ok_or_else(|| unknown(&query))?;
        Ok(server(&view))
    }

    fn watch(&self, spec: &PortSpec) -> Result<Updates<Server>, Status> {
        let query = query(spec)?;
        let missing = unknown(&query);
        let watch = self.hub.watch(query);
        if watch.borrow().is_none() {
            return Err(missing);
        }
        let next = stream::latest(server);
        Ok(stream::start(Rpc::WatchPort, &self.limits, watch, next))
    }
}

#[tonic::async_trait]
impl InboundServerPolicies for Inbound {
    type WatchPortStream = Unframed<Server>;

    async fn get_port(&self, request: Request<PortSpec>) -> Result<Response<Server>, Status> {
        Rpc::GetPort.answered(self.get(request.get_ref()).map(Response::new))
    }

    async fn watch_port(
        &self,
        request: Request<PortSpec>,
    ) -> Result<Response<Self::WatchPortStream>, Status> {
        Rpc::WatchPort.answered(self.watch(request.get_ref()).map(frames::response))
    }
}

fn query(spec: &PortSpec) -> Result<InboundQuery, Status> {
    let invalid = |error: &dyn std::fmt::Display| Status::invalid_argument(error.to_string());
    let Workload { ns, pod } = spec.workload.parse().map_err(|error| invalid(&error))?;
    let port = u16::try_from(spec.port).ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| invalid(&format!("port {} is not in 1-65535", spec.port)))?;
    Ok(InboundQuery {
        namespace: ns,
        pod,
        port,
    })
}

fn unknown(query: &InboundQuery) -> Status {
    Status::not_found(format!("pod {}/{} not found", query.namespace, query.pod))
}

fn server(view: &InboundView) -> Server {
    let name = view.policy.name();
    let kind = match view.opaque {
        true => Kind::Opaque(Opaque {}),
        false => Kind::Detect(Detect {
            timeout: Some(duration(DETECT_TIMEOUT)),
            http_routes: routes(view),
            http_local_rate_limit: None,
        }),
    };
    let authorizations = view.authorizations.iter();
    Server {
        protocol: Some(ProxyProtocol { kind: Some(kind) }),
        server_ips: Vec::new(),
        authorizations: authorizations.map(|a| authorization(a, name)).collect(),
        labels: labels(name),
    }
}

/// Requests of the kubelet's probes have no identity: they have a route of
/// their own, which lets them in whatever the policy is.
fn routes(view: &InboundView) -> Vec<HttpRoute> {
    let mut routes = vec![route(
        "default",
        Vec::new(),
        vec![path(path_match::Kind::Prefix("/".to_owned()))],
    )];
    if !view.probes.is_empty() && !view.probe_networks.is_empty() {
        let kubelet = Authorization {
            networks: view.probe_networks.clone(),
            authenticated: false,
        };
        let matches = view.probes.iter().map(|probe| HttpRouteMatch {
            method: Some(HttpMethod {
                r#type: Some(http_method::Type::Registered(
                    http_method::Registered::Get.into(),
                )),
            }),
            ..path(path_match::Kind::Exact(probe.clone()))
        });
        let authorization = authorization(&kubelet, "probe");
        routes.insert(0, route("probe", vec![authorization], matches.collect()));
    }
    routes
}

fn route(name: &str, authorizations: Vec<Authz>, matches: Vec<HttpRouteMatch>) -> HttpRoute {
    HttpRoute {
        metadata: Some(default_metadata(name)),
        hosts: Vec::new(),
        authorizations,
        rules: vec![Rule {
            matches,
            filters: Vec::new(),
        }],
    }
}

fn path(kind: path_match::Kind) -> HttpRouteMatch {
    HttpRouteMatch {
        path: Some(PathMatch { kind: Some(kind) }),
        ..HttpRouteMatch::default()
    }
}

fn authorization(authorization: &Authorization, name: &str) -> Authz {
    let network = |net: &IpNet| Network {
        net: Some((*net).into()),
        except: Vec::new(),
    };
    let permit = match authorization.authenticated {
        false => Permit::Unauthenticated(PermitUnauthenticated {}),
        // A suffix without parts is the end of every name.
        true => Permit::MeshTls(PermitMeshTls {
            clients: Some(Clients::Identities(PermitClientIdentities {
                identities: Vec::new(),
                suffixes: vec![IdentitySuffix { parts: Vec::new() }],
            })),
        }),
    };
    Authz {
        networks: authorization.networks.iter().map(network).collect(),
        authentication: Some(Authn {
            permit: Some(permit),
        }),
        labels: labels(name),
        metadata: Some(default_metadata(name)),
    }
}

fn labels(name: &str) -> HashMap<String, String> {
    let labels = [("group", ""), ("kind", "default"), ("name", name)];
    labels
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

fn default_metadata(name: &str) -> Metadata {
    Metadata {
        kind: Some(metadata::Kind::Default(name.to_owned())),
    }
}
