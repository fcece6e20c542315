//! WebSocket URIs (RFC 6455 §3), split by hand.
//!
//! The `url` crate is not used because it rewrites what it reads: a server sees the path and query
//! exactly as the caller wrote them. Only two things change: a host outside ASCII goes through
//! IDNA, and other characters outside ASCII are percent-encoded as UTF-8 (RFC 3987 §3.1). What
//! could smuggle a second line into the request is refused here, before a [`Uri`] exists.
//!
//! # Examples
//!
//! ```
//! use openline_proto::uri::Uri;
//!
//! let uri = Uri::parse("ws://localhost/%7Eme?q=é")?;
//! assert_eq!(uri.resource_name(), "/%7Eme?q=%C3%A9"); // %7E stays as it was written
//! # Ok::<(), openline_proto::uri::InvalidUri>(())
//! ```

use core::net::Ipv6Addr;
mod join;

use std::fmt;

use std::str::FromStr;

use idna::AsciiDenyList;
use thiserror::Error;

/// A parsed `ws://` or `wss://` address.
///
/// Neither [`Display`](fmt::Display) nor [`Debug`] shows the password.
///
/// # Examples
///
/// ```
/// use openline_proto::uri::Uri;
///
/// let uri = Uri::parse("wss://Bücher.example:8443/chat?room=1")?;
/// assert!(uri.is_secure());
/// assert_eq!(uri.host(), "xn--bcher-kva.example");
/// assert_eq!(uri.port(), 8443);
/// assert_eq!(uri.resource_name(), "/chat?room=1");
/// # Ok::<(), openline_proto::uri::InvalidUri>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    is_secure: bool,
    /// Invariant: not empty, ASCII, lower case; an address with colons in it is an IPv6 address.
    host: String,
    /// Invariant: not zero.
    port: u16,
    /// Invariant: starts with `/`; visible ASCII only.
    resource_name: String,
    user_info: Option<(String, String)>,
}

impl Uri {
    /// Parses a WebSocket URI.
    ///
    /// Zone identifiers (`[fe80::1%25eth0]`) are refused: their meaning is local to one machine,
    /// and RFC 6874, which wrote them into URIs, is withdrawn. To reach such an address, hand
    /// over a connected socket instead.
    ///
    /// # Errors
    ///
    /// [`InvalidUri`] (the caller's fault) when the scheme isn't `ws` or `wss`, when there is a
    /// fragment, even an empty one, a blank or a control character, a user name without a
    /// password, or when the host or port isn't valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::uri::Uri;
    ///
    /// assert_eq!(Uri::parse("ws://localhost")?.resource_name(), "/");
    ///
    /// let error = Uri::parse("http://localhost/").map_err(|error| error.to_string());
    /// assert_eq!(error, Err("http://localhost/ isn't a valid URI: scheme isn't ws or wss".into()));
    /// # Ok::<(), openline_proto::uri::InvalidUri>(())
    /// ```
    pub fn parse(uri: &str) -> Result<Uri, InvalidUri> {
        split(uri).map_err(|reason| InvalidUri { uri: printable(uri), reason })
    }

    /// Tells whether the connection uses TLS (`wss`).
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::uri::Uri;
    /// assert!(!Uri::parse("ws://localhost/")?.is_secure());
    /// # Ok::<(), openline_proto::uri::InvalidUri>(())
    /// ```
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Returns the host as it is looked up: ASCII, in lower case, an IPv6 address without its
    /// brackets.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::uri::Uri;
    /// assert_eq!(Uri::parse("ws://EXAMPLE.com/")?.host(), "example.com");
    /// assert_eq!(Uri::parse("ws://[::1]/")?.host(), "::1");
    /// # Ok::<(), openline_proto::uri::InvalidUri>(())
    /// ```
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port: the one given, else 80 for `ws` and 443 for `wss`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::uri::Uri;
    /// assert_eq!(Uri::parse("wss://localhost/")?.port(), 443);
    /// # Ok::<(), openline_proto::uri::InvalidUri>(())
    /// ```
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the request target: path and query byte for byte, characters outside ASCII
    /// percent-encoded as UTF-8.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::uri::Uri;
    /// assert_eq!(Uri::parse("ws://localhost/a%2Fb//c?d|e")?.resource_name(), "/a%2Fb//c?d|e");
    /// assert_eq!(Uri::parse("ws://localhost?é")?.resource_name(), "/?%C3%A9");
    /// # Ok::<(), openline_proto::uri::InvalidUri>(())
    /// ```
    pub fn resource_name(&self) -> &str {
        &self.resource_name
    }

