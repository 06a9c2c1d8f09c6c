//! Policies of inbound ports.
//!
//! What decides who may do what is never guessed. A route may have conditions
//! that this proxy can't check yet (hosts, headers, query parameters, regular
//! expressions). To drop the condition or the route would let somebody in; to
//! drop the policy would leave the default in force, which may let everybody in.
//! So such a match is kept with its path and method alone, marked as unclear, and
//! the requests it may be for are denied; all else of the policy holds.

use super::{InField as _, Invalid, duration, each, metadata};
use crate::policy::{
    Authentication, Authorization, InboundRoute, Metadata, ServerPolicy, ServerProtocol,
    inbound::{Network, PathMatch, RouteMatch},
};
use ipnet::IpNet;
use linkerd2_proxy_api::{
    grpc_route::GrpcRouteMatch,
    http_route::{HostMatch, HttpRouteMatch, path_match},
    inbound::{
        self as api, authn,
        authn::permit_mesh_tls::{Clients, PermitClientIdentities},
        proxy_protocol::Kind,
    },
    meta, net,
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Converts a policy; `detect_timeout` is for one that names none.
pub(in crate::discovery) fn server(
    server: api::Server,
    detect_timeout: Duration,
) -> Result<ServerPolicy, Invalid> {
    let kind = server.protocol.and_then(|protocol| protocol.kind);
    let kind = kind.ok_or_else(|| Invalid::missing("protocol.kind"))?;
    let (protocol, routes) = protocol(kind, detect_timeout).in_field("protocol")?;
    Ok(ServerPolicy {
        meta: labels_metadata(&server.labels),
        protocol,
        authorizations: each("authorizations", server.authorizations, authorization)?.into(),
        routes: routes.into(),
    })
}

fn protocol(
    kind: Kind,
    detect_timeout: Duration,
) -> Result<(ServerProtocol, Vec<InboundRoute>), Invalid> {
    let http = |field, routes| each(field, routes, http_route);
    Ok(match kind {
        Kind::Detect(detect) => {
            let timeout = duration("detect.timeout", detect.timeout)?.unwrap_or(detect_timeout);
            let routes = http("detect.http_routes", detect.http_routes)?;
            (ServerProtocol::Detect { timeout }, routes)
        }
        Kind::Http1(http1) => (ServerProtocol::Http1, http("http1.routes", http1.routes)?),
        Kind::Http2(http2) => (ServerProtocol::Http2, http("http2.routes", http2.routes)?),
        Kind::Grpc(grpc) => {
            let routes = each("grpc.routes", grpc.routes, grpc_route)?;
            (ServerProtocol::Http2, routes)
        }
        Kind::Opaque(_) => (ServerProtocol::Opaque, Vec::new()),
        Kind::Tls(_) => (ServerProtocol::Tls, Vec::new()),
    })
}

/// The server's object is told as labels.
fn labels_metadata(labels: &HashMap<String, String>) -> Arc<Metadata> {
    let label = |name| Arc::from(labels.get(name).map_or("", |value: &String| value));
    Arc::new(Metadata {
        group: label("group"),
        kind: label("kind"),
        namespace: label("namespace"),
        name: label("name"),
        ..Metadata::default()
    })
}

fn authorization(authz: api::Authz) -> Result<Authorization, Invalid> {
    let authentication = authz.authentication.and_then(|authn| authn.permit);
    let authentication = authentication.ok_or_else(|| Invalid::missing("authentication.permit"))?;
    Ok(Authorization {
        // Older controllers send labels alone.
        meta: match authz.metadata {
            Some(meta) => metadata(Some(meta)),
            None => labels_metadata(&authz.labels),
        },
        networks: each("networks", authz.networks, network)?,
        authentication: self::authentication(authentication)?,
    })
}

fn network(network: api::Network) -> Result<Network, Invalid> {
    let net = network.net.ok_or_else(|| Invalid::missing("net"))?;
    Ok(Network {
        net: ip_net(net).in_field("net")?,
        except: each("except", network.except, ip_net)?,
    })
}

fn ip_net(net: net::IpNetwork) -> Result<IpNet, Invalid> {
    if net.ip.as_ref().is_none_or(|ip| ip.ip.is_none()) {
        return Err(Invalid::missing("ip"));
    }
    let prefix = net.prefix_len;
    net.try_into()
        .map_err(|error| Invalid::new("prefix_len", format_args!("{prefix}: {error}")))
}

fn authentication(permit: authn::Permit) -> Result<Authentication, Invalid> {
    let tls = match permit {
        authn::Permit::Unauthenticated(_) => return Ok(Authentication::Unauthenticated),
        authn::Permit::MeshTls(tls) => tls.clients,
    };
    match tls.ok_or_else(|| Invalid::missing("authentication.meshTLS.clients"))? {
        Clients::Unauthenticated(_) => Ok(Authentication::TlsUnauthenticated),
        Clients::Identities(PermitClientIdentities {
            identities,
            suffixes,
        }) => Ok(Authentication::TlsAuthenticated {
            identities: identities.into_iter().map(|id| id.name.into()).collect(),
            suffixes: suffixes
                .into_iter()
                .map(|suffix| suffix.parts.join(".").into())
                .collect(),
        }),
    }
}

fn http_route(route: api::HttpRoute) -> Result<InboundRoute, Invalid> {
    let rules = route.rules.into_iter().map(|rule| rule.matches);
    let matches = alternatives(rules, http_match)?;
    inbound_route(route.metadata, &route.hosts, matches, route.authorizations)
}

fn grpc_route(route: api::GrpcRoute) -> Result<InboundRoute, Invalid> {
    let rules = route.rules.into_iter().map(|rule| rule.matches);
    let matches = alternatives(rules, grpc_match)?;
    inbound_route(route.metadata, &route.hosts, matches, route.authorizations)
}

fn inbound_route(
    meta: Option<meta::Metadata>,
    hosts: &[HostMatch],
    mut matches: Vec<RouteMatch>,
    authorizations: Vec<api::Authz>,
) -> Result<InboundRoute, Invalid> {
    let meta = metadata(meta);
    if !hosts.is_empty() {
        if matches.is_empty() {
            matches.push(all_paths());
        }
        for matched in &mut matches {
            matched.unclear = Some("hosts");
        }
    }
    for condition in matches.iter().filter_map(|matched| matched.unclear) {
        tracing::warn!(route = %meta, condition, "Route can't be checked; requests that it may be for are denied");
    }
    Ok(InboundRoute {
        meta,
        matches,
        authorizations: each("authorizations", authorizations, authorization)?.into(),
    })
}

fn all_paths() -> RouteMatch {
    RouteMatch {
        path: PathMatch::Prefix("/".into()),
        method: None,
        unclear: None,
    }
}

/// The matches of all rules: any of them is enough. A rule without matches, or a
/// route without rules, is for every request, which is said by an empty list.
fn alternatives<M>(
    rules: impl Iterator<Item = Vec<M>>,
    convert: impl Fn(M) -> Result<RouteMatch, Invalid>,
) -> Result<Vec<RouteMatch>, Invalid> {
    let mut all = Vec::new();
    for (index, matches) in rules.enumerate() {
        if matches.is_empty() {
            return Ok(Vec::new());
        }
        let field = format!("rules[{index}].matches");
        all.extend(each(&field, matches, &convert)?);
    }
    Ok(all)
}

fn http_match(matched: HttpRouteMatch) -> Result<RouteMatch, Invalid> {
    let mut unclear = None;
    let path = match matched.path.and_then(|path| path.kind) {
        Some(path_match::Kind::Prefix(prefix)) => PathMatch::Prefix(prefix.into()),
        Some(path_match::Kind::Exact(exact)) => PathMatch::Exact(exact.into()),
        Some(path_match::Kind::Regex(_)) => {
            unclear = Some("path.regex");
            PathMatch::Prefix("/".into())
        }
        None => PathMatch::Prefix("/".into()),
    };
    if !matched.headers.is_empty() {
        unclear = Some("headers");
    } else if !matched.query_params.is_empty() {
        unclear = Some("query_params");
    }
    let method = matched.method.map(http::Method::try_from).transpose();
    Ok(RouteMatch {
        path,
        method: method.map_err(|error| Invalid::new("method", error))?,
        unclear,
    })
}

fn grpc_match(matched: GrpcRouteMatch) -> Result<RouteMatch, Invalid> {
    let mut unclear = (!matched.headers.is_empty()).then_some("headers");
    let rpc = matched.rpc.unwrap_or_default();
    let path = match (&*rpc.service, &*rpc.method) {
        ("", "") => PathMatch::Prefix("/".into()),
        ("", _) => {
            unclear = Some("rpc.method without rpc.service");
            PathMatch::Prefix("/".into())
        }
        (service, "") => PathMatch::Prefix(format!("/{service}").into()),
        (service, method) => PathMatch::Exact(format!("/{service}/{method}").into()),
    };
    Ok(RouteMatch {
        path,
        method: None,
        unclear,
    })
}
