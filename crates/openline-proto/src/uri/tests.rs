use proptest::prelude::*;

use super::*;

fn reason(uri: &str) -> String {
    Uri::parse(uri).unwrap_err().reason
}

// RFC 6455 §3: the parts.

#[test]
fn parts_of_a_uri() {
    let table = [
        ("ws://localhost", false, "localhost", 80, "/", "localhost"),
        ("wss://localhost", true, "localhost", 443, "/", "localhost"),
        ("WSS://LocalHost/A", true, "localhost", 443, "/A", "localhost"),
        ("ws://localhost:80/", false, "localhost", 80, "/", "localhost"),
        ("ws://localhost:443/", false, "localhost", 443, "/", "localhost:443"),
        ("wss://localhost:80/", true, "localhost", 80, "/", "localhost:80"),
        ("ws://localhost:0080/", false, "localhost", 80, "/", "localhost"),
        ("ws://h:65535/", false, "h", 65535, "/", "h:65535"),
        ("ws://h?", false, "h", 80, "/?", "h"),
        ("ws://h?a=b", false, "h", 80, "/?a=b", "h"),
        ("ws://h/?a=/b?c", false, "h", 80, "/?a=/b?c", "h"),
        ("ws://h//a/./../b;c", false, "h", 80, "//a/./../b;c", "h"),
        ("ws://h/%7e%7E%2f\"<>\\^`{|}", false, "h", 80, "/%7e%7E%2f\"<>\\^`{|}", "h"),
        ("ws://h/a:b@c", false, "h", 80, "/a:b@c", "h"),
        ("ws://example.com./", false, "example.com.", 80, "/", "example.com."),
        ("ws://my_host-1.test/", false, "my_host-1.test", 80, "/", "my_host-1.test"),
        ("ws://127.0.0.1:9/", false, "127.0.0.1", 9, "/", "127.0.0.1:9"),
        ("ws://[::1]", false, "::1", 80, "/", "[::1]"),
        ("ws://[2001:DB8::1]:81?q", false, "2001:db8::1", 81, "/?q", "[2001:db8::1]:81"),
        ("ws://[::ffff:1.2.3.4]/", false, "::ffff:1.2.3.4", 80, "/", "[::ffff:1.2.3.4]"),
    ];
    for (text, is_secure, host, port, resource_name, authority) in table {
        let uri: Uri = text.parse().unwrap();
        assert_eq!(uri.is_secure(), is_secure, "{text}");
        assert_eq!(uri.host(), host, "{text}");
        assert_eq!(uri.port(), port, "{text}");
        assert_eq!(uri.resource_name(), resource_name, "{text}");
        assert_eq!(uri.authority(), authority, "{text}");
        assert_eq!(uri.user_info(), None, "{text}");
    }
}

#[test]
fn text_outside_ascii_is_encoded() {
    let uri = Uri::parse("ws://BÜCHER.例え/π/%20?café=☕").unwrap();
    assert_eq!(uri.host(), "xn--bcher-kva.xn--r8jz45g");
    assert_eq!(uri.resource_name(), "/%CF%80/%20?caf%C3%A9=%E2%98%95");
    // UTS 46 maps full-width forms and the ideographic full stop.
    assert_eq!(Uri::parse("ws://ｅｘ。com/").unwrap().host(), "ex.com");
}

#[test]
fn user_info_is_percent_decoded() {
    let table = [
        ("ws://a:b@h/", "a", "b"),
        ("ws://a:b:c@h/", "a", "b:c"),
        ("ws://:b@h/", "", "b"),
        ("ws://a:@h/", "a", ""),
        ("ws://%C3%A9%40:p%3a%2F@h/", "é@", "p:/"),
        ("ws://é:ü@h/", "é", "ü"),
        ("ws://a:100%@h/", "a", "100%"),
        ("ws://a:%zz@h/", "a", "%zz"),
        ("ws://a@b:c@h/", "a@b", "c"),
    ];
    for (text, username, password) in table {
        let uri = Uri::parse(text).unwrap();
        assert_eq!(uri.user_info(), Some((username, password)), "{text}");
        assert_eq!(uri.host(), "h");
    }
}

