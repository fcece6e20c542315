//! The URL of a proxy, taken apart.

use std::fmt;

use thiserror::Error;

use crate::uri::{parse_port, percent_decode, printable, split_location};

/// The URL of a proxy. `Debug` and `Display` hide the password.
///
/// # Examples
///
/// ```
/// use openline_proto::proxy::{ProxyScheme, ProxyUri};
///
/// let proxy = ProxyUri::parse("socks5h://ada:secret@localhost")?;
/// assert_eq!(proxy.scheme(), ProxyScheme::Socks5h);
/// assert_eq!(proxy.user_info(), Some(("ada", "secret")));
/// assert_eq!(proxy.to_string(), "socks5h://ada:***@localhost:1080");
/// # Ok::<(), openline_proto::proxy::InvalidProxy>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUri {
    scheme: ProxyScheme,
    host: String,
    port: u16,
    user_info: Option<(String, String)>,
}

/// What a proxy speaks.
///
/// # Examples
///
/// ```
/// use openline_proto::proxy::ProxyScheme;
/// assert_eq!(ProxyScheme::Socks4a.to_string(), "socks4a");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyScheme {
    /// HTTP CONNECT.
    Http,
    /// HTTP CONNECT over TLS.
    Https,
    /// SOCKS4, to an IPv4 address.
    Socks4,
    /// SOCKS4a: the proxy resolves the name.
    Socks4a,
    /// SOCKS5, to an address.
    Socks5,
    /// SOCKS5: the proxy resolves the name.
    Socks5h,
}

impl ProxyUri {
    /// Parses the URL of a proxy. The port is 80, 443 for `https` and 1080 for SOCKS if it is left
    /// out.
    ///
    /// # Errors
    ///
    /// [`InvalidProxy`].
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::proxy::ProxyUri;
    ///
    /// assert_eq!(ProxyUri::parse("http://[::1]:3128")?.host(), "::1");
    /// assert!(ProxyUri::parse("proxy.example:3128").is_err());
    /// # Ok::<(), openline_proto::proxy::InvalidProxy>(())
    /// ```
    pub fn parse(proxy: &str) -> Result<ProxyUri, InvalidProxy> {
        split(proxy).map_err(|reason| InvalidProxy { proxy: printable(proxy), reason })
    }

    /// What the proxy speaks.
    ///
    /// ```
    /// use openline_proto::proxy::{ProxyScheme, ProxyUri};
    /// assert_eq!(ProxyUri::parse("HTTP://localhost")?.scheme(), ProxyScheme::Http);
    /// # Ok::<(), openline_proto::proxy::InvalidProxy>(())
    /// ```
    pub fn scheme(&self) -> ProxyScheme {
        self.scheme
    }

    /// The name in lower case and ASCII, or the address without brackets.
    ///
    /// ```
    /// # use openline_proto::proxy::ProxyUri;
    /// assert_eq!(ProxyUri::parse("http://Proxy.Example")?.host(), "proxy.example");
    /// # Ok::<(), openline_proto::proxy::InvalidProxy>(())
    /// ```
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    ///
    /// ```
    /// # use openline_proto::proxy::ProxyUri;
    /// assert_eq!(ProxyUri::parse("https://localhost")?.port(), 443);
    /// # Ok::<(), openline_proto::proxy::InvalidProxy>(())
    /// ```
    pub fn port(&self) -> u16 {
        self.port
    }

    /// User name and password, decoded.
    ///
    /// ```
    /// # use openline_proto::proxy::ProxyUri;
    /// let proxy = ProxyUri::parse("http://ada:a%40b@localhost")?;
    /// assert_eq!(proxy.user_info(), Some(("ada", "a@b")));
    /// # Ok::<(), openline_proto::proxy::InvalidProxy>(())
    /// ```
    pub fn user_info(&self) -> Option<(&str, &str)> {
        self.user_info.as_ref().map(|(user, password)| (user.as_str(), password.as_str()))
    }

    /// Whether the client resolves the destination's name, and not the proxy.
    ///
    /// ```
    /// # use openline_proto::proxy::ProxyUri;
    /// assert!(ProxyUri::parse("socks5://localhost")?.resolves_locally());
    /// assert!(!ProxyUri::parse("socks5h://localhost")?.resolves_locally());
    /// # Ok::<(), openline_proto::proxy::InvalidProxy>(())
    /// ```
    pub fn resolves_locally(&self) -> bool {
        matches!(self.scheme, ProxyScheme::Socks4 | ProxyScheme::Socks5)
    }
}

