//! URLs of proxies.

use openline_proto::proxy::{Destination, ProxyHandshake, ProxyUri};

pub(crate) fn check(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let proxy = match ProxyUri::parse(text) {
        Ok(proxy) => proxy,
        Err(error) => {
            assert!(!error.reason.is_empty());
            assert!(!error.proxy.chars().any(char::is_control), "unfit for a log: {}", error.proxy);
            return;
        }
    };
    assert!(!proxy.host().is_empty() && proxy.host().is_ascii());
    assert_ne!(proxy.port(), 0);
    match proxy.user_info() {
        None => assert_eq!(ProxyUri::parse(&proxy.to_string()).as_ref(), Ok(&proxy)),
        Some((user, password)) => {
            assert!(!user.chars().chain(password.chars()).any(char::is_control));
            assert!(proxy.to_string().contains(":***@"));
        }
    }
    // Whatever the credentials are, a handshake can be begun with them.
    let address = Destination::Address(([192, 0, 2, 1], 443).into());
    let mut handshake =
        ProxyHandshake::new(&proxy, &address, None).expect("an IPv4 address suits every proxy");
    let mut out = Vec::new();
    handshake.take_output(&mut out);
    if out.starts_with(b"CONNECT") {
        assert!(out.ends_with(b"\r\n\r\n"));
        let lines = out.split(|byte| *byte == b'\n').count();
        let expected = if proxy.user_info().is_some() { 5 } else { 4 };
        assert_eq!(lines, expected, "a line was smuggled in: {}", out.escape_ascii());
    }
}
