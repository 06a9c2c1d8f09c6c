//! `io.linkerd.proxy.identity.Identity/Certify`.
//!
//! The order of checks is Linkerd's (features.md 4.5): is there an issuer, can the
//! request be understood, may the CSR ask for that, does the token show that its
//! bearer is the workload. CSR, leaf and intermediates are DER, whatever the
//! proto's comments say. Status messages go to the workload's log, so they say
//! what to do; they never repeat the token.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use linkerd2_proxy_api::identity::identity_server::{Identity, IdentityServer};
use linkerd2_proxy_api::identity::{CertifyRequest, CertifyResponse};
use tonic::{Request, Response, Status};

use crate::csr::{self, CheckedKey, CsrError};
use crate::issuer::{IssueError, Issued, IssuerHandle, Validity};
use crate::metrics::ServiceMetrics;
use crate::name::{IdentityName, NameError};
use crate::token::{Token, TokenError, TokenVerifier};

#[cfg(test)]
mod tests;

/// A request is a name, a token and a CSR: a few kilobytes.
const MAX_REQUEST: usize = 64 * 1024;

/// Signs certificates for workloads that show who they are.
pub struct Certify {
    issuer: IssuerHandle,
    verifier: Arc<dyn TokenVerifier>,
    mesh: Mesh,
    validity: Validity,
    metrics: ServiceMetrics,
}

/// Which names the service gives out.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// Namespace of the control plane.
    pub namespace: String,
    /// Trust domain.
    pub trust_domain: String,
}

impl Certify {
    /// Puts the service together.
    #[must_use]
    pub fn new(
        issuer: IssuerHandle,
        verifier: Arc<dyn TokenVerifier>,
        mesh: Mesh,
        validity: Validity,
    ) -> Self {
        Self {
            issuer,
            verifier,
            mesh,
            validity,
            metrics: ServiceMetrics::new(),
        }
    }

    /// As a gRPC service, with a limit on the size of requests.
    #[must_use]
    pub fn into_server(self) -> IdentityServer<Self> {
        IdentityServer::new(self).max_decoding_message_size(MAX_REQUEST)
    }

    async fn answer(
        &self,
        request: CertifyRequest,
        now: SystemTime,
    ) -> Result<CertifyResponse, Status> {
        let CertifyRequest {
            identity,
            token,
            certificate_signing_request: csr,
        } = request;
        let (name, key) = check_request(&identity, &csr)?;
        let token = Token::from_bytes(token).map_err(|e| token_status(&e))?;
        self.check_bearer(&token, &name, now).await?;
        sign(&self.issuer, &name, &key, self.validity, now)
    }

    async fn check_bearer(
        &self,
        token: &Token,
        name: &IdentityName,
        now: SystemTime,
    ) -> Result<(), Status> {
        let bearer = self
            .verifier
            .verify(token, now)
            .await
            .map_err(|e| token_status(&e))?;
        let Mesh {
            namespace,
            trust_domain,
        } = &self.mesh;
        let bearer = bearer
            .identity(namespace, trust_domain)
            .map_err(|e| Status::failed_precondition(e.to_string()))?;
        if bearer == *name {
            return Ok(());
        }
        Err(Status::failed_precondition(format!(
            "the token belongs to {bearer}, but the request is for {name}; check the workload's token file, IDENTITY_LOCAL_NAME and trust domain"
        )))
    }
}

#[tonic::async_trait]
impl Identity for Certify {
    async fn certify(
        &self,
        request: Request<CertifyRequest>,
    ) -> Result<Response<CertifyResponse>, Status> {
        let answer = self.answer(request.into_inner(), SystemTime::now()).await;
        self.metrics
            .answered(answer.as_ref().err().map(Status::code));
        if let Err(status) = &answer {
            tracing::info!(code = ?status.code(), reason = status.message(), "Not certified");
        }
        answer.map(Response::new)
    }
}

/// What can be judged without knowing who asks.
pub(crate) fn check_request(
    identity: &str,
    csr: &[u8],
) -> Result<(IdentityName, CheckedKey), Status> {
    let name: IdentityName = identity
        .parse()
        .map_err(|e: NameError| Status::invalid_argument(e.to_string()))?;
    let key = csr::check(csr, &name).map_err(|e| csr_status(&e))?;
    Ok((name, key))
}

/// Issues for a workload that has shown who it is.
pub(crate) fn sign(
    issuer: &IssuerHandle,
    name: &IdentityName,
    key: &CheckedKey,
    validity: Validity,
    now: SystemTime,
) -> Result<CertifyResponse, Status> {
    let issued = issuer
        .current()
        .issue(name, key, validity, now)
        .map_err(|e| issue_status(&e))?;
    let valid_for = issued.not_after.duration_since(now).unwrap_or_default();
    tracing::info!(%name, ?valid_for, "Certified");
    Ok(response(issued))
}

fn csr_status(error: &CsrError) -> Status {
    if error.is_malformed() {
        Status::invalid_argument(error.to_string())
    } else {
        Status::failed_precondition(error.to_string())
    }
}

fn token_status(error: &TokenError) -> Status {
    let message = error.to_string();
    match error {
        TokenError::Malformed(_) => Status::invalid_argument(message),
        TokenError::Unavailable(_) => Status::unavailable(message),
        _ => Status::failed_precondition(message),
    }
}

fn issue_status(error: &IssueError) -> Status {
    match error {
        IssueError::Expired => Status::unavailable(error.to_string()),
        IssueError::Sign(_) => Status::internal(error.to_string()),
    }
}

fn response(issued: Issued) -> CertifyResponse {
    let since = issued
        .not_after
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    CertifyResponse {
        leaf_certificate: issued.leaf.to_vec(),
        intermediate_certificates: issued.intermediates.iter().map(|c| c.to_vec()).collect(),
        valid_until: Some(prost_types::Timestamp {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: 0,
        }),
    }
}

impl std::fmt::Debug for Certify {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certify")
            .field("mesh", &self.mesh)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}