    /// Returns the user name and password, percent-decoded.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::uri::Uri;
    /// let uri = Uri::parse("ws://aladdin:open%20sesame@localhost/")?;
    /// assert_eq!(uri.user_info(), Some(("aladdin", "open sesame")));
    /// # Ok::<(), openline_proto::uri::InvalidUri>(())
    /// ```
    pub fn user_info(&self) -> Option<(&str, &str)> {
        self.user_info.as_ref().map(|(username, password)| (&**username, &**password))
    }

    /// Returns the value of the `Host` header: the port only when it isn't the scheme's default.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::uri::Uri;
    /// assert_eq!(Uri::parse("ws://[::1]:80/")?.authority(), "[::1]");
    /// assert_eq!(Uri::parse("ws://localhost:8080/")?.authority(), "localhost:8080");
    /// # Ok::<(), openline_proto::uri::InvalidUri>(())
    /// ```
    pub fn authority(&self) -> String {
        let host = &self.host;
        // RFC 3986 §3.2.2: a colon in a host can only be an IPv6 address, which stands in brackets.
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        if self.port == default_port(self.is_secure) {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl FromStr for Uri {
    type Err = InvalidUri;

    fn from_str(uri: &str) -> Result<Uri, InvalidUri> {
        Uri::parse(uri)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_secure { "wss://" } else { "ws://" })?;
        if let Some((username, _)) = &self.user_info {
            write!(f, "{username}:{HIDDEN}@")?;
        }
        write!(f, "{}{}", self.authority(), self.resource_name)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({self})")
    }
}

/// The text isn't a WebSocket URI. Fault: the caller.
///
/// # Examples
///
/// ```
/// use openline_proto::uri::Uri;
///
/// let Err(error) = Uri::parse("ws://user:secret@localhost:0/") else { return };
/// assert_eq!(error.uri, "ws://user:***@localhost:0/");
/// assert_eq!(error.reason, "port 0 can't be connected to");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{uri} isn't a valid URI: {reason}")]
#[non_exhaustive]
pub struct InvalidUri {
    /// The URI, with its password hidden and control characters escaped, so that it can be printed
    /// and logged.
    pub uri: String,
    /// What is wrong with it.
    pub reason: String,
}

fn split(uri: &str) -> Result<Uri, String> {
    // RFC 3986 allows none of them; CR LF in a request target would be header injection.
    if let Some(c) = uri.chars().find(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("blank or control character U+{:04X}", c as u32));
    }
    let (scheme, rest) = uri.split_once("://").ok_or(BAD_SCHEME)?;
    let is_secure = match scheme.to_ascii_lowercase().as_str() {
        "ws" => false,
        "wss" => true,
        _ => return Err(BAD_SCHEME.into()),
    };
    // RFC 6455 §3: fragment identifiers MUST NOT be used on these URIs.
    if rest.contains('#') {
        return Err("fragment identifier is meaningless".into());
    }
    let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user_info, location) = match authority.rsplit_once('@') {
        Some((user_info, location)) => (Some(split_user_info(user_info)?), location),
        None => (None, authority),
    };
    let (host, port) = split_location(location)?;
    let port = port.map_or(Ok(default_port(is_secure)), parse_port)?;
    Ok(Uri { is_secure, host, port, resource_name: encode_resource(resource), user_info })
}

fn split_user_info(user_info: &str) -> Result<(String, String), String> {
    let (username, password) =
        user_info.split_once(':').ok_or("username provided without password")?;
    let username = percent_decode(username)?;
    let password = percent_decode(password)?;
    // RFC 7617 §2: a colon would end the user name early, and control characters MUST NOT be sent.
    if username.contains(':') {
        return Err("colon in username".into());
    }
    if username.chars().chain(password.chars()).any(char::is_control) {
        return Err("control character in user information".into());
    }
    Ok((username, password))
}

