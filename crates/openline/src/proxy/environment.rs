//! The proxy that environment variables ask for, by the rules of Python's `urllib.request`
//! (`getproxies_environment`, `proxy_bypass_environment`).

use std::collections::HashMap;
use std::ffi::OsString;

use openline_proto::Uri;
use openline_proto::proxy::{InvalidProxy, ProxyUri};

/// The proxy for a URI; `None` connects directly.
pub(super) fn proxy_for(
    uri: &Uri,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Option<ProxyUri>, InvalidProxy> {
    let proxies = proxies(variables);
    if proxies.get("no").is_some_and(|no_proxy| is_excluded(no_proxy, uri)) {
        return Ok(None);
    }
    // RFC 6455 §4.1 prefers SOCKS, then the proxy for HTTPS, since tunnels are what it is used for.
    let schemes: &[&str] = if uri.is_secure() {
        &["wss", "socks", "https"]
    } else {
        &["ws", "socks", "https", "http"]
    };
    let Some((scheme, url)) =
        schemes.iter().find_map(|scheme| Some((*scheme, proxies.get(*scheme)?)))
    else {
        return Ok(None);
    };
    match url.strip_prefix("http://") {
        Some(rest) if scheme == "socks" => ProxyUri::parse(&format!("socks5h://{rest}")).map(Some),
        _ => ProxyUri::parse(url).map(Some),
    }
}

/// What the variables `*_proxy` say, by the lower case of what is before `_proxy`.
fn proxies(variables: impl IntoIterator<Item = (OsString, OsString)>) -> HashMap<String, String> {
    let mut is_cgi = false;
    let mut in_lower_case = Vec::new();
    let mut proxies = HashMap::new();
    for (name, value) in variables {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy().into_owned());
        is_cgi |= name == "REQUEST_METHOD";
        let Some(split) = name.len().checked_sub(6).filter(|at| name.is_char_boundary(*at)) else {
            continue;
        };
        let (scheme, suffix) = name.split_at(split);
        if !suffix.eq_ignore_ascii_case("_proxy") {
            continue;
        }
        let scheme = scheme.to_lowercase();
        if suffix == "_proxy" {
            in_lower_case.push((scheme.clone(), value.clone()));
        }
        if !value.is_empty() {
            proxies.insert(scheme, value);
        }
    }
    if is_cgi {
        // There HTTP_PROXY is a header of the request, which anybody can send (CVE-2016-1000110).
        proxies.remove("http");
    }
    for (scheme, value) in in_lower_case {
        if value.is_empty() {
            proxies.remove(&scheme);
        } else {
            proxies.insert(scheme, value);
        }
    }
    proxies
}

/// Whether `no_proxy` names the host, with or without its port, or a domain it is in.
fn is_excluded(no_proxy: &str, uri: &Uri) -> bool {
    if no_proxy == "*" {
        return true;
    }
    let host = uri.host();
    let with_port = format!("{host}:{}", uri.port());
    no_proxy.split(',').map(str::trim).filter(|name| !name.is_empty()).any(|name| {
        let name = name.trim_start_matches('.').to_lowercase();
        [host, &with_port].into_iter().any(|host| {
            host.strip_suffix(name.as_str())
                .is_some_and(|domain| domain.is_empty() || domain.ends_with('.'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(uri: &str, variables: &[(&str, &str)]) -> Option<String> {
        let uri = Uri::parse(uri).unwrap();
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        proxy_for(&uri, variables).unwrap().map(|proxy| proxy.to_string())
    }

    const SECURE: &str = "wss://example.com/";
    const PLAIN: &str = "ws://example.com/";

    #[test]
    fn the_first_that_is_set_is_taken() {
        let variables = [
            ("http_proxy", "http://http"),
            ("https_proxy", "http://https"),
            ("socks_proxy", "socks5://socks"),
            ("ws_proxy", "http://ws"),
            ("wss_proxy", "http://wss"),
        ];
        for (n, expected) in
            ["http://ws:80", "socks5://socks:1080", "http://https:80"].into_iter().enumerate()
        {
            assert_eq!(choose(PLAIN, &variables[..4 - n]).as_deref(), Some(expected));
        }
        assert_eq!(choose(PLAIN, &variables[..1]).as_deref(), Some("http://http:80"));
        assert_eq!(choose(SECURE, &variables).as_deref(), Some("http://wss:80"));
        assert_eq!(choose(SECURE, &variables[..3]).as_deref(), Some("socks5://socks:1080"));
        assert_eq!(choose(SECURE, &variables[..2]).as_deref(), Some("http://https:80"));
        assert_eq!(choose(SECURE, &variables[..1]), None);
        assert_eq!(choose(SECURE, &[("all_proxy", "http://a")]), None);
    }

    #[test]
    fn a_socks_proxy_may_be_written_as_http() {
        let variables = [("socks_proxy", "http://localhost:9")];
        assert_eq!(choose(SECURE, &variables).as_deref(), Some("socks5h://localhost:9"));
    }

    #[test]
    fn lower_case_wins_also_when_empty() {
        let variables = [("https_proxy", "http://a"), ("HTTPS_PROXY", "http://b")];
        assert_eq!(choose(SECURE, &variables).as_deref(), Some("http://a:80"));
        let variables = [("https_proxy", ""), ("HTTPS_PROXY", "http://b")];
        assert_eq!(choose(SECURE, &variables), None);
        assert_eq!(choose(SECURE, &[("Https_Proxy", "http://a")]).as_deref(), Some("http://a:80"));
    }

    #[test]
    fn a_cgi_script_ignores_what_a_request_can_set() {
        let cgi = ("REQUEST_METHOD", "GET");
        assert_eq!(choose(PLAIN, &[cgi, ("HTTP_PROXY", "http://evil")]), None);
        assert!(choose(PLAIN, &[cgi, ("http_proxy", "http://good")]).is_some());
    }

    #[test]
    fn no_proxy_names_hosts_and_domains() {
        let is_direct = |uri: &str, no_proxy: &str| {
            choose(uri, &[("http_proxy", "http://a"), ("no_proxy", no_proxy)]).is_none()
        };
        for no_proxy in [
            "*",
            "example.com",
            ".example.com",
            "EXAMPLE.com",
            "a, example.com ,b",
            "com",
            "example.com:80",
        ] {
            assert!(is_direct(PLAIN, no_proxy), "{no_proxy}");
        }
        for no_proxy in ["", "ample.com", "www.example.com", "example.com:81", "*.example.com", ","]
        {
            assert!(!is_direct(PLAIN, no_proxy), "{no_proxy}");
        }
        assert!(is_direct("ws://www.example.com/", "example.com"));
        assert!(is_direct("ws://[::1]:8080/", "::1"));
        assert!(is_direct("ws://127.0.0.1:8080/", "127.0.0.1"));
    }

    #[test]
    fn a_proxy_without_scheme_is_refused_with_the_way_out() {
        let uri = Uri::parse(SECURE).unwrap();
        let error = proxy_for(&uri, [("https_proxy".into(), "proxy:3128".into())]).unwrap_err();
        assert!(error.reason.contains("write http:// in front"), "{error}");
    }
}
