//! Values of headers: the lists of a handshake (RFC 9110 §5.6.1, RFC 6455 §9.1) and basic
//! authentication (RFC 7617). What was parsed means the same when it is written again.

use std::fmt::Debug;

use openline_proto::handshake::{
    HandshakeError, encode_basic_auth, encode_extensions, parse_basic_auth, parse_connection,
    parse_extensions, parse_subprotocols, parse_upgrade,
};

pub(crate) fn check(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    list(text, parse_connection, |names| names.join(", "));
    list(text, parse_upgrade, |protocols| protocols.join(","));
    list(text, parse_subprotocols, |names| names.join(" ,\t"));
    list(text, parse_extensions, |extensions| {
        encode_extensions(extensions).expect("what was parsed can be sent")
    });
    basic_auth(text);
}

fn list<T: PartialEq + Debug>(
    text: &str,
    parse: fn(&str) -> Result<Vec<T>, HandshakeError>,
    write: fn(&[T]) -> String,
) {
    match parse(text) {
        Ok(items) => {
            assert!(!items.is_empty());
            assert_eq!(parse(&write(&items)).as_ref(), Ok(&items));
            // RFC 9110 §5.6.1.2: empty elements mean nothing.
            assert_eq!(parse(&format!(",\t {text} ,,")).as_ref(), Ok(&items));
        }
        Err(HandshakeError::InvalidHeaderFormat { header, position, .. }) => {
            assert_eq!(header, text);
            assert!(position <= text.chars().count());
        }
        Err(error) => panic!("another kind of error: {error:?}"),
    }
}

fn basic_auth(text: &str) {
    if let Some((username, password)) = parse_basic_auth(text) {
        let written = encode_basic_auth(&username, &password);
        assert_eq!(parse_basic_auth(&written), Some((username, password)));
    }
    let (username, password) = text.split_once(':').unwrap_or((text, ""));
    let expected = Some((username.to_owned(), password.to_owned()));
    assert_eq!(parse_basic_auth(&encode_basic_auth(username, password)), expected);
}
