//! The request of a client (RFC 6455 §4.1): what it asks for, and how that is written.

use crate::handshake::ExtensionParams;
use crate::handshake::fields::{encode_basic_auth, encode_extensions};
use crate::http::{Headers, InvalidField, Limits, Request, is_token};
use crate::uri::Uri;

/// What a client asks for, besides the address.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::client::ClientOffer;
///
/// let mut offer = ClientOffer::default();
/// offer.subprotocols = vec!["chat".into()];
/// offer.user_agent = Some("example/1.0".into());
/// offer.additional_headers.append("Cookie", "session=1")?;
/// # Ok::<(), openline_proto::http::InvalidField>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientOffer {
    /// Value of the `Origin` header. Default: none, since only browsers must send it.
    pub origin: Option<String>,
    /// Subprotocols in order of preference; one that is named twice is sent once. Default: none.
    pub subprotocols: Vec<String>,
    /// Extensions in order of preference. Default: none.
    pub extensions: Vec<ExtensionParams>,
    /// Sent after our own headers, repeated names kept. Default: none.
    ///
    /// `Host`, `Authorization` and `Origin` take the place of ours and may stand only once.
    /// `Connection`, `Upgrade`, `Sec-WebSocket-Key`, `-Version` and `-Accept`,
    /// `Content-Length` and `Transfer-Encoding` are refused: a server would have to refuse the
    /// request. Subprotocols named in a `Sec-WebSocket-Protocol` here count as offered.
    pub additional_headers: Headers,
    /// Value of the `User-Agent` header, unless the additional headers have one. Default: none.
    pub user_agent: Option<String>,
    /// Limits for the response.
    pub limits: Limits,
}

/// Makes the request; `key` is the value of `Sec-WebSocket-Key`.
pub(super) fn build_request(
    uri: &Uri,
    offer: &ClientOffer,
    key: &str,
) -> Result<Request, InvalidField> {
    let mut request = Request::new("GET", uri.resource_name());
    let headers = &mut request.headers;
    headers.append("Host", &uri.authority())?;
    if let Some((username, password)) = uri.user_info() {
        headers.append("Authorization", &encode_basic_auth(username, password))?;
    }
    if let Some(origin) = &offer.origin {
        headers.append("Origin", origin)?;
    }
    headers.append("Upgrade", "websocket")?;
    headers.append("Connection", "Upgrade")?;
    headers.append("Sec-WebSocket-Key", key)?;
    headers.append("Sec-WebSocket-Version", "13")?;
    if !offer.extensions.is_empty() {
        headers.append("Sec-WebSocket-Extensions", &encode_extensions(&offer.extensions)?)?;
    }
    if !offer.subprotocols.is_empty() {
        headers.append("Sec-WebSocket-Protocol", &encode_subprotocols(&offer.subprotocols)?)?;
    }
    let among = |names: &[&str], name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    for (name, value) in &offer.additional_headers {
        if among(RESERVED, name) {
            return Err(InvalidField::Reserved { name: name.to_owned() });
        }
        if !among(REPLACING, name) {
            headers.append(name, value)?;
        } else if offer.additional_headers.get_all(name).count() == 1 {
            headers.set(name, value)?;
        } else {
            return Err(InvalidField::Repeated { name: name.to_owned() });
        }
    }
    if let Some(user_agent) = &offer.user_agent
        && !headers.contains("User-Agent")
    {
        headers.append("User-Agent", user_agent)?;
    }
    Ok(request)
}

fn encode_subprotocols(subprotocols: &[String]) -> Result<String, InvalidField> {
    let mut unique: Vec<&str> = Vec::with_capacity(subprotocols.len());
    for name in subprotocols {
        if !is_token(name) {
            return Err(InvalidField::Subprotocol { name: name.clone() });
        }
        // RFC 6455 §4.1: the elements MUST all be unique strings.
        if !unique.contains(&&**name) {
            unique.push(name);
        }
    }
    Ok(unique.join(", "))
}

/// Additional headers that would make the request invalid. `Sec-WebSocket-Accept` is a server's
/// (RFC 6455 §11.3.3).
const RESERVED: &[&str] = &[
    "Connection",
    "Content-Length",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Transfer-Encoding",
    "Upgrade",
];

