//! References to other URIs, as redirects have them (RFC 3986 §5.2).

use super::{InvalidUri, Uri, printable, split};

impl Uri {
    /// Resolves a reference, such as the value of a `Location` header (RFC 9110 §10.2.2), against this
    /// URI (RFC 3986 §5.2). An `http` or `https` URI becomes `ws` or `wss`, and a fragment is dropped.
    /// User name and password go along to the same origin only, unless the reference has its own.
    ///
    /// # Errors
    ///
    /// [`InvalidUri`] for what is no WebSocket URI then.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::Uri;
    ///
    /// let uri = Uri::parse("wss://example.com/a/b?c=1")?;
    /// assert_eq!(uri.join("../d")?.to_string(), "wss://example.com/d");
    /// assert_eq!(uri.join("//other.example/")?.to_string(), "wss://other.example/");
    /// assert_eq!(uri.join("https://example.com/e")?.to_string(), "wss://example.com/e");
    /// # Ok::<(), openline_proto::uri::InvalidUri>(())
    /// ```
    pub fn join(&self, reference: &str) -> Result<Uri, InvalidUri> {
        let reference = reference.split_once('#').map_or(reference, |(reference, _)| reference);
        let scheme = if self.is_secure { "wss" } else { "ws" };
        let fail = |uri: &str| {
            let uri = printable(uri);
            move |reason| InvalidUri { uri, reason }
        };
        let absolute = match scheme_of(reference) {
            Some("http" | "HTTP") => format!("ws{}", &reference[4..]),
            Some("https" | "HTTPS") => format!("wss{}", &reference[5..]),
            Some(_) => reference.to_owned(),
            None if reference.starts_with("//") => format!("{scheme}:{reference}"),
            None => {
                let mut target = self.clone();
                target.resource_name = self.resolve(reference);
                // The checks of a whole URI hold for the new part, too.
                let whole = format!("{scheme}://{}{}", self.authority(), target.resource_name);
                target.resource_name = split(&whole).map_err(fail(&whole))?.resource_name;
                return Ok(target);
            }
        };
        let mut target = split(&absolute).map_err(fail(&absolute))?;
        target.resource_name = normalize(&target.resource_name);
        if target.user_info.is_none() && target.is_same_origin(self) {
            target.user_info.clone_from(&self.user_info);
        }
        Ok(target)
    }

    /// Whether scheme, host and port are the same (RFC 6454 §5).
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::Uri;
    ///
    /// let uri = Uri::parse("ws://example.com/a")?;
    /// assert!(uri.is_same_origin(&Uri::parse("ws://EXAMPLE.com:80/b")?));
    /// assert!(!uri.is_same_origin(&Uri::parse("wss://example.com/a")?));
    /// # Ok::<(), openline_proto::uri::InvalidUri>(())
    /// ```
    pub fn is_same_origin(&self, other: &Uri) -> bool {
        (self.is_secure, &self.host, self.port) == (other.is_secure, &other.host, other.port)
    }

    /// Path and query of a relative reference, by RFC 3986 §5.2.2.
    fn resolve(&self, reference: &str) -> String {
        let (base_path, base_query) = split_query(&self.resource_name);
        let (path, query) = split_query(reference);
        if path.is_empty() {
            return join_query(base_path, query.or(base_query));
        }
        let path = if path.starts_with('/') {
            remove_dot_segments(path)
        } else {
            // §5.2.3: in place of what is after the last slash.
            let folder = &base_path[..base_path.rfind('/').map_or(0, |at| at + 1)];
            remove_dot_segments(&format!("{folder}{path}"))
        };
        join_query(&path, query)
    }
}

/// The scheme of a reference, if it has one (RFC 3986 §3.1).
fn scheme_of(reference: &str) -> Option<&str> {
    let (scheme, _) = reference.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then_some(scheme)
}

fn split_query(resource: &str) -> (&str, Option<&str>) {
    match resource.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (resource, None),
    }
}

fn join_query(path: &str, query: Option<&str>) -> String {
    query.map_or(path.to_owned(), |query| format!("{path}?{query}"))
}

