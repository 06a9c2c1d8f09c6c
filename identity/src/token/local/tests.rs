use proptest::prelude::*;

use super::verify::CLOCK_SKEW;
use super::*;
use crate::token::{Token, TokenError};

const HOUR: Duration = Duration::from_secs(3600);

fn audiences() -> Vec<String> {
    vec!["identity.mesh.dev".to_owned(), "identity.l5d.io".to_owned()]
}

fn verifier(key: &LocalTokenKey) -> LocalVerifier {
    LocalVerifier::from_pem(&key.public_key_pem(), &audiences()).unwrap()
}

fn judge(key: &LocalTokenKey, token: &str, now: SystemTime) -> Result<ServiceAccount, TokenError> {
    verifier(key).judge(&Token::from_bytes(token.into())?, now)
}

#[test]
fn either_audience_and_a_newline_will_do() {
    let (key, now) = (LocalTokenKey::generate().unwrap(), SystemTime::now());
    for audience in audiences() {
        let token = key.sign("shop", "web", &audience, HOUR).unwrap() + "\n";
        let account = judge(&key, &token, now).unwrap();
        assert_eq!(account.to_string(), "system:serviceaccount:shop:web");
    }
}

#[test]
fn times_count_with_some_skew() {
    let (key, now) = (LocalTokenKey::generate().unwrap(), SystemTime::now());
    let token = key
        .sign_at("shop", "web", &audiences()[0], HOUR, now)
        .unwrap();
    assert!(
        judge(
            &key,
            &token,
            now + HOUR + CLOCK_SKEW - Duration::from_secs(2)
        )
        .is_ok()
    );
    assert!(judge(&key, &token, now - CLOCK_SKEW + Duration::from_secs(2)).is_ok());
    let late = judge(&key, &token, now + HOUR + HOUR).unwrap_err();
    assert!(matches!(late, TokenError::Expired(ago) if ago.as_secs().abs_diff(3600) <= 1));
    assert!(
        late.to_string().contains("expired 3600 s ago")
            || late.to_string().contains("expired 3599")
    );
    assert!(matches!(
        judge(&key, &token, now - HOUR),
        Err(TokenError::NotYetValid(_))
    ));
}

#[test]
fn tokens_of_others_are_refused() {
    let (key, other) = (
        LocalTokenKey::generate().unwrap(),
        LocalTokenKey::generate().unwrap(),
    );
    let now = SystemTime::now();
    let foreign = other.sign("shop", "web", &audiences()[0], HOUR).unwrap();
    assert_eq!(judge(&key, &foreign, now), Err(TokenError::Signature));
    let elsewhere = key.sign("shop", "web", "vault", HOUR).unwrap();
    let error = judge(&key, &elsewhere, now).unwrap_err().to_string();
    assert!(
        error.contains("expected one of identity.mesh.dev, identity.l5d.io"),
        "{error}"
    );
    let colon = key.sign("shop", "web:x", &audiences()[0], HOUR).unwrap();
    assert!(matches!(
        judge(&key, &colon, now),
        Err(TokenError::NotServiceAccount(_))
    ));
}

#[test]
fn other_algorithms_are_refused() {
    let key = LocalTokenKey::generate().unwrap();
    let public = key.public_key_pem();
    let claims = serde_json::json!({"sub": "system:serviceaccount:shop:web", "aud": "identity.mesh.dev", "exp": 1_u64 << 40});
    // The public key used as a shared secret: the classic confusion of algorithms.
    let secret = EncodingKey::from_secret(public.as_bytes());
    let hmac = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret).unwrap();
    let signed = key.sign("shop", "web", "identity.mesh.dev", HOUR).unwrap();
    let (_, rest) = signed.split_once('.').unwrap();
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{rest}");
    for token in [hmac, none] {
        let error = judge(&key, &token, SystemTime::now()).unwrap_err();
        assert!(matches!(error, TokenError::Malformed(_)), "{error}");
    }
}

#[test]
fn claims_are_all_needed() {
    let key = LocalTokenKey::generate().unwrap();
    let signer = EncodingKey::from_ec_der(key.key.serialized_der());
    let (sub, aud, exp) = (
        "system:serviceaccount:shop:web",
        "identity.mesh.dev",
        1_u64 << 40,
    );
    let sign =
        |claims| jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &signer).unwrap();
    let now = SystemTime::now();
    assert!(
        judge(
            &key,
            &sign(serde_json::json!({"sub": sub, "aud": [aud], "exp": exp})),
            now
        )
        .is_ok()
    );
    for claims in [
        serde_json::json!({"aud": aud, "exp": exp}),
        serde_json::json!({"sub": sub, "exp": exp}),
        serde_json::json!({"sub": sub, "aud": aud}),
        serde_json::json!({"sub": sub, "aud": aud, "exp": "never"}),
        serde_json::json!({"sub": "web", "aud": aud, "exp": exp}),
        serde_json::json!([]),
    ] {
        assert!(judge(&key, &sign(claims.clone()), now).is_err(), "{claims}");
    }
}

#[test]
fn keys_are_private_and_load_again() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let made = LocalTokenKey::create(dir.path()).unwrap();
    assert!(
        LocalTokenKey::create(dir.path())
            .unwrap_err()
            .to_string()
            .contains("exists already")
    );
    let private = dir.path().join(TOKEN_KEY);
    assert_eq!(
        std::fs::metadata(&private).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let token = LocalTokenKey::load(&private)
        .unwrap()
        .sign("shop", "web", &audiences()[1], HOUR)
        .unwrap();
    assert!(judge(&made, &token, SystemTime::now()).is_ok());
    let public = dir.path().join(TOKEN_PUBLIC_KEY);
    assert!(LocalVerifier::load(&public, &audiences()).is_ok());
    let error = LocalVerifier::load(&private, &audiences())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("token.key is not a PEM public key"),
        "{error}"
    );
    assert!(
        LocalTokenKey::load(&public)
            .unwrap_err()
            .to_string()
            .contains("not a PEM private key")
    );
    assert_eq!(format!("{made:?}"), "LocalTokenKey([redacted])");
    assert_eq!(
        format!("{:?}", Token::from_bytes(token.into()).unwrap()),
        "Token([redacted])"
    );
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256), text in "[A-Za-z0-9_.-]{0,200}") {
        let key = LocalTokenKey::generate().unwrap();
        for bytes in [bytes, text.into_bytes()] {
            if let Ok(token) = Token::from_bytes(bytes) {
                prop_assert!(verifier(&key).judge(&token, SystemTime::now()).is_err());
            }
        }
    }

    /// The signature covers header and claims, and its own text has one form.
    #[test]
    fn changed_tokens_never_pass(at in 0_usize..400, with in "[A-Za-z0-9_-]") {
        let key = LocalTokenKey::generate().unwrap();
        let mut token = key.sign("shop", "web", "identity.mesh.dev", HOUR).unwrap();
        let at = at % token.len();
        prop_assume!(token[at..=at] != with);
        token.replace_range(at..=at, &with);
        prop_assert!(judge(&key, &token, SystemTime::now()).is_err());
    }
}
