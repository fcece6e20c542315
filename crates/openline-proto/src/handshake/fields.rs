//! The values of the headers that a handshake negotiates with: lists (RFC 9110 §5.6.1), extensions
//! (RFC 6455 §9.1) and basic authentication (RFC 7617).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::HandshakeError;
use crate::http::{Headers, InvalidField, is_token};

/// One extension, as it is offered or accepted: a name and its parameters in order.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::ExtensionParams;
///
/// let mut deflate = ExtensionParams::new("permessage-deflate");
/// deflate.params.push(("client_max_window_bits".into(), None));
/// deflate.params.push(("server_max_window_bits".into(), Some("10".into())));
/// assert_eq!(
///     deflate.to_string(),
///     "permessage-deflate; client_max_window_bits; server_max_window_bits=10"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExtensionParams {
    /// The name of the extension.
    pub name: String,
    /// The parameters: each a name, and a value if it has one. Names may repeat; what that means
    /// is the extension's business.
    pub params: Vec<(String, Option<String>)>,
}

impl ExtensionParams {
    /// Makes an extension without parameters.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(openline_proto::handshake::ExtensionParams::new("x-test").params.is_empty());
    /// ```
    pub fn new(name: impl Into<String>) -> ExtensionParams {
        ExtensionParams { name: name.into(), params: Vec::new() }
    }
}

