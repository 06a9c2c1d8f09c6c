//! Where a request goes, said once.
//!
//! A request can name its host twice, in its target and in Host, and routers,
//! caches and applications differ in which of them they believe. RFC 9112 (3.2.2)
//! lets the target win and has a proxy write that into Host, so that nothing
//! behind it has a choice. What is left is refused: a target that is neither a
//! path nor a URI, which HTTP/2 can't carry and of which some parsers make a path,
//! others a host; and a user in front of the host, which one parser takes for the
//! host itself (RFC 9110, 4.2.4; RFC 9113, 8.3.1).

use super::{
    Version,
    error::{Kind, ProxyError},
};
use http::{HeaderValue, Method, Request, header::HOST};

/// Gives an HTTP/1 request the Host that its absolute form names.
///
/// # Errors
/// [`Kind::BadRequest`] for a target that can be read in two ways.
pub fn settle<B>(req: &mut Request<B>) -> Result<(), ProxyError> {
    let Some(authority) = req.uri().authority() else {
        return Ok(());
    };
    let refuse = |cause| {
        Err(ProxyError::new(
            Kind::BadRequest,
            "request",
            authority.as_str(),
            cause,
        ))
    };
    if authority.as_str().contains('@') {
        return refuse("the target names a user");
    }
    if Version::of(req) == Version::H2 || req.method() == Method::CONNECT {
        return Ok(());
    }
    if req.uri().scheme().is_none() {
        return refuse("the target is neither a path nor a URI");
    }
    let host = req.headers().get(HOST);
    if host.is_none_or(|host| host != authority.as_str())
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        req.headers_mut().insert(HOST, host);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(method: &str, target: &str) -> Option<String> {
        let req = Request::builder().method(method).uri(target);
        let mut req = req.header("host", "evil").body(()).unwrap();
        settle(&mut req).ok()?;
        Some(req.headers()["host"].to_str().unwrap().to_owned())
    }

    #[test]
    fn an_absolute_form_beats_host() {
        assert_eq!(settled("GET", "/case").unwrap(), "evil");
        assert_eq!(settled("OPTIONS", "*").unwrap(), "evil");
        assert_eq!(settled("GET", "http://web:80/case").unwrap(), "web:80");
    }

    #[test]
    fn what_is_neither_path_nor_uri_is_refused() {
        assert_eq!(settled("GET", "web"), None);
        assert_eq!(settled("GET", "web:80"), None);
        assert_eq!(settled("CONNECT", "web:80").unwrap(), "evil");
    }

    #[test]
    fn a_user_is_refused() {
        assert_eq!(settled("GET", "http://user@web/"), None);
        assert_eq!(settled("CONNECT", "user@web:80"), None);
    }
}
