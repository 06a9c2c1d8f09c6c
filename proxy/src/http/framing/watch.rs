//! Sees the answers, which decide whether a connection stays HTTP.

use super::answers::Handle;
use crate::http::headers::find;
use http::{Method, Request, Response, StatusCode, header::TRANSFER_ENCODING};
use hyper::service::Service;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A service that tells the [`Guarded`](super::Guarded) stream under it what it answered.
#[derive(Clone, Debug)]
pub struct Watched<S> {
    service: S,
    handle: Handle,
}

pin_project! {
    /// The future of [`Watched`].
    #[derive(Debug)]
    pub struct WatchedFuture<F> {
        #[pin]
        future: F,
        connect: bool,
        handle: Handle,
    }
}

impl Handle {
    /// Wraps the connection's service, outermost: every answer must pass here.
    pub fn watch<S>(&self, service: S) -> Watched<S> {
        Watched {
            service,
            handle: self.clone(),
        }
    }
}

impl<S, In, Out> Service<Request<In>> for Watched<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = WatchedFuture<S::Future>;

    fn call(&self, mut request: Request<In>) -> Self::Future {
        let connect = request.method() == Method::CONNECT;
        let handle = self.handle.clone();
        // Only a body in chunks can still turn out to be a violation.
        if find(request.headers(), &TRANSFER_ENCODING).is_some() {
            request.extensions_mut().insert(handle.clone());
        }
        WatchedFuture {
            future: self.service.call(request),
            connect,
            handle,
        }
    }
}

impl<F, Out, E> Future for WatchedFuture<F>
where
    F: Future<Output = Result<Response<Out>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(cx));
        // After an error hyper closes the connection: there is nothing to decide.
        if let Ok(response) = &answer {
            this.handle
                .answered(makes_tunnel(*this.connect, response.status()));
        }
        Poll::Ready(answer)
    }
}

/// RFC 9110: 101 (15.2.2), or any success of CONNECT (9.3.6). hyper does the same.
fn makes_tunnel(connect: bool, status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || connect && status.is_success()
}
