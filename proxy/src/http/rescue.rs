//! Turns an error into the answer the client understands.
//!
//! HTTP gets the status of the table, gRPC a trailers-only response with the
//! code, both `l5d-proxy-error`, which inbound shows to meshed clients only.
//! An HTTP/2 reset by the server is passed on as a reset: an invented answer
//! would hide from the client that its stream was cancelled.

use super::{
    Version,
    body::ResponseBody,
    error::{Kind, ProxyError},
    framing::Handle,
    headers,
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_layer::Layer;
use tower_service::Service;

/// Told of every error that became an answer.
pub trait OnError: Send + Sync {
    /// Counts it.
    fn on_error(&self, kind: Kind);
}

/// Puts [`Rescue`] around a service.
#[derive(Clone)]
pub struct RescueLayer {
    on_error: Arc<dyn OnError>,
    explain: bool,
}

/// See the module.
#[derive(Clone)]
pub struct Rescue<S> {
    inner: S,
    layer: RescueLayer,
}

impl RescueLayer {
    /// `explain` adds `l5d-proxy-error` to answers.
    pub fn new(on_error: Arc<dyn OnError>, explain: bool) -> Self {
        Self { on_error, explain }
    }
}

impl<S> Layer<S> for RescueLayer {
    type Service = Rescue<S>;

    fn layer(&self, inner: S) -> Rescue<S> {
        Rescue {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, Req, B> Service<Request<Req>> for Rescue<S>
where
    S: Service<Request<Req>, Response = Response<B>, Error = ProxyError>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = h2::Error;
    type Future = RescueFuture<S::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        // Nothing below holds back work here: what is not ready is waited for,
        // or refused, inside of `call`, where there is a request to answer.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: Request<Req>) -> Self::Future {
        RescueFuture {
            version: Version::of(&req),
            grpc: headers::is_grpc(req.headers()),
            framing: req.extensions().get::<Handle>().cloned(),
            layer: self.layer.clone(),
            inner: self.inner.call(req),
        }
    }
}

pin_project! {
    /// Future of [`Rescue`].
    pub struct RescueFuture<F> {
        #[pin]
        inner: F,
        version: Version,
        grpc: bool,
        // Of a request whose body may break HTTP yet.
        framing: Option<Handle>,
        layer: RescueLayer,
    }
}

impl<F, B> Future for RescueFuture<F>
where
    F: Future<Output = Result<Response<B>, ProxyError>>,
{
    type Output = Result<Response<ResponseBody<B>>, h2::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let error = match ready!(this.inner.poll(cx)) {
            Ok(rsp) => return Poll::Ready(Ok(rsp.map(ResponseBody::Upstream))),
            Err(error) => match this.framing.as_ref().and_then(Handle::in_body) {
                Some(violation) => error.caused_by_request(violation),
                None => error,
            },
        };
        this.layer.on_error.on_error(error.kind());
        tracing::debug!(%error, "Request failed");
        if *this.version == Version::H2
            && let Some(reason) = error.reset()
        {
            return Poll::Ready(Err(reason.into()));
        }
        Poll::Ready(Ok(respond(&error, *this.grpc, this.layer.explain)))
    }
}

/// The answer for an error.
pub fn respond<B>(error: &ProxyError, grpc: bool, explain: bool) -> Response<ResponseBody<B>> {
    let row = error.kind().row();
    let explanation = explain
        .then(|| HeaderValue::try_from(error.explain()).ok())
        .flatten();
    let mut rsp = Response::new(ResponseBody::Own(None));
    let headers = rsp.headers_mut();
    if grpc {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        headers.insert(
            super::classify::GRPC_STATUS,
            HeaderValue::from(u16::from(row.grpc)),
        );
        if let Some(explanation) = &explanation {
            headers.insert("grpc-message", explanation.clone());
        }
    }
    if let Some(explanation) = explanation {
        headers.insert(headers::PROXY_ERROR, explanation);
    }
    if !grpc {
        *rsp.status_mut() = row.status;
        // The client's next request needs a new connection, not this one.
        if row.status == StatusCode::BAD_REQUEST {
            rsp.headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        own_text(&mut rsp, error, explain);
    }
    rsp
}

/// A line for people; `curl` shows bodies, not headers.
fn own_text<B>(rsp: &mut Response<ResponseBody<B>>, error: &ProxyError, explain: bool) {
    if explain {
        let text = Bytes::from(format!("{}\n", error.explain()));
        rsp.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        *rsp.body_mut() = ResponseBody::Own(Some(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use tower::{ServiceExt, service_fn};

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl OnError for Count {
        fn on_error(&self, _: Kind) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    type Rsp = Response<ResponseBody<hyper::body::Incoming>>;

    async fn rescue(
        req: Request<()>,
        cause: fn() -> super::super::error::BoxError,
    ) -> Result<Rsp, h2::Error> {
        let inner = service_fn(move |_: Request<()>| async move {
            Err::<Response<hyper::body::Incoming>, _>(ProxyError::new(
                Kind::FailFast,
                "balance",
                "web:80",
                cause(),
            ))
        });
        RescueLayer::new(Arc::new(Count::default()), true)
            .layer(inner)
            .oneshot(req)
            .await
    }

    #[tokio::test]
    async fn http_gets_a_status_and_grpc_a_code() {
        let plain = || "no endpoint was ready".into();
        let rsp = rescue(Request::new(()), plain).await.unwrap();
        assert_eq!(rsp.status(), 503);
        let text = rsp.headers()[headers::PROXY_ERROR].to_str().unwrap();
        assert!(text.contains("target=web:80"), "{text}");

        let mut req = Request::new(());
        req.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc+proto"),
        );
        let rsp = rescue(req, plain).await.unwrap();
        assert_eq!(rsp.status(), 200);
        assert_eq!(rsp.headers()["grpc-status"], "14");
    }

    #[tokio::test]
    async fn a_reset_stays_a_reset_for_http2() {
        let reset = || h2::Error::from(h2::Reason::CANCEL).into();
        let mut req = Request::new(());
        *req.version_mut() = http::Version::HTTP_2;
        let error = rescue(req, reset).await.unwrap_err();
        assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
        // HTTP/1 has no resets: an answer that can't be taken for success.
        assert_eq!(rescue(Request::new(()), reset).await.unwrap().status(), 503);
    }
}
