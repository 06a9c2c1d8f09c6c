//! An API server for tests: a function from requests to answers.

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::Full;
use kube::Client;
use kube::client::Body;
use serde_json::Value;

use super::Cluster;

/// A cluster whose API server answers a method and path, as in `GET /version`, with a status and an object.
pub(crate) fn cluster(
    answer: impl Fn(&str) -> (u16, Value) + Clone + Send + Sync + 'static,
) -> Cluster {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (status, object) = answer(&format!("{} {}", request.method(), request.uri()));
        let response = Response::builder().status(status);
        let response = response.body(Full::<bytes::Bytes>::from(object.to_string()));
        async move { Ok::<_, Infallible>(response.expect("the status is a valid one")) }
    });
    Cluster {
        client: Client::new(service, "default"),
        namespace: "mesh".to_owned(),
        default_namespace: "default".to_owned(),
        address: "https://cluster.test:6443".to_owned(),
    }
}
