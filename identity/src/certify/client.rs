//! Who is asked for a certificate.

use std::future::Future;

use linkerd2_proxy_api::identity::identity_client::IdentityClient;
use linkerd2_proxy_api::identity::{CertifyRequest, CertifyResponse};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};

/// Something that answers `io.linkerd.proxy.identity.Identity/Certify`: a gRPC
/// client over any channel, or a test.
pub trait Certifier: Send + 'static {
    /// Sends one request. The caller puts a time limit on it.
    fn certify(
        &mut self,
        request: CertifyRequest,
    ) -> impl Future<Output = Result<CertifyResponse, tonic::Status>> + Send;
}

impl<T> Certifier for IdentityClient<T>
where
    T: GrpcService<Body> + Send + 'static,
    T::Error: Into<StdError>,
    T::Future: Send,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    async fn certify(&mut self, request: CertifyRequest) -> Result<CertifyResponse, tonic::Status> {
        Ok(IdentityClient::certify(self, request).await?.into_inner())
    }
}
