//! A layer that looks at a request, may change it, and may refuse it.
//!
//! Most of what a proxy does to a request is decided from its head alone; a
//! plain function is enough for that, and a refused request costs no future.

use super::{
    Version,
    error::{Kind, ProxyError},
};
use http::{Method, Request};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// Puts [`Check`] around a service.
#[derive(Clone, Debug)]
pub struct CheckLayer<F>(F);

/// See the module.
#[derive(Clone, Debug)]
pub struct Check<F, S> {
    check: F,
    inner: S,
}

/// A layer that calls `check` with each request.
pub fn check<F>(check: F) -> CheckLayer<F> {
    CheckLayer(check)
}

impl<F: Clone, S> Layer<S> for CheckLayer<F> {
    type Service = Check<F, S>;

    fn layer(&self, inner: S) -> Check<F, S> {
        Check {
            check: self.0.clone(),
            inner,
        }
    }
}

impl<F, S, B> Service<Request<B>> for Check<F, S>
where
    F: FnMut(&mut Request<B>) -> Result<(), ProxyError>,
    S: Service<Request<B>, Error = ProxyError>,
{
    type Response = S::Response;
    type Error = ProxyError;
    type Future = CheckFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut req: Request<B>) -> Self::Future {
        match (self.check)(&mut req) {
            Ok(()) => CheckFuture::Passed {
                future: self.inner.call(req),
            },
            Err(error) => CheckFuture::Refused { error: Some(error) },
        }
    }
}

/// Refuses CONNECT over HTTP/2: a tunnel in a stream is not implemented, and a
/// server that answers 200 must not make it look like one.
///
/// # Errors
/// [`Kind::NotImplemented`].
pub fn no_tunnel_in_a_stream<B>(req: &Request<B>) -> Result<(), ProxyError> {
    if req.method() != Method::CONNECT || Version::of(req) != Version::H2 {
        return Ok(());
    }
    let target = req.uri().to_string();
    let cause = "CONNECT over HTTP/2 is not implemented; use HTTP/1.1";
    Err(ProxyError::new(
        Kind::NotImplemented,
        "request",
        target,
        cause,
    ))
}

pin_project! {
    /// Future of [`Check`].
    #[allow(missing_docs)] // A future's states are its own business.
    #[project = CheckFutureProject]
    pub enum CheckFuture<F> {
        Passed {
            #[pin]
            future: F,
        },
        Refused {
            error: Option<ProxyError>,
        },
    }
}

impl<F, T> Future for CheckFuture<F>
where
    F: Future<Output = Result<T, ProxyError>>,
{
    type Output = Result<T, ProxyError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            CheckFutureProject::Passed { future } => future.poll(cx),
            CheckFutureProject::Refused { error } => match error.take() {
                Some(error) => Poll::Ready(Err(error)),
                // Polled again after it was ready, which futures may not be.
                None => Poll::Pending,
            },
        }
    }
}
