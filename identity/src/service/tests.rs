use std::time::Duration;

use rcgen::KeyPair;
use tonic::Code;

use super::*;
use crate::ca;
use crate::credentials::Credentials;
use crate::testing::{DAY, TestMesh, ca_options, csr as new_csr, dns, load, name};
use crate::token::{AUDIENCE, LocalTokenKey, LocalVerifier, ServiceAccount};

const HOUR: Duration = Duration::from_secs(3600);

struct Fixture {
    service: Certify,
    tokens: LocalTokenKey,
    mesh: TestMesh,
}

fn mesh_names() -> Mesh {
    Mesh {
        namespace: "mesh".to_owned(),
        trust_domain: "cluster.local".to_owned(),
    }
}

fn fixture() -> Fixture {
    let mesh = TestMesh::new();
    let tokens = LocalTokenKey::generate().unwrap();
    let verifier =
        LocalVerifier::from_pem(&tokens.public_key_pem(), &[AUDIENCE.to_owned()]).unwrap();
    let issuer = IssuerHandle::fixed(load(&mesh.made, &mesh.trust, SystemTime::now()));
    let service = Certify::new(
        issuer,
        Arc::new(verifier),
        mesh_names(),
        Validity::default(),
    );
    Fixture {
        service,
        tokens,
        mesh,
    }
}

impl Fixture {
    fn token(&self, service_account: &str) -> Vec<u8> {
        self.tokens
            .sign("shop", service_account, AUDIENCE, HOUR)
            .unwrap()
            .into_bytes()
    }

    fn request(&self) -> CertifyRequest {
        CertifyRequest {
            identity: name("web").to_string(),
            token: self.token("web"),
            certificate_signing_request: new_csr(vec![dns(name("web").as_str())]),
        }
    }

    async fn refusal(&self, change: impl FnOnce(&mut CertifyRequest)) -> Status {
        let mut request = self.request();
        change(&mut request);
        self.service
            .certify(Request::new(request))
            .await
            .unwrap_err()
    }
}

#[tokio::test]
async fn the_answer_is_der_that_peers_accept() {
    let fixture = fixture();
    let key = KeyPair::generate().unwrap();
    let mut request = fixture.request();
    request.certificate_signing_request = crate::testing::csr_of(&key, |p| {
        p.subject_alt_names = vec![dns(name("web").as_str())]
    });
    let answer = fixture
        .service
        .certify(Request::new(request))
        .await
        .unwrap()
        .into_inner();

    assert_eq!(
        answer.intermediate_certificates,
        [fixture.mesh.made.issuer.der().to_vec()]
    );
    let until = answer.valid_until.unwrap().seconds;
    let chain = std::iter::once(answer.leaf_certificate)
        .chain(answer.intermediate_certificates)
        .map(Into::into)
        .collect();
    let web = Credentials::new(name("web"), fixture.mesh.trust.clone());
    web.install(chain, key.serialize_der().into(), SystemTime::now())
        .unwrap();
    let expiry = web.expiry().unwrap().duration_since(UNIX_EPOCH).unwrap();
    assert_eq!(expiry.as_secs() as i64, until);
}

#[tokio::test]
async fn what_can_not_be_understood_is_an_invalid_argument() {
    let fixture = fixture();
    for status in [
        fixture.refusal(|r| r.identity.clear()).await,
        fixture
            .refusal(|r| "not an identity".clone_into(&mut r.identity))
            .await,
        fixture.refusal(|r| r.token.clear()).await,
        fixture.refusal(|r| r.token = b"garbled".to_vec()).await,
        fixture.refusal(|r| r.token = vec![0xff; 10]).await,
        fixture
            .refusal(|r| r.certificate_signing_request.clear())
            .await,
        fixture
            .refusal(|r| r.certificate_signing_request.truncate(50))
            .await,
    ] {
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(!status.message().is_empty());
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_a_failed_precondition() {
    let fixture = fixture();
    let (web, db) = (name("web"), name("db"));
    let two = new_csr(vec![dns(web.as_str()), dns(db.as_str())]);
    let stranger = LocalTokenKey::generate().unwrap();
    let stranger = stranger
        .sign("shop", "web", AUDIENCE, HOUR)
        .unwrap()
        .into_bytes();
    let past = SystemTime::now() - DAY;
    let expired = fixture
        .tokens
        .sign_at("shop", "web", AUDIENCE, HOUR, past)
        .unwrap();
    let vault = fixture.tokens.sign("shop", "web", "vault", HOUR).unwrap();
    for (status, why) in [
        (
            fixture
                .refusal(|r| r.certificate_signing_request = two)
                .await,
            "has 2 DNS names",
        ),
        (
            fixture.refusal(|r| r.identity = db.to_string()).await,
            "is for web.shop",
        ),
        (
            fixture.refusal(|r| r.token = fixture.token("db")).await,
            "the token belongs to db.shop",
        ),
        (
            fixture.refusal(|r| r.token = stranger).await,
            "does not fit our key",
        ),
        (
            fixture.refusal(|r| r.token = expired.into()).await,
            "the token expired 82",
        ),
        (
            fixture.refusal(|r| r.token = vault.into()).await,
            "another audience",
        ),
    ] {
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert!(status.message().contains(why), "{status}");
    }
}

#[tokio::test]
async fn another_trust_domain_is_not_ours_to_certify() {
    let fixture = fixture();
    let foreign = name("web")
        .to_string()
        .replace("cluster.local", "elsewhere");
    let csr = new_csr(vec![dns(&foreign)]);
    let change =
        |r: &mut CertifyRequest| (r.identity, r.certificate_signing_request) = (foreign, csr);
    let status = fixture.refusal(change).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("trust domain"), "{status}");
}

#[tokio::test]
async fn an_expired_issuer_is_unavailable() {
    let past = SystemTime::now() - 3 * DAY;
    let made = ca::generate(
        &ca::Options {
            issuer_lifetime: DAY,
            ..ca_options()
        },
        past,
    )
    .unwrap();
    let trust = crate::TrustBundle::from_pem(&made.root.pem()).unwrap();
    let mut fixture = fixture();
    fixture.service.issuer = IssuerHandle::fixed(load(&made, &trust, past));
    let status = fixture.refusal(|_| ()).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status.message().contains("install a new issuer"),
        "{status}"
    );
}

struct Away;

#[tonic::async_trait]
impl TokenVerifier for Away {
    async fn verify(&self, _: &Token, _: SystemTime) -> Result<ServiceAccount, TokenError> {
        Err(TokenError::Unavailable("the API server is away".to_owned()))
    }
}

#[tokio::test]
async fn a_judge_that_is_away_is_worth_a_retry() {
    let mut fixture = fixture();
    fixture.service.verifier = Arc::new(Away);
    assert_eq!(fixture.refusal(|_| ()).await.code(), Code::Unavailable);
}
