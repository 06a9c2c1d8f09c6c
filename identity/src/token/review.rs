//! Tokens judged by the Kubernetes API server (TokenReview).
//!
//! Only the API server knows whether a service account token still holds: it checks
//! signature and audience, and that the pod it is bound to still exists. Answers are
//! not cached here. A proxy asks once per refresh, a few times a day, so a cache
//! would save next to nothing, while it would let the token of a deleted pod
//! pass for a little longer; the API server itself keeps good answers for 10 s.

use std::time::{Duration, SystemTime};

use http::{Request, header};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::Client;

use super::{ServiceAccount, Token, TokenError, TokenVerifier};
use crate::kubernetes::explain;

#[cfg(test)]
mod tests;

const PATH: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const RESOURCE: &str = "tokenreviews.authentication.k8s.io";
/// Below the time-out of Certify, so that the client learns what it was.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the API server for each token.
#[derive(Clone)]
pub struct ReviewVerifier {
    client: Client,
    audiences: Vec<String>,
}

impl ReviewVerifier {
    /// A token must have one of the audiences.
    #[must_use]
    pub fn new(client: Client, audiences: Vec<String>) -> Self {
        Self { client, audiences }
    }

    /// Asks. kube's typed calls would do, but they log an answer that can't be read,
    /// and the answer repeats the token.
    async fn review(&self, token: &Token) -> Result<TokenReview, TokenError> {
        let unavailable = |e: &kube::Error| TokenError::Unavailable(explain(e, "create", RESOURCE));
        let review = TokenReview {
            spec: TokenReviewSpec {
                audiences: Some(self.audiences.clone()),
                token: Some(token.as_str().to_owned()),
            },
            ..TokenReview::default()
        };
        let body =
            serde_json::to_vec(&review).map_err(|e| TokenError::Unavailable(e.to_string()))?;
        let request = Request::post(PATH)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|e| unavailable(&kube::Error::HttpError(e)))?;
        let answer = tokio::time::timeout(TIMEOUT, self.client.request_text(request))
            .await
            .map_err(|_| {
                let seconds = TIMEOUT.as_secs();
                TokenError::Unavailable(format!("the API server gave no answer in {seconds} s"))
            })?
            .map_err(|e| unavailable(&e))?;
        serde_json::from_str(&answer).map_err(|e| unavailable(&kube::Error::SerdeError(e)))
    }
}

#[tonic::async_trait]
impl TokenVerifier for ReviewVerifier {
    /// The API server's clock counts, not `now`.
    async fn verify(&self, token: &Token, _: SystemTime) -> Result<ServiceAccount, TokenError> {
        let status = self.review(token).await?.status.unwrap_or_default();
        if status.authenticated != Some(true) {
            let reason = status.error.filter(|reason| !reason.is_empty());
            let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
            return Err(TokenError::Refused(
                reason.replace(token.as_str(), "[token]"),
            ));
        }
        // An API server that does not know audiences ignores ours: such a token may be
        // meant for anyone.
        let granted = status.audiences.unwrap_or_default();
        if !granted.iter().any(|each| self.audiences.contains(each)) {
            return Err(TokenError::Audience(self.audiences.join(", ")));
        }
        let user = status.user.unwrap_or_default();
        ServiceAccount::from_username(&user.username.unwrap_or_default())
    }
}

impl std::fmt::Debug for ReviewVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReviewVerifier")
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}
