//! Redirects (RFC 3986 §5.2, RFC 9110 §10.2.2): a base, and a reference to join with it.
//!
//! The input is two lines: the base and the reference.

use openline_proto::redirect::{self, RedirectError};
use openline_proto::{Uri, uri::InvalidUri};

use super::uri::sound;

pub(crate) fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (base, reference) = text.split_once('\n').unwrap_or(("wss://a.example/b/c?d", &text));
    let Ok(base) = Uri::parse(base) else { return };
    let joined = base.join(reference);
    if let Ok(target) = &joined {
        sound(target);
        keeps_secrets(&base, reference, target);
        has_no_dots(&base, reference, target);
        if target.user_info().is_none() {
            // Where we are already, nothing is left to resolve.
            assert_eq!(again(&base, target), Ok(target.clone()));
        }
    }
    match (redirect::follow(&base, reference), joined) {
        (Ok(target), joined) => {
            assert!(target.is_secure() || !base.is_secure(), "a downgrade");
            assert_eq!(joined, Ok(target));
        }
        (Err(RedirectError::Insecure(target)), joined) => {
            assert!(base.is_secure() && !target.is_secure());
            assert_eq!(joined, Ok(target));
        }
        (Err(RedirectError::InvalidUri(error)), joined) => assert_eq!(joined, Err(error)),
        (Err(error), _) => panic!("another kind of error: {error:?}"),
    }
}

/// Credentials go to their own origin only, unless the reference has some.
fn keeps_secrets(base: &Uri, reference: &str, target: &Uri) {
    if !target.is_same_origin(base) && !reference.contains('@') {
        assert_eq!(target.user_info(), None);
    }
    if target.is_same_origin(base) && !reference.contains('@') {
        assert_eq!(target.user_info(), base.user_info());
    }
}

/// A path that the reference gives is without "." and "..".
fn has_no_dots(base: &Uri, reference: &str, target: &Uri) {
    let is_base_path = reference.is_empty() || reference.starts_with(['?', '#']);
    let path = target.resource_name().split('?').next().unwrap_or_default();
    if is_base_path {
        assert_eq!(path, base.resource_name().split('?').next().unwrap_or_default());
    } else {
        assert!(!path.split('/').any(|segment| segment == "." || segment == ".."), "{path}");
    }
}

/// The target joined once more. Its path may be the base's own, which is not normalized: then it is
/// compared as it would be.
fn again(base: &Uri, target: &Uri) -> Result<Uri, InvalidUri> {
    let path = target.resource_name().split('?').next().unwrap_or_default();
    if path.split('/').any(|segment| segment == "." || segment == "..") {
        return Ok(target.clone());
    }
    base.join(&target.to_string())
}