/// Additional headers that take the place of ours: each may stand only once (RFC 9110 §7.2,
/// §11.6.2; RFC 6454 §7.3).
const REPLACING: &[&str] = &["Authorization", "Host", "Origin"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::HandshakeError;
    use crate::handshake::client::ClientHandshake;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.append(name, value).unwrap();
        }
        headers
    }

    fn with_headers(fields: &[(&str, &str)]) -> ClientOffer {
        ClientOffer { additional_headers: headers(fields), ..ClientOffer::default() }
    }

    fn new(uri: &str, offer: ClientOffer) -> Result<ClientHandshake, HandshakeError> {
        ClientHandshake::new(&Uri::parse(uri).unwrap(), offer, [0; 16])
    }

    fn request_text(uri: &str, offer: ClientOffer) -> String {
        let mut out = Vec::new();
        new(uri, offer).unwrap().encode_request(&mut out);
        String::from_utf8(out).unwrap()
    }

    // RFC 6455 §4.1: the request.

    #[test]
    fn request_has_all_headers_in_order() {
        let mut deflate = ExtensionParams::new("permessage-deflate");
        deflate.params.push(("client_max_window_bits".into(), None));
        let offer = ClientOffer {
            origin: Some("https://a.example".into()),
            subprotocols: vec!["chat".into(), "v2.chat".into(), "chat".into()],
            extensions: vec![deflate, ExtensionParams::new("x-b")],
            additional_headers: headers(&[("Cookie", "a=1"), ("X", ""), ("cookie", "é")]),
            user_agent: Some("test/1".into()),
            ..ClientOffer::default()
        };
        let mut out = Vec::new();
        new("wss://me:pw@[::1]:8443/a?b", offer).unwrap().encode_request(&mut out);
        let expected = b"GET /a?b HTTP/1.1\r\n\
            Host: [::1]:8443\r\n\
            Authorization: Basic bWU6cHc=\r\n\
            Origin: https://a.example\r\n\
            Upgrade: websocket\r\n\
            Connection: Upgrade\r\n\
            Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
            Sec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-b\r\n\
            Sec-WebSocket-Protocol: chat, v2.chat\r\n\
            Cookie: a=1\r\n\
            X: \r\n\
            cookie: \xE9\r\n\
            User-Agent: test/1\r\n\
            \r\n";
        assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn singular_headers_of_the_caller_replace_ours() {
        let mut offer = with_headers(&[
            ("host", "b.example"),
            ("Authorization", "Bearer x"),
            ("Origin", "null"),
            ("user-agent", "mine"),
        ]);
        offer.origin = Some("https://a.example".into());
        offer.user_agent = Some("test/1".into());
        let text = request_text("ws://me:pw@a.example/", offer);
        assert!(text.starts_with(
            "GET / HTTP/1.1\r\nhost: b.example\r\nAuthorization: Bearer x\r\nOrigin: null\r\nUpgrade"
        ));
        assert!(text.ends_with("Version: 13\r\nuser-agent: mine\r\n\r\n"));

        // Without ones of ours they stand where the caller's headers do.
        let offer = with_headers(&[("A", "b"), ("Origin", "null")]);
        assert!(request_text("ws://a/", offer).ends_with("A: b\r\nOrigin: null\r\n\r\n"));
    }

    #[test]
    fn headers_that_would_break_the_request_are_refused() {
        for name in RESERVED {
            let name = name.to_lowercase();
            let error = new("ws://a/", with_headers(&[(&name, "x")])).unwrap_err();
            assert_eq!(error, HandshakeError::InvalidField(InvalidField::Reserved { name }));
        }
        for name in REPLACING {
            let error = new("ws://a/", with_headers(&[(name, "x"), (name, "y")])).unwrap_err();
            let name = name.to_string();
            assert_eq!(error, HandshakeError::InvalidField(InvalidField::Repeated { name }));
        }
    }

    #[test]
    fn injection_is_refused_before_anything_is_sent() {
        let offer = ClientOffer::default;
        let value = |name: &str| {
            let name = name.to_owned();
            InvalidField::Value { name, character: '\r', position: 1 }
        };
        let table = [
            (ClientOffer { origin: Some("a\r\nX: y".into()), ..offer() }, value("Origin")),
            (ClientOffer { user_agent: Some("a\r\nX: y".into()), ..offer() }, value("User-Agent")),
            (
                ClientOffer { subprotocols: vec!["a\r\nX: y".into()], ..offer() },
                InvalidField::Subprotocol { name: "a\r\nX: y".into() },
            ),
            (
                ClientOffer { subprotocols: vec!["ok".into(), String::new()], ..offer() },
                InvalidField::Subprotocol { name: String::new() },
            ),
            (
                ClientOffer { subprotocols: vec!["a, b".into()], ..offer() },
                InvalidField::Subprotocol { name: "a, b".into() },
            ),
            (
                ClientOffer { extensions: vec![ExtensionParams::new("a\r\nX: y")], ..offer() },
                InvalidField::Extension { text: "a\r\nX: y".into() },
            ),
        ];
        for (offer, fault) in table {
            let error = new("ws://a/", offer).unwrap_err();
            assert_eq!(error, HandshakeError::InvalidField(fault));
        }
    }
}
