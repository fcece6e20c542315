//! Offers and answers of permessage-deflate (RFC 7692 §7.1): a client accepts what a server of ours
//! answers to it, and both mean the same; anything else is accepted or refused, as far as it goes.

use openline_proto::extension::deflate::{ClientWindow, PerMessageDeflate, Settings};
use openline_proto::extension::{Coding, Extension, Parameter};
use openline_proto::handshake::{HandshakeError, parse_extensions};

use super::input::Input;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let client = deflate(PerMessageDeflate::client(), &mut input);
    let server = deflate(PerMessageDeflate::server(), &mut input);
    match server.answer(&client.offer()) {
        Ok((answer, at_server)) => {
            let at_server = settings(at_server);
            match client.accept(&answer) {
                Ok(at_client) => assert_agree(settings(at_client), at_server),
                // No client of today can compress with a window of 8 bits.
                Err(error) => {
                    assert_eq!(at_server.remote_max_window_bits, 8, "{answer:?}: {error}");
                }
            }
        }
        Err(error) => assert!(matches!(error, HandshakeError::NegotiationError(_)), "{error}"),
    }

    let text = String::from_utf8_lossy(input.rest());
    let Ok(extensions) = parse_extensions(&text) else { return };
    for extension in extensions {
        anything(&client, &extension.params);
        if let Ok((answer, at_server)) = server.answer(&extension.params) {
            settings(at_server);
            // The answer is one that any client understands.
            let open = PerMessageDeflate::client();
            assert!(open.accept(&answer).is_ok() || has(&answer, "client_max_window_bits", "8"));
        }
    }
}

fn anything(client: &PerMessageDeflate, params: &[Parameter]) {
    if let Ok(coding) = client.accept(params) {
        settings(coding);
        let mut names: Vec<&String> = params.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), params.len(), "a parameter stands twice");
    }
}

fn has(params: &[Parameter], name: &str, value: &str) -> bool {
    params.iter().any(|(n, v)| n == name && v.as_deref() == Some(value))
}

fn deflate(start: PerMessageDeflate, input: &mut Input<'_>) -> PerMessageDeflate {
    let [flags, bits] = [input.byte(), input.byte()];
    let server_bits = match bits % 9 {
        0 => None,
        n => Some(7 + n),
    };
    let window = match bits / 9 % 10 {
        0 => ClientWindow::Unmentioned,
        1 => ClientWindow::Supported,
        n => ClientWindow::AtMost(6 + n),
    };
    start
        .server_no_context_takeover(flags & 1 != 0)
        .client_no_context_takeover(flags & 2 != 0)
        .require_client_max_window_bits(flags & 4 != 0)
        .server_max_window_bits(server_bits)
        .and_then(|deflate| deflate.client_max_window_bits(window))
        .expect("8 to 15")
}

fn settings(coding: Coding) -> Settings {
    let Coding::Deflate(settings) = coding else { panic!("{coding:?}") };
    assert!((8..=15).contains(&settings.remote_max_window_bits));
    assert!((9..=15).contains(&settings.local_max_window_bits));
    settings
}

/// What one side does is what the other expects. A client may use less than it was allowed.
fn assert_agree(client: Settings, server: Settings) {
    assert_eq!(client.remote_no_context_takeover, server.local_no_context_takeover);
    assert_eq!(client.remote_max_window_bits, server.local_max_window_bits);
    assert!(client.local_max_window_bits <= server.remote_max_window_bits);
    assert!(client.local_no_context_takeover || !server.remote_no_context_takeover);
}