/// Writes the extension as it stands in a header.
impl fmt::Display for ExtensionParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (name, value) in &self.params {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// Parses the value of a `Connection` header.
///
/// # Errors
///
/// [`HandshakeError::InvalidHeaderFormat`] when it isn't a list of at least one token. Empty
/// elements are skipped (RFC 9110 §5.6.1.2), here and in the other lists.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::parse_connection;
///
/// assert_eq!(parse_connection("keep-alive, Upgrade")?, ["keep-alive", "Upgrade"]);
/// # Ok::<(), openline_proto::handshake::HandshakeError>(())
/// ```
pub fn parse_connection(header: &str) -> Result<Vec<String>, HandshakeError> {
    Cursor::new("Connection", header).list(|cursor| cursor.token("expected token"))
}

/// Parses the value of an `Upgrade` header: names of protocols, each perhaps with a version.
///
/// # Errors
///
/// [`HandshakeError::InvalidHeaderFormat`] when it isn't a list of at least one protocol.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::parse_upgrade;
///
/// assert_eq!(parse_upgrade("websocket, TLS/1.0")?, ["websocket", "TLS/1.0"]);
/// # Ok::<(), openline_proto::handshake::HandshakeError>(())
/// ```
pub fn parse_upgrade(header: &str) -> Result<Vec<String>, HandshakeError> {
    Cursor::new("Upgrade", header).list(|cursor| {
        let name = cursor.token("expected protocol")?;
        if !cursor.skip('/') {
            return Ok(name);
        }
        Ok(format!("{name}/{}", cursor.token("expected protocol version")?))
    })
}

/// Parses the value of a `Sec-WebSocket-Protocol` header.
///
/// # Errors
///
/// [`HandshakeError::InvalidHeaderFormat`] when it isn't a list of at least one token.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::parse_subprotocols;
///
/// assert_eq!(parse_subprotocols("chat,superchat")?, ["chat", "superchat"]);
/// assert!(parse_subprotocols("").is_err());
/// # Ok::<(), openline_proto::handshake::HandshakeError>(())
/// ```
pub fn parse_subprotocols(header: &str) -> Result<Vec<String>, HandshakeError> {
    Cursor::new("Sec-WebSocket-Protocol", header).list(|cursor| cursor.token("expected token"))
}

/// Parses the value of a `Sec-WebSocket-Extensions` header.
///
/// # Errors
///
/// [`HandshakeError::InvalidHeaderFormat`] when it doesn't follow the grammar of RFC 6455 §9.1,
/// which also wants what stands in quotes to be a token.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::parse_extensions;
///
/// let extensions = parse_extensions("foo, bar; a; b=\"1\"")?;
/// assert_eq!(extensions[0].name, "foo");
/// assert_eq!(extensions[1].params, [("a".into(), None), ("b".into(), Some("1".into()))]);
/// # Ok::<(), openline_proto::handshake::HandshakeError>(())
/// ```
pub fn parse_extensions(header: &str) -> Result<Vec<ExtensionParams>, HandshakeError> {
    Cursor::new("Sec-WebSocket-Extensions", header).list(|cursor| {
        let mut extension = ExtensionParams::new(cursor.token("expected token")?);
        cursor.skip_blanks();
        while cursor.skip(';') {
            cursor.skip_blanks();
            let name = cursor.token("expected token")?;
            cursor.skip_blanks();
            let value = if cursor.skip('=') {
                cursor.skip_blanks();
                Some(cursor.token_or_quoted()?)
            } else {
                None
            };
            cursor.skip_blanks();
            extension.params.push((name, value));
        }
        Ok(extension)
    })
}

/// Makes the value of a `Sec-WebSocket-Extensions` header.
///
/// # Errors
///
/// [`InvalidField::Extension`] when a name or value isn't a token, which RFC 6455 §9.1 wants even
/// in quotes.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::{ExtensionParams, encode_extensions};
///
/// let extensions = [ExtensionParams::new("foo"), ExtensionParams::new("bar")];
/// assert_eq!(encode_extensions(&extensions)?, "foo, bar");
/// assert!(encode_extensions(&[ExtensionParams::new("foo\r\nX: y")]).is_err());
/// # Ok::<(), openline_proto::http::InvalidField>(())
/// ```
pub fn encode_extensions(extensions: &[ExtensionParams]) -> Result<String, InvalidField> {
    let is_sendable = |extension: &ExtensionParams| {
        is_token(&extension.name)
            && extension
                .params
                .iter()
                .all(|(name, value)| is_token(name) && value.as_deref().is_none_or(is_token))
    };
    if let Some(extension) = extensions.iter().find(|extension| !is_sendable(extension)) {
        return Err(InvalidField::Extension { text: extension.to_string() });
    }
    Ok(extensions.iter().map(ExtensionParams::to_string).collect::<Vec<_>>().join(", "))
}

/// Makes the value of an `Authorization` or `Proxy-Authorization` header for basic authentication,
/// in UTF-8.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::encode_basic_auth;
///
/// let value = encode_basic_auth("Aladdin", "open sesame");
/// assert_eq!(value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
/// ```
pub fn encode_basic_auth(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

/// Parses the value of an `Authorization` header for basic authentication; `None` if it is another
/// scheme or isn't valid.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::parse_basic_auth;
///
/// let credentials = parse_basic_auth("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
/// assert_eq!(credentials, Some(("Aladdin".into(), "open sesame".into())));
/// assert_eq!(parse_basic_auth("Bearer abc"), None);
/// ```
pub fn parse_basic_auth(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

/// Parses all headers of a name into one list. An empty value counts as none: some servers send one
/// to say "nothing chosen".
pub(super) fn parse_all<T>(
    headers: &Headers,
    name: &str,
    parse: fn(&str) -> Result<Vec<T>, HandshakeError>,
) -> Result<Vec<T>, HandshakeError> {
    let mut items = Vec::new();
    // Not `str::trim`: the bytes 85 and A0 would be blanks then.
    let is_empty = |value: &str| value.trim_matches([' ', '\t']).is_empty();
    for value in headers.get_all(name).filter(|value| !is_empty(value)) {
        items.extend(parse(value)?);
    }
    Ok(items)
}

/// Returns the value of a header that must stand exactly once.
pub(super) fn single<'a>(headers: &'a Headers, name: &str) -> Result<&'a str, HandshakeError> {
    optional(headers, name)?
        .ok_or_else(|| HandshakeError::InvalidHeader { name: name.to_owned(), value: None })
}

/// Returns the value of a header that may stand at most once.
pub(super) fn optional<'a>(
    headers: &'a Headers,
    name: &str,
) -> Result<Option<&'a str>, HandshakeError> {
    let mut values = headers.get_all(name);
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(HandshakeError::InvalidHeader {
            name: name.to_owned(),
            value: Some("multiple values".into()),
        }),
    }
}

/// Checks that `Connection` and `Upgrade` ask for a WebSocket (RFC 6455 §4.1, §4.2.1), whatever
/// their case.
pub(super) fn check_upgrade(headers: &Headers) -> Result<(), HandshakeError> {
    let invalid = |name: &str, found: Vec<String>| HandshakeError::InvalidUpgrade {
        name: name.to_owned(),
        value: (!found.is_empty()).then(|| found.join(", ")),
    };
    let connection = parse_all(headers, "Connection", parse_connection)?;
    if !connection.iter().any(|option| option.eq_ignore_ascii_case("upgrade")) {
        return Err(invalid("Connection", connection));
    }
    let upgrade = parse_all(headers, "Upgrade", parse_upgrade)?;
    if !matches!(&upgrade[..], [protocol] if protocol.eq_ignore_ascii_case("websocket")) {
        return Err(invalid("Upgrade", upgrade));
    }
    Ok(())
}

