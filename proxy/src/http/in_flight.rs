//! Bounds the requests in work, from their head to the end of the response.

use super::{
    body::{End, Observe, Observed},
    error::{Kind, ProxyError},
};
use crate::limits::{Limit, Permit};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_layer::Layer;
use tower_service::Service;

/// Puts [`InFlight`] around a service.
#[derive(Clone, Debug)]
pub struct InFlightLayer(Limit);

/// See the module.
#[derive(Clone, Debug)]
pub struct InFlight<S> {
    inner: S,
    limit: Limit,
}

impl InFlightLayer {
    /// All services with a clone of `limit` share it.
    pub fn new(limit: Limit) -> Self {
        Self(limit)
    }
}

impl<S> Layer<S> for InFlightLayer {
    type Service = InFlight<S>;

    fn layer(&self, inner: S) -> InFlight<S> {
        InFlight {
            inner,
            limit: self.0.clone(),
        }
    }
}

impl<S, B, R> Service<Request<B>> for InFlight<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = ProxyError>,
    R: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    type Response = Response<Observed<R, Permit>>;
    type Error = ProxyError;
    type Future = InFlightFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, req: Request<B>) -> Self::Future {
        match self.limit.try_acquire() {
            Ok(permit) => InFlightFuture::Admitted {
                future: self.inner.call(req),
                permit: Some(permit),
            },
            Err(error) => InFlightFuture::Shed {
                error: Some(ProxyError::new(Kind::LoadShed, "admission", "proxy", error)),
            },
        }
    }
}

pin_project! {
    /// Future of [`InFlight`].
    #[allow(missing_docs)] // A future's states are its own business.
    #[project = InFlightFutureProject]
    pub enum InFlightFuture<F> {
        Admitted {
            #[pin]
            future: F,
            permit: Option<Permit>,
        },
        Shed {
            error: Option<ProxyError>,
        },
    }
}

impl<F, R> Future for InFlightFuture<F>
where
    F: Future<Output = Result<Response<R>, ProxyError>>,
    R: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    type Output = Result<Response<Observed<R, Permit>>, ProxyError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            InFlightFutureProject::Admitted { future, permit } => {
                let rsp = ready!(future.poll(cx))?;
                match permit.take() {
                    Some(permit) => Poll::Ready(Ok(rsp.map(|body| Observed::new(body, permit)))),
                    // Polled again after it was ready, which futures may not be.
                    None => Poll::Pending,
                }
            }
            InFlightFutureProject::Shed { error } => match error.take() {
                Some(error) => Poll::Ready(Err(error)),
                None => Poll::Pending,
            },
        }
    }
}

/// The permit is given back by the drop of the body.
impl Observe for Permit {
    fn data(&mut self, _: usize) {}
    fn end(&mut self, _: End<'_>) {}
}