impl fmt::Display for ProxyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some((user, _)) = &self.user_info {
            write!(f, "{user}:***@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for ProxyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUri({self})")
    }
}

impl ProxyScheme {
    fn name(self) -> &'static str {
        match self {
            ProxyScheme::Http => "http",
            ProxyScheme::Https => "https",
            ProxyScheme::Socks4 => "socks4",
            ProxyScheme::Socks4a => "socks4a",
            ProxyScheme::Socks5 => "socks5",
            ProxyScheme::Socks5h => "socks5h",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            ProxyScheme::Http => 80,
            ProxyScheme::Https => 443,
            _ => 1080,
        }
    }
}

impl fmt::Display for ProxyScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text isn't the URL of a proxy. Fault: the caller, or the environment.
///
/// # Examples
///
/// ```
/// use openline_proto::proxy::ProxyUri;
///
/// let Err(error) = ProxyUri::parse("http://ada:secret@localhost/path") else { return };
/// assert_eq!(error.to_string(), "http://ada:***@localhost/path isn't a valid proxy: path is meaningless");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{proxy} isn't a valid proxy: {reason}")]
#[non_exhaustive]
pub struct InvalidProxy {
    /// The URL, with its password hidden and control characters escaped.
    pub proxy: String,
    /// What is wrong with it.
    pub reason: String,
}

fn split(proxy: &str) -> Result<ProxyUri, String> {
    if let Some(c) = proxy.chars().find(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("blank or control character U+{:04X}", c as u32));
    }
    let (scheme, rest) = proxy
        .split_once("://")
        .ok_or("scheme isn't provided; write http:// in front of the host")?;
    let scheme = SCHEMES
        .into_iter()
        .find(|known| known.name() == scheme.to_ascii_lowercase())
        .ok_or_else(|| format!("scheme {scheme} isn't supported; {EXPECTED}"))?;
    let (authority, resource) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match resource {
        "" | "/" => {}
        _ if resource.trim_start_matches('/').starts_with('?') => {
            return Err("query is meaningless".into());
        }
        _ if resource.trim_start_matches('/').starts_with('#') => {
            return Err("fragment is meaningless".into());
        }
        _ => return Err("path is meaningless".into()),
    }
    let (user_info, location) = match authority.rsplit_once('@') {
        Some((user_info, location)) => (Some(split_user_info(scheme, user_info)?), location),
        None => (None, authority),
    };
    let (host, port) = split_location(location)?;
    let port = port.map_or(Ok(scheme.default_port()), parse_port)?;
    Ok(ProxyUri { scheme, host, port, user_info })
}

fn split_user_info(scheme: ProxyScheme, user_info: &str) -> Result<(String, String), String> {
    let is_socks4 = matches!(scheme, ProxyScheme::Socks4 | ProxyScheme::Socks4a);
    let (username, password) = match user_info.split_once(':') {
        // SOCKS4 has no passwords: a user id alone is all there can be.
        None if is_socks4 => (user_info, ""),
        None => return Err("username provided without password".into()),
        Some(parts) => parts,
    };
    let (username, password) = (percent_decode(username)?, percent_decode(password)?);
    if username.chars().chain(password.chars()).any(char::is_control) {
        return Err("control character in user information".into());
    }
    let is_http = matches!(scheme, ProxyScheme::Http | ProxyScheme::Https);
    // RFC 7617 §2: a colon would end the user name early.
    if is_http && username.contains(':') {
        return Err("colon in username".into());
    }
    // RFC 1929 §2: lengths of 1 to 255.
    let is_socks5 = matches!(scheme, ProxyScheme::Socks5 | ProxyScheme::Socks5h);
    let is_out_of_range = |text: &str| !(1..=255).contains(&text.len());
    if is_socks5 && (is_out_of_range(&username) || is_out_of_range(&password)) {
        return Err("SOCKS5 takes user names and passwords of 1 to 255 bytes".into());
    }
    Ok((username, password))
}

const SCHEMES: [ProxyScheme; 6] = [
    ProxyScheme::Http,
    ProxyScheme::Https,
    ProxyScheme::Socks4,
    ProxyScheme::Socks4a,
    ProxyScheme::Socks5,
    ProxyScheme::Socks5h,
];
const EXPECTED: &str = "expected http, https, socks4, socks4a, socks5 or socks5h";
