//! The service's own certificate: from its own issuer, by the same loop that
//! every workload runs, only without a network and a token between.

use std::time::SystemTime;

use linkerd2_proxy_api::identity::{CertifyRequest, CertifyResponse};
use tonic::Status;

use crate::certify::Certifier;
use crate::issuer::{IssuerHandle, Validity};
use crate::service;

pub(super) struct Local {
    issuer: IssuerHandle,
    validity: Validity,
}

impl Local {
    pub(super) fn new(issuer: IssuerHandle, validity: Validity) -> Self {
        Self { issuer, validity }
    }
}

impl Certifier for Local {
    async fn certify(&mut self, request: CertifyRequest) -> Result<CertifyResponse, Status> {
        let csr = &request.certificate_signing_request;
        let (name, key) = service::check_request(&request.identity, csr)?;
        service::sign(&self.issuer, &name, &key, self.validity, SystemTime::now())
    }
}
