//! What the API server says of a token, and what we make of it.

use super::*;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

type ApiServer = Handle<Request<Body>, Response<Body>>;

const TOKEN: &str = "eyJ.secret.token";

fn verifier() -> (ReviewVerifier, ApiServer) {
    let (service, handle) = mock::pair();
    let audiences = ["identity.mesh.dev", "identity.l5d.io"].map(str::to_owned);
    let client = Client::new(service, "default");
    (ReviewVerifier::new(client, audiences.to_vec()), handle)
}

/// Verifies a token; the API server gives this answer. Returns what it was asked, too.
async fn judged(status: StatusCode, answer: String) -> (Result<ServiceAccount, TokenError>, Value) {
    let (verifier, mut api) = verifier();
    let token = Token::from_bytes(TOKEN.into()).unwrap();
    let serve = async {
        let (request, respond) = api.next_request().await.expect("one request");
        assert_eq!(
            (request.method().as_str(), request.uri().path()),
            ("POST", PATH)
        );
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let response = Response::builder().status(status);
        respond.send_response(response.body(Body::from(answer.into_bytes())).unwrap());
        serde_json::from_slice(&body).unwrap()
    };
    tokio::join!(verifier.verify(&token, SystemTime::now()), serve)
}

async fn reviewed(status: Value) -> Result<ServiceAccount, TokenError> {
    let answer = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {},
        "spec": {"token": TOKEN}, "status": status,
    });
    judged(StatusCode::CREATED, answer.to_string()).await.0
}

fn of_web(audiences: Value) -> Value {
    json!({"authenticated": true, "audiences": audiences,
        "user": {"username": "system:serviceaccount:shop:web", "uid": "1"}})
}

#[tokio::test]
async fn a_good_token_is_its_service_accounts() {
    let answer = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "spec": {}, "status": of_web(json!(["identity.l5d.io"]))});
    let (account, asked) = judged(StatusCode::CREATED, answer.to_string()).await;
    assert_eq!(
        account.unwrap().to_string(),
        "system:serviceaccount:shop:web"
    );
    assert_eq!(asked["kind"], "TokenReview");
    assert_eq!(
        asked["spec"],
        json!({"token": TOKEN, "audiences": ["identity.mesh.dev", "identity.l5d.io"]})
    );
}

#[tokio::test]
async fn a_token_that_the_api_server_refuses() {
    let reason =
        format!("[invalid bearer token, {TOKEN}: service account token has been invalidated]");
    let error = reviewed(json!({"error": reason}))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("has been invalidated"), "{error}");
    assert!(!error.contains(TOKEN), "{error}");
    assert!(matches!(
        reviewed(json!({})).await,
        Err(TokenError::Refused(_))
    ));
}

#[tokio::test]
async fn a_token_for_others() {
    for audiences in [
        json!(["https://kubernetes.default.svc"]),
        json!([]),
        Value::Null,
    ] {
        let result = reviewed(of_web(audiences)).await;
        assert!(matches!(result, Err(TokenError::Audience(_))), "{result:?}");
    }
    let mut person = of_web(json!(["identity.mesh.dev"]));
    person["user"]["username"] = json!("jane");
    assert_eq!(
        reviewed(person).await,
        Err(TokenError::NotServiceAccount("jane".to_owned()))
    );
}

#[tokio::test]
async fn an_api_server_that_does_not_judge() {
    let forbidden = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
        "reason": "Forbidden", "message": "User \"x\" cannot create resource \"tokenreviews\""});
    let cases = [
        (
            StatusCode::FORBIDDEN,
            forbidden.to_string(),
            "verbs create on tokenreviews",
        ),
        (StatusCode::OK, "<html>".to_owned(), "makes no sense"),
        (StatusCode::BAD_GATEWAY, "<html>".to_owned(), "502"),
    ];
    for (status, answer, expected) in cases {
        let (result, _) = judged(status, answer).await;
        let Err(TokenError::Unavailable(why)) = result else {
            panic!("{status}: {result:?}");
        };
        assert!(why.contains(expected) && !why.contains(TOKEN), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_says_nothing() {
    let (verifier, mut api) = verifier();
    let token = Token::from_bytes(TOKEN.into()).unwrap();
    let silent = async {
        let _open = api.next_request().await;
        std::future::pending::<()>().await
    };
    tokio::select! {
        result = verifier.verify(&token, SystemTime::now()) => {
            assert!(matches!(result, Err(TokenError::Unavailable(_))), "{result:?}");
        }
        () = silent => {}
    }
}