/// Walks through the value of a header.
struct Cursor<'a> {
    name: &'static str,
    header: &'a str,
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn new(name: &'static str, header: &'a str) -> Cursor<'a> {
        Cursor { name, header, rest: header }
    }

    /// Parses the whole value as a list of at least one item.
    fn list<T>(
        mut self,
        item: impl Fn(&mut Cursor<'a>) -> Result<T, HandshakeError>,
    ) -> Result<Vec<T>, HandshakeError> {
        let mut items = Vec::new();
        self.skip_commas();
        loop {
            items.push(item(&mut self)?);
            self.skip_blanks();
            if !self.rest.is_empty() && !self.rest.starts_with(',') {
                return Err(self.error("expected comma"));
            }
            self.skip_commas();
            if self.rest.is_empty() {
                return Ok(items);
            }
        }
    }

    fn token(&mut self, expected: &str) -> Result<String, HandshakeError> {
        let end = self.rest.find(|c: char| !is_token(c.encode_utf8(&mut [0; 4])));
        let (token, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if token.is_empty() {
            return Err(self.error(expected));
        }
        self.rest = rest;
        Ok(token.to_owned())
    }

    fn token_or_quoted(&mut self) -> Result<String, HandshakeError> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            return self.token("expected token");
        };
        let mut value = String::new();
        let mut chars = quoted.chars();
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') => match chars.next() {
                    Some(c @ ('\t' | ' '..='~' | '\u{80}'..='\u{ff}')) => value.push(c),
                    _ => return Err(self.error("expected quoted string")),
                },
                Some(c @ ('\t' | ' '..='~')) => value.push(c),
                _ => return Err(self.error("expected quoted string")),
            }
        }
        // RFC 6455 §9.1: the value after quoted-string unescaping MUST conform to the 'token' ABNF.
        if !is_token(&value) {
            return Err(self.error("invalid quoted header content"));
        }
        self.rest = chars.as_str();
        Ok(value)
    }

    fn skip(&mut self, expected: char) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn skip_commas(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
    }

    fn error(&self, error: &str) -> HandshakeError {
        let parsed = &self.header[..self.header.len() - self.rest.len()];
        HandshakeError::InvalidHeaderFormat {
            name: self.name.to_owned(),
            error: error.to_owned(),
            header: self.header.to_owned(),
            position: parsed.chars().count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ext(name: &str, params: &[(&str, Option<&str>)]) -> ExtensionParams {
        let params = params.iter().map(|(n, v)| (n.to_string(), v.map(String::from))).collect();
        ExtensionParams { name: name.into(), params }
    }

    // RFC 9110 §5.6.1: lists.

    #[test]
    fn lists_of_tokens() {
        let table: [(&str, &[&str]); 6] = [
            ("Upgrade", &["Upgrade"]),
            ("keep-alive,Upgrade", &["keep-alive", "Upgrade"]),
            ("a , b\t,\tc", &["a", "b", "c"]),
            (",, ,a, ,b,,", &["a", "b"]),
            (" a ", &["a"]),
            ("!#$%&'*+-.^_`|~09", &["!#$%&'*+-.^_`|~09"]),
        ];
        for (header, tokens) in table {
            assert_eq!(parse_connection(header).unwrap(), tokens);
            assert_eq!(parse_subprotocols(header).unwrap(), tokens);
            assert_eq!(parse_upgrade(header).unwrap(), tokens);
        }
        assert_eq!(parse_upgrade("HTTP/2.0, h2c").unwrap(), ["HTTP/2.0", "h2c"]);
    }

    #[test]
    fn broken_lists_tell_where() {
        let table = [
            ("", "invalid Connection header: expected token at 0 in "),
            (",", "invalid Connection header: expected token at 1 in ,"),
            ("a b", "invalid Connection header: expected comma at 2 in a b"),
            ("a, é", "invalid Connection header: expected token at 3 in a, é"),
            ("aé", "invalid Connection header: expected comma at 1 in aé"),
            ("\"a\"", "invalid Connection header: expected token at 0 in \"a\""),
        ];
        for (header, text) in table {
            assert_eq!(parse_connection(header).unwrap_err().to_string(), text);
        }
        let error = parse_upgrade("a/").unwrap_err().to_string();
        assert_eq!(error, "invalid Upgrade header: expected protocol version at 2 in a/");
    }

    #[test]
    fn only_a_blank_header_is_an_empty_list() {
        for (value, expected) in
            [("", Ok(())), (" \t", Ok(())), ("\u{85}", Err(())), ("\u{a0}", Err(()))]
        {
            let mut headers = Headers::new();
            headers.append("Upgrade", value).unwrap();
            let parsed = parse_all(&headers, "Upgrade", parse_upgrade);
            let outcome = parsed.map(|items| assert!(items.is_empty())).map_err(|_| ());
            assert_eq!(outcome, expected, "{value:?}");
        }
    }

    // RFC 6455 §9.1: extensions.

    #[test]
    fn lists_of_extensions() {
        let table = [
            ("foo", vec![ext("foo", &[])]),
            ("foo,bar; a", vec![ext("foo", &[]), ext("bar", &[("a", None)])]),
            ("foo;a=1 ; b = 2", vec![ext("foo", &[("a", Some("1")), ("b", Some("2"))])]),
            (
                "foo; a=\"1\"; a=\"\\x\\y\"",
                vec![ext("foo", &[("a", Some("1")), ("a", Some("xy"))])],
            ),
            (", foo ;\ta\t=\t\"b\" ,", vec![ext("foo", &[("a", Some("b"))])]),
        ];
        for (header, extensions) in table {
            assert_eq!(parse_extensions(header).unwrap(), extensions, "{header}");
            let encoded = encode_extensions(&extensions).unwrap();
            assert_eq!(parse_extensions(&encoded).unwrap(), extensions);
        }
    }

    #[test]
    fn broken_extensions_tell_where() {
        let table = [
            ("foo;", "expected token at 4 in foo;"),
            ("foo; =1", "expected token at 5 in foo; =1"),
            ("foo; a=", "expected token at 7 in foo; a="),
            ("foo; a=1 b", "expected comma at 9 in foo; a=1 b"),
            ("foo; a=\"1", "expected quoted string at 7 in foo; a=\"1"),
            ("foo; a=\"1\\\"", "expected quoted string at 7 in foo; a=\"1\\\""),
            ("foo; a=\"é\"", "expected quoted string at 7 in foo; a=\"é\""),
            ("foo; a=\"\\\u{7f}\"", "expected quoted string at 7 in foo; a=\"\\\u{7f}\""),
            ("foo; a=\"\\é\"", "invalid quoted header content at 7 in foo; a=\"\\é\""),
            ("foo; a=\"\"", "invalid quoted header content at 7 in foo; a=\"\""),
            ("foo; a=\"1,2\"", "invalid quoted header content at 7 in foo; a=\"1,2\""),
        ];
        for (header, text) in table {
            let error = parse_extensions(header).unwrap_err().to_string();
            assert_eq!(error, format!("invalid Sec-WebSocket-Extensions header: {text}"));
        }
    }

    #[test]
    fn extensions_that_are_not_tokens_are_not_sent() {
        let table = [
            ext("", &[]),
            ext("a,b", &[]),
            ext("a\r\n", &[]),
            ext("a", &[("", None)]),
            ext("a", &[("b\r\nX: y", None)]),
            ext("a", &[("b", Some(""))]),
            ext("a", &[("b", Some("1; c"))]),
        ];
        for extension in table {
            let text = extension.to_string();
            assert_eq!(encode_extensions(&[extension]), Err(InvalidField::Extension { text }));
        }
    }

    // RFC 7617 §2: basic authentication.

    #[test]
    fn basic_auth_round_trips() {
        for (username, password) in [("a", "b"), ("", ""), ("é", "ü:☕"), ("a b", ":")] {
            let parsed = parse_basic_auth(&encode_basic_auth(username, password));
            assert_eq!(parsed, Some((username.into(), password.into())));
        }
        assert_eq!(parse_basic_auth("bASIC  YTpi"), Some(("a".into(), "b".into())));
        for header in ["", "Basic", "Basic ", "Basic YQ==", "Basic !", "Digest YTpi", "Basic /zo="]
        {
            assert_eq!(parse_basic_auth(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_parsed_or_refused(header in "[a, ;=\"\\\\/é\t]*|\\PC*") {
            let _ = (parse_connection(&header), parse_upgrade(&header), parse_basic_auth(&header));
            if let Ok(extensions) = parse_extensions(&header) {
                let encoded = encode_extensions(&extensions).unwrap();
                prop_assert_eq!(parse_extensions(&encoded).unwrap(), extensions);
            }
        }
    }
}
