//! Filters that refuse: what a route answers by itself.

use crate::policy::RouteAction;
use http::StatusCode;
use linkerd2_proxy_api::{
    grpc_route::GrpcFailureInjector, http_route::Ratio, opaque_route, outbound as api,
};

pub(super) fn fail(status: StatusCode, message: &str) -> RouteAction {
    RouteAction::Fail {
        status,
        message: message.into(),
    }
}

/// Only a filter that fails every request is a failure of the route.
fn always(ratio: Option<&Ratio>) -> bool {
    ratio.is_none_or(|ratio| ratio.numerator >= ratio.denominator)
}

pub(super) fn http_failure(filter: api::http_route::filter::Kind) -> Option<RouteAction> {
    let api::http_route::filter::Kind::FailureInjector(failure) = filter else {
        return None;
    };
    let status = u16::try_from(failure.status).ok();
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    always(failure.ratio.as_ref()).then(|| {
        fail(
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            &failure.message,
        )
    })
}

pub(super) fn grpc_failure(filter: api::grpc_route::filter::Kind) -> Option<RouteAction> {
    let api::grpc_route::filter::Kind::FailureInjector(failure) = filter else {
        return None;
    };
    always(failure.ratio.as_ref()).then(|| fail(http_status(&failure), &failure.message))
}

/// The HTTP status whose gRPC code (by the error table) is the injected one, where
/// there is one.
fn http_status(failure: &GrpcFailureInjector) -> StatusCode {
    match tonic::Code::from_i32(i32::try_from(failure.code).unwrap_or_default()) {
        tonic::Code::PermissionDenied => StatusCode::FORBIDDEN,
        tonic::Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        tonic::Code::NotFound | tonic::Code::Unimplemented => StatusCode::NOT_FOUND,
        tonic::Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        tonic::Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

pub(super) fn opaque_failure(filter: api::opaque_route::filter::Kind) -> Option<RouteAction> {
    use api::opaque_route::filter::Kind;
    Some(match filter {
        Kind::Forbidden(_) => forbidden(),
        Kind::Invalid(invalid) => self::invalid(&invalid),
    })
}

pub(super) fn tls_failure(filter: api::tls_route::filter::Kind) -> Option<RouteAction> {
    use api::tls_route::filter::Kind;
    Some(match filter {
        Kind::Forbidden(_) => forbidden(),
        Kind::Invalid(invalid) => self::invalid(&invalid),
    })
}

fn forbidden() -> RouteAction {
    fail(StatusCode::FORBIDDEN, "the policy forbids it")
}

fn invalid(filter: &opaque_route::Invalid) -> RouteAction {
    fail(StatusCode::INTERNAL_SERVER_ERROR, &filter.message)
}
