//! The outbound listener as the application's HTTP proxy.
//!
//! Where nothing redirects connections (a laptop, a VM) `http_proxy` leads here:
//! requests in absolute form (RFC 9112 section 3.2.2), CONNECT for any other
//! protocol, and HTTP/2 by prior knowledge with an authority. A keep-alive
//! connection nearly always stays with one target, so the last one is
//! remembered and not looked up again.

use super::{
    Outbound,
    http::{RouteResponse, Router},
    target::TargetStack,
};
use crate::{
    http::{
        Version,
        body::ResponseBody,
        error::{Kind, ProxyError},
        headers::find,
        orig_proto, upgrade,
    },
    policy::Target,
};
use http::{Method, Request, Response, header::HOST, uri::Scheme};
use hyper::body::Incoming;
use parking_lot::Mutex;
use std::{pin::Pin, sync::Arc};

/// Routes each request of a connection by the authority it names.
#[derive(Clone, Default)]
pub struct Explicit {
    last: Arc<Mutex<Option<Known>>>,
}

/// An authority and the target it named.
type Known = (Arc<str>, Arc<TargetStack>);

impl Router for Explicit {
    async fn route(
        &self,
        outbound: &Outbound,
        mut req: Request<Incoming>,
    ) -> Result<RouteResponse, ProxyError> {
        if req.method() == Method::CONNECT {
            return tunnel(outbound, req);
        }
        let target = self.target(outbound, &req).await?;
        if Version::of(&req) == Version::Http1 {
            to_server(&mut req);
        }
        target.send(&outbound.0, req).await
    }
}

impl Explicit {
    async fn target(
        &self,
        outbound: &Outbound,
        req: &Request<Incoming>,
    ) -> Result<Arc<TargetStack>, ProxyError> {
        let authority = authority(req)?;
        if req.uri().scheme() == Some(&Scheme::HTTPS) {
            let cause = "https would leave here in plaintext; use CONNECT, as clients do that have \
                         this listener as https_proxy";
            let kind = Kind::NotImplemented;
            return Err(ProxyError::new(kind, "target", authority, cause));
        }
        if let Some((last, target)) = &*self.last.lock()
            && **last == *authority
        {
            return Ok(target.clone());
        }
        let target = parse(outbound, authority, 80)?;
        let stack = Box::pin(outbound.0.target(&target)).await;
        *self.last.lock() = Some((authority.into(), stack.clone()));
        Ok(stack)
    }
}

/// What the request is for: absolute form or `:authority`, else Host.
fn authority(req: &Request<Incoming>) -> Result<&str, ProxyError> {
    if let Some(authority) = req.uri().authority() {
        return Ok(authority.as_str());
    }
    let host = find(req.headers(), &HOST).and_then(|host| host.to_str().ok());
    host.filter(|host| !host.is_empty()).ok_or_else(|| {
        let cause = "the request names no authority: send it in absolute form, as to an HTTP proxy";
        ProxyError::new(Kind::BadRequest, "target", "?", cause)
    })
}

fn parse(outbound: &Outbound, authority: &str, default_port: u16) -> Result<Target, ProxyError> {
    let target = Target::parse(authority, default_port)
        .map_err(|error| ProxyError::new(Kind::BadRequest, "target", authority, error))?;
    if outbound.is_loop(&target) {
        let cause = "the target is this proxy's own outbound listener";
        return Err(ProxyError::new(Kind::Loop, "target", authority, cause));
    }
    Ok(target)
}

/// A request to a proxy becomes one to the server: origin form, and the Host
/// that the absolute form names, whatever the client put there.
fn to_server(req: &mut Request<Incoming>) {
    if req.uri().authority().is_some() {
        orig_proto::to_origin_form(req);
    }
}

/// Answers CONNECT and serves what comes through as a connection to its target.
fn tunnel(outbound: &Outbound, mut req: Request<Incoming>) -> Result<RouteResponse, ProxyError> {
    let target = parse(outbound, authority(&req)?, 443)?;
    let upgraded = hyper::upgrade::on(&mut req);
    tokio::spawn(serve_tunnel(outbound.clone(), target, upgraded));
    Ok(Response::new(ResponseBody::Own(None)))
}

/// Boxed, because a tunnel is served like the connection it came on.
fn serve_tunnel(
    outbound: Outbound,
    target: Target,
    upgraded: hyper::upgrade::OnUpgrade,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match upgraded.await {
            Ok(io) => outbound.to_target(target, upgrade::bytes(io)).await,
            Err(error) => tracing::debug!(%error, %target, "Tunnel was not opened"),
        }
    })
}
