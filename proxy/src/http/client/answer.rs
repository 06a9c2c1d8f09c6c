//! Which HTTP/1 answers are passed on, and with which framing.
//!
//! hyper finds an answer's end as RFC 9112 (6.3) says, but leaves its fields as
//! they came. What comes out of a proxy has a framing of its own, so a field that
//! lost against another one must not survive: the next recipient would believe it
//! and take what is left over for the next answer. Requests need none of this,
//! [`Guarded`](crate::http::framing::Guarded) refuses all that are in doubt; an
//! answer is mended where the RFC says how, since its client has done no wrong.

use crate::http::headers::find;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

/// An answer that can't be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The connection would become another protocol that the client doesn't speak.
    #[error("the server switched protocols, and the request did not ask for that")]
    Switched,
    /// The body is encoded in a way that ends here, and that we don't undo.
    #[error("the server sent a Transfer-Encoding other than chunked")]
    Encoded,
}

/// Leaves one length in `rsp`, or none; `upgrading` when the request had Upgrade.
///
/// # Errors
/// [`AnswerError`]; the connection is of no more use.
pub(super) fn settle<B>(rsp: &mut Response<B>, upgrading: bool) -> Result<(), AnswerError> {
    if rsp.status() == StatusCode::SWITCHING_PROTOCOLS && !upgrading {
        return Err(AnswerError::Switched);
    }
    let headers = rsp.headers_mut();
    if find(headers, &TRANSFER_ENCODING).is_some() {
        if !is_chunked(headers) {
            return Err(AnswerError::Encoded);
        }
        // The encoding has won.
        headers.remove(CONTENT_LENGTH);
    }
    if let Some(one) = find(headers, &CONTENT_LENGTH).and_then(first_of_list) {
        headers.insert(CONTENT_LENGTH, one);
    }
    Ok(())
}

fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = codings.next();
    let chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    first.is_some_and(chunked) && codings.next().is_none()
}

/// `5` of `5, 5`: hyper has seen that all are the same.
fn first_of_list(value: &HeaderValue) -> Option<HeaderValue> {
    let bytes = value.as_bytes();
    let comma = bytes.iter().position(|b| *b == b',')?;
    HeaderValue::from_bytes(bytes[..comma].trim_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(fields: &[(&str, &str)]) -> Result<Option<String>, AnswerError> {
        let rsp = Response::builder();
        let add =
            |rsp: http::response::Builder, (name, value): &(&str, &str)| rsp.header(*name, *value);
        let mut rsp = fields.iter().fold(rsp, add).body(()).unwrap();
        settle(&mut rsp, false)?;
        let length = rsp.headers().get(CONTENT_LENGTH);
        Ok(length.map(|length| length.to_str().unwrap().to_owned()))
    }

    #[test]
    fn one_length_or_none_is_left() {
        let (length, chunked) = (("content-length", "5"), ("transfer-encoding", "Chunked"));
        assert_eq!(settled(&[length]), Ok(Some("5".into())));
        assert_eq!(
            settled(&[("content-length", "5 , 5")]),
            Ok(Some("5".into()))
        );
        assert_eq!(settled(&[length, chunked]), Ok(None));
    }

    #[test]
    fn what_is_encoded_otherwise_is_refused() {
        for coding in ["gzip, chunked", "chunked, gzip", "identity", "xchunked", ""] {
            let refused = settled(&[("transfer-encoding", coding)]);
            assert_eq!(refused, Err(AnswerError::Encoded), "{coding}");
        }
        let twice = [("transfer-encoding", "chunked"); 2];
        assert_eq!(settled(&twice), Err(AnswerError::Encoded));
    }

    #[test]
    fn a_switch_has_to_be_asked_for() {
        let mut rsp = Response::new(());
        *rsp.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        assert_eq!(settle(&mut rsp, false), Err(AnswerError::Switched));
        assert_eq!(settle(&mut rsp, true), Ok(()));
    }
}