pub(crate) fn split_location(location: &str) -> Result<(String, Option<&str>), String> {
    if let Some(rest) = location.strip_prefix('[') {
        let (literal, rest) = rest.split_once(']').ok_or("IPv6 address without closing bracket")?;
        if literal.contains('%') {
            return Err("IPv6 zone identifiers aren't supported".into());
        }
        literal.parse::<Ipv6Addr>().map_err(|_| format!("invalid IPv6 address: {literal}"))?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((literal.to_ascii_lowercase(), Some(port))),
            None if rest.is_empty() => Ok((literal.to_ascii_lowercase(), None)),
            None => Err("IPv6 address isn't followed by a port or path".into()),
        };
    }
    let (host, port) = match location.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (location, None),
    };
    if port.is_some_and(|port| port.contains(':')) {
        return Err("more than one colon after the host; an IPv6 address needs brackets".into());
    }
    Ok((encode_host(host)?, port))
}

fn encode_host(host: &str) -> Result<String, String> {
    // ASCII names skip IDNA: it would refuse names that resolve well, such as unassigned `xn--`
    // labels.
    let ascii = if host.is_ascii() {
        host.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii_cow(host.as_bytes(), AsciiDenyList::URL)
            .map_err(|_| format!("invalid internationalized hostname: {host}"))?
            .into_owned()
    };
    let labels = ascii.strip_suffix('.').unwrap_or(&ascii);
    if labels.is_empty() {
        return Err("hostname isn't provided".into());
    }
    if labels.split('.').any(str::is_empty) {
        return Err(format!("empty label in hostname: {host}"));
    }
    // Stricter than RFC 3986 §3.2.2, which also has sub-delims and escapes: no host name holds
    // them.
    match ascii.chars().find(|c| !c.is_ascii_alphanumeric() && !"-._~".contains(*c)) {
        Some(c) => Err(format!("invalid character {c:?} in hostname")),
        None => Ok(ascii),
    }
}

pub(crate) fn parse_port(port: &str) -> Result<u16, String> {
    if port.is_empty() {
        return Err("port is empty".into());
    }
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err("port isn't a number".into());
    }
    match port.parse::<u16>() {
        Ok(0) => Err("port 0 can't be connected to".into()),
        Ok(port) => Ok(port),
        Err(_) => Err("port is out of range; expected 1-65535".into()),
    }
}

fn encode_resource(resource: &str) -> String {
    let mut name = String::with_capacity(resource.len() + 1);
    if !resource.starts_with('/') {
        // RFC 6455 §3: "/" if the path component is empty.
        name.push('/');
    }
    for c in resource.chars() {
        if c.is_ascii() {
            name.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                name.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    name
}

/// Decodes `%XX`. A percent sign that starts no escape stays as it is, as in Python's
/// `urllib.parse.unquote`.
pub(crate) fn percent_decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                bytes.push(hex_digit(*high) << 4 | hex_digit(*low));
                after
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    String::from_utf8(bytes).map_err(|_| "user information isn't UTF-8".into())
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Makes a refused URI fit for a log. What it hides goes up to the very last `@`, even one that
/// stands in the path: a password with an unescaped `/`, `?` or `#` is among the likely reasons why
/// we are here.
pub(crate) fn printable(uri: &str) -> String {
    let authority = uri.find("://").map_or(0, |at| at + 3);
    let hidden = uri[authority..].find(':').zip(uri[authority..].rfind('@'));
    let shown = match hidden {
        Some((colon, at)) if colon < at => {
            format!("{}{HIDDEN}{}", &uri[..authority + colon + 1], &uri[authority + at..])
        }
        _ => uri.to_owned(),
    };
    let escape =
        |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
    shown.chars().map(escape).collect()
}

fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

const BAD_SCHEME: &str = "scheme isn't ws or wss";
const HIDDEN: &str = "***";

#[cfg(test)]
mod tests;
