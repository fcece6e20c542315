//! WebSocket URIs (RFC 6455 §3): whatever is accepted can stand in a request, and is shown without its
//! password.

use openline_proto::Uri;

pub(crate) fn check(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    match Uri::parse(text) {
        Ok(uri) => accepted(text, &uri),
        Err(error) => {
            assert!(!error.reason.is_empty());
            assert!(!error.uri.chars().any(char::is_control), "unfit for a log: {}", error.uri);
        }
    }
}

/// What holds for every URI, wherever it comes from.
pub(crate) fn sound(uri: &Uri) {
    let name = uri.resource_name();
    assert!(name.starts_with('/') && name.bytes().all(|byte| byte.is_ascii_graphic()), "{name}");
    assert!(!name.contains('#'));
    assert!(!uri.host().is_empty());
    let authority = uri.authority();
    assert!(authority.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@".contains(&byte)));
    assert_ne!(uri.port(), 0);
    if let Some((username, password)) = uri.user_info() {
        assert!(!username.contains(':'));
        assert!(!username.chars().chain(password.chars()).any(char::is_control));
    } else {
        // With user information the text is for people: the password is not in it.
        assert_eq!(Uri::parse(&uri.to_string()).as_ref(), Ok(uri));
    }
}

fn accepted(text: &str, uri: &Uri) {
    sound(uri);
    // A host is lower-case ASCII, and stays what it is.
    assert_eq!(uri.host(), uri.host().to_ascii_lowercase());
    if uri.user_info().is_some() {
        let shown = |uri: &Uri| format!("{uri} {uri:?}");
        assert!(shown(uri).contains(":***@"));
        // With another password it looks the same.
        let other = Uri::parse(&with_password(text, "another")).expect("it was accepted before");
        assert_eq!(shown(&other), shown(uri));
    }
    // The path and query go out as they were written, but for what is not ASCII.
    if text.is_ascii() && !text.contains('@') {
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        let written = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
        let expected = if written.starts_with('/') { "" } else { "/" };
        assert_eq!(uri.resource_name(), format!("{expected}{written}"));
    }
}

/// A URI with another password.
fn with_password(text: &str, password: &str) -> String {
    let (scheme, rest) = text.split_once("://").expect("it was accepted");
    let authority = rest.find(['/', '?']).map_or(rest, |at| &rest[..at]);
    let (credentials, host) = authority.rsplit_once('@').expect("it has credentials");
    let username = credentials.split_once(':').map_or(credentials, |(username, _)| username);
    format!("{scheme}://{username}:{password}@{host}{}", &rest[authority.len()..])
}
