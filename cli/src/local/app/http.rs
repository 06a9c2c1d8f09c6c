//! The HTTP side of the application.

use ::http::{HeaderValue, Request, Response, StatusCode, header};
use tonic::body::Body;

use super::App;
use super::behaviour::Outcome;

/// Answers with the replica's name and the request as it arrived, which is what a reader with curl wants to see.
pub(super) fn serve<B>(app: &App, outcome: Outcome, request: &Request<B>) -> Response<Body> {
    let (status, text) = match outcome {
        Outcome::Answer => (StatusCode::OK, greeting(app.name(), request)),
        Outcome::Fail => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{} fails now and then, on purpose\n", app.name()),
        ),
    };
    let mut response = Response::new(Body::new(http_body_util::Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

fn greeting<B>(name: &str, request: &Request<B>) -> String {
    let mut text = format!(
        "Hello from {name}. You sent:\n\n{} {} {:?}\n",
        request.method(),
        request.uri(),
        request.version()
    );
    for (header, value) in request.headers() {
        text += &format!("{header}: {}\n", String::from_utf8_lossy(value.as_bytes()));
    }
    text
}