fn normalize(resource: &str) -> String {
    let (path, query) = split_query(resource);
    join_query(&remove_dot_segments(path), query)
}

/// RFC 3986 §5.2.4, for a path that starts with a slash.
fn remove_dot_segments(path: &str) -> String {
    let mut output: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    output.pop();
                }
                if is_last {
                    output.push("");
                }
            }
            _ => output.push(segment),
        }
    }
    format!("/{}", output.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(base: &str, reference: &str) -> String {
        match Uri::parse(base).unwrap().join(reference) {
            Ok(uri) => uri.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn rfc_3986_section_5_4_examples() {
        for (reference, expected) in [
            ("g", "ws://a/b/c/g"),
            ("./g", "ws://a/b/c/g"),
            ("g/", "ws://a/b/c/g/"),
            ("/g", "ws://a/g"),
            ("//g", "ws://g/"),
            ("?y", "ws://a/b/c/d;p?y"),
            ("g?y", "ws://a/b/c/g?y"),
            ("#s", "ws://a/b/c/d;p?q"),
            ("g#s", "ws://a/b/c/g"),
            ("g?y#s", "ws://a/b/c/g?y"),
            (";x", "ws://a/b/c/;x"),
            ("g;x?y#s", "ws://a/b/c/g;x?y"),
            ("", "ws://a/b/c/d;p?q"),
            (".", "ws://a/b/c/"),
            ("./", "ws://a/b/c/"),
            ("..", "ws://a/b/"),
            ("../", "ws://a/b/"),
            ("../g", "ws://a/b/g"),
            ("../..", "ws://a/"),
            ("../../", "ws://a/"),
            ("../../g", "ws://a/g"),
            ("../../../g", "ws://a/g"),
            ("../../../../g", "ws://a/g"),
            ("/./g", "ws://a/g"),
            ("/../g", "ws://a/g"),
            ("g.", "ws://a/b/c/g."),
            ("..g", "ws://a/b/c/..g"),
            ("./../g", "ws://a/b/g"),
            ("./g/.", "ws://a/b/c/g/"),
            ("g/./h", "ws://a/b/c/g/h"),
            ("g/../h", "ws://a/b/c/h"),
            ("g;x=1/../y", "ws://a/b/c/y"),
            ("g?y/../x", "ws://a/b/c/g?y/../x"),
        ] {
            assert_eq!(join("ws://a/b/c/d;p?q", reference), expected, "{reference}");
        }
    }

    #[test]
    fn http_uris_stand_for_websocket_uris() {
        assert_eq!(join("ws://a/", "http://b:80/c"), "ws://b/c");
        assert_eq!(join("ws://a/", "https://b:443/c/../d"), "wss://b/d");
        assert_eq!(join("wss://a/", "wss://b"), "wss://b/");
    }

    #[test]
    fn other_schemes_are_refused() {
        for reference in ["ftp://a/", "javascript:alert(1)", "mailto:x@y"] {
            let error = join("ws://a/", reference);
            assert!(error.ends_with("isn't a valid URI: scheme isn't ws or wss"), "{error}");
        }
    }

    #[test]
    fn blanks_and_broken_hosts_are_refused() {
        assert!(join("ws://a/", "/b c").contains("blank or control character U+0020"));
        assert!(join("ws://a/", "//b:99999/").contains("port is out of range"));
        assert!(join("ws://a/", "//").contains("hostname isn't provided"));
    }

    #[test]
    fn user_information_stays_with_its_origin() {
        let base = Uri::parse("ws://me:pw@a/").unwrap();
        for same in ["/b", "ws://a:80/b", "http://A/b"] {
            assert_eq!(base.join(same).unwrap().user_info(), Some(("me", "pw")), "{same}");
        }
        for other in ["//b/", "wss://a/", "ws://a:81/"] {
            assert_eq!(base.join(other).unwrap().user_info(), None, "{other}");
        }
        assert_eq!(base.join("//you:x@a/").unwrap().user_info(), Some(("you", "x")));
    }
}