#[test]
fn refused_uris_and_their_reasons() {
    let table = [
        ("", BAD_SCHEME),
        ("localhost", BAD_SCHEME),
        ("ws:localhost", BAD_SCHEME),
        ("http://localhost/", BAD_SCHEME),
        ("://localhost/", BAD_SCHEME),
        ("ws://h/#", "fragment identifier is meaningless"),
        ("ws://h/#a", "fragment identifier is meaningless"),
        ("ws://h#a", "fragment identifier is meaningless"),
        ("ws://", "hostname isn't provided"),
        ("ws:///path", "hostname isn't provided"),
        ("ws://:80/", "hostname isn't provided"),
        ("ws://a:b@/", "hostname isn't provided"),
        ("ws://./", "hostname isn't provided"),
        ("ws://a..b/", "empty label in hostname: a..b"),
        ("ws://a%41/", "invalid character '%' in hostname"),
        ("ws://a\\@b/", "username provided without password"),
        ("ws://a\\b/", "invalid character '\\\\' in hostname"),
        ("ws://a]/", "invalid character ']' in hostname"),
        ("ws://\u{AD}/", "hostname isn't provided"),
        ("ws://é%/", "invalid internationalized hostname: é%"),
        ("ws://h:/", "port is empty"),
        ("ws://h:0/", "port 0 can't be connected to"),
        ("ws://h:65536/", "port is out of range; expected 1-65535"),
        ("ws://h:99999999999999999999/", "port is out of range; expected 1-65535"),
        ("ws://h:+80/", "port isn't a number"),
        ("ws://h:8a/", "port isn't a number"),
        ("ws://h:٨/", "port isn't a number"),
        ("ws://[::1/", "IPv6 address without closing bracket"),
        ("ws://[]/", "invalid IPv6 address: "),
        ("ws://[::g]/", "invalid IPv6 address: ::g"),
        ("ws://[127.0.0.1]/", "invalid IPv6 address: 127.0.0.1"),
        ("ws://[v1.a]/", "invalid IPv6 address: v1.a"),
        ("ws://[::1]80/", "IPv6 address isn't followed by a port or path"),
        ("ws://[::1]:/", "port is empty"),
        ("ws://[fe80::1%25eth0]/", "IPv6 zone identifiers aren't supported"),
        ("ws://::1/", "more than one colon after the host; an IPv6 address needs brackets"),
        ("ws://user@h/", "username provided without password"),
        ("ws://a%3Ab:c@h/", "colon in username"),
        ("ws://a:%FF@h/", "user information isn't UTF-8"),
    ];
    for (uri, expected) in table {
        assert_eq!(reason(uri), expected, "{uri}");
    }
}

#[test]
fn injection_is_refused() {
    let table = [
        ("ws://h/\r\nX: y", "blank or control character U+000D"),
        ("ws://h/a\nb", "blank or control character U+000A"),
        ("ws://h/a\0b", "blank or control character U+0000"),
        ("ws://h/a\tb", "blank or control character U+0009"),
        ("ws://h/a b", "blank or control character U+0020"),
        ("ws://h/a\u{7F}", "blank or control character U+007F"),
        ("ws://h/a\u{85}", "blank or control character U+0085"),
        ("ws://h/a\u{A0}", "blank or control character U+00A0"),
        (" ws://h/", "blank or control character U+0020"),
        ("ws://h\r\n/", "blank or control character U+000D"),
        ("ws://a:b\r\n@h/", "blank or control character U+000D"),
        ("ws://a:b%0D%0A@h/", "control character in user information"),
        ("ws://a%00:b@h/", "control character in user information"),
    ];
    for (uri, expected) in table {
        assert_eq!(reason(uri), expected, "{uri:?}");
    }
}

#[test]
fn password_is_never_shown() {
    let uri = Uri::parse("wss://me:secret@h:1/?q").unwrap();
    assert_eq!(uri.to_string(), "wss://me:***@h:1/?q");
    assert_eq!(format!("{uri:?}"), "Uri(wss://me:***@h:1/?q)");

    let table = [
        ("http://me:secret@h/", "http://me:***@h/"),
        ("ws://me:secret@h/#", "ws://me:***@h/#"),
        ("ws://me:sec/ret@h/", "ws://me:***@h/"),
        ("ws://me:sec#ret@h/", "ws://me:***@h/"),
        ("ws://me:s@cret@:h/", "ws://me:***@:h/"),
        ("me:secret@h", "me:***@h"),
        ("ws://me:secret@h/\r\nX: y", "ws://me:***@h/\\r\\nX: y"),
    ];
    for (uri, shown) in table {
        let error = Uri::parse(uri).unwrap_err();
        assert_eq!(error.uri, shown);
        assert!(error.to_string().starts_with(&format!("{shown} isn't a valid URI: ")));
        assert!(!error.reason.contains("secret"));
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(uri in "(wss?://)?\\PC*|ws://[a-z:@\\[\\]%/?#.0-9é]*") {
        if let Ok(uri) = Uri::parse(&uri) {
            let name = uri.resource_name();
            prop_assert!(name.starts_with('/') && name.bytes().all(|b| b.is_ascii_graphic()));
            prop_assert!(!uri.host().is_empty() && uri.authority().is_ascii());
            if uri.user_info().is_none() {
                prop_assert_eq!(Uri::parse(&uri.to_string()), Ok(uri));
            }
        }
    }
}
