//! Redirects of the opening handshake (RFC 6455 §4.1, RFC 9110 §15.4): where to, and whether to go.

use thiserror::Error;

use crate::http::{Headers, Response};
use crate::uri::{InvalidUri, Uri};

/// Where a response redirects to: the `Location` of a 300, 301, 302, 303, 307 or 308.
///
/// # Examples
///
/// ```
/// use openline_proto::http::Response;
/// use openline_proto::redirect;
///
/// let mut response = Response::new(302, "Found");
/// assert_eq!(redirect::location(&response), None);
/// response.headers.append("Location", "/new")?;
/// assert_eq!(redirect::location(&response), Some("/new"));
/// # Ok::<(), openline_proto::http::InvalidField>(())
/// ```
pub fn location(response: &Response) -> Option<&str> {
    match response.status_code {
        300..=303 | 307 | 308 => response.headers.get("Location"),
        _ => None,
    }
}

/// The URI to go to from `uri`.
///
/// # Errors
///
/// [`RedirectError`].
///
/// # Examples
///
/// ```
/// use openline_proto::{Uri, redirect};
///
/// let uri = Uri::parse("wss://example.com/old")?;
/// assert_eq!(redirect::follow(&uri, "/new")?.to_string(), "wss://example.com/new");
/// assert!(redirect::follow(&uri, "ws://example.com/new").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn follow(uri: &Uri, location: &str) -> Result<Uri, RedirectError> {
    let target = uri.join(location).map_err(RedirectError::InvalidUri)?;
    match uri.is_secure() && !target.is_secure() {
        true => Err(RedirectError::Insecure(target)),
        false => Ok(target),
    }
}

/// Removes what another origin must not learn: `Authorization`, `Cookie` and `Proxy-Authorization`.
///
/// # Examples
///
/// ```
/// use openline_proto::http::Headers;
/// use openline_proto::redirect;
///
/// let mut headers = Headers::new();
/// headers.append("cookie", "session=42")?;
/// headers.append("X-Trace", "7")?;
/// redirect::strip_credentials(&mut headers);
/// assert_eq!(headers.iter().collect::<Vec<_>>(), [("X-Trace", "7")]);
/// # Ok::<(), openline_proto::http::InvalidField>(())
/// ```
pub fn strip_credentials(headers: &mut Headers) {
    for name in ["Authorization", "Cookie", "Proxy-Authorization"] {
        headers.remove(name);
    }
}

/// Why a redirect is not to be followed. Fault: the server.
///
/// # Examples
///
/// ```
/// use openline_proto::{Uri, redirect};
///
/// let uri = Uri::parse("wss://example.com/")?;
/// let error = redirect::follow(&uri, "ws://example.com/").err();
/// let text = "cannot follow redirect to non-secure URI ws://example.com/";
/// assert_eq!(error.map(|error| error.to_string()), Some(text.to_owned()));
/// # Ok::<(), openline_proto::uri::InvalidUri>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// It leads from `wss` to `ws`, where anybody can read along.
    #[error("cannot follow redirect to non-secure URI {0}")]
    Insecure(Uri),
    /// It leads to what is no WebSocket URI.
    #[error(transparent)]
    InvalidUri(InvalidUri),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9110_section_15_4_which_status_redirects() {
        let redirects = |status_code: &u16| {
            let mut response = Response::new(*status_code, "");
            response.headers.append("Location", "/").unwrap();
            location(&response).is_some()
        };
        let followed: Vec<u16> = (100..600).filter(redirects).collect();
        assert_eq!(followed, [300, 301, 302, 303, 307, 308]);
    }

    #[test]
    fn a_secure_connection_stays_secure() {
        let secure = Uri::parse("wss://a/").unwrap();
        for location in ["ws://a/", "http://a/", "//a", "https://b/"] {
            let outcome = follow(&secure, location);
            assert_eq!(
                outcome.is_ok(),
                !location.starts_with(['w', 'h']) || location == "https://b/"
            );
        }
        let plain = Uri::parse("ws://a/").unwrap();
        assert!(follow(&plain, "wss://a/").unwrap().is_secure());
    }
}
