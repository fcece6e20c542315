use super::*;
use crate::error::ProtocolError;

fn settings(bits: u8, keeps_context: bool) -> Settings {
    Settings {
        remote_no_context_takeover: !keeps_context,
        local_no_context_takeover: !keeps_context,
        remote_max_window_bits: bits,
        local_max_window_bits: bits,
        effort: Effort::default(),
    }
}

fn compress(compressor: &mut Compressor, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compressor.compress(message, Flush::Message, &mut out);
    out
}

fn decompress(decompressor: &mut Decompressor, payload: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let mut out = Vec::new();
    decompressor.decompress(payload, &mut out, None)?;
    decompressor.end_message(&mut out, None)?;
    Ok(out)
}

/// Text that compresses about as JSON does, without two parts that are the same.
fn text(len: usize) -> Vec<u8> {
    (0_usize..).flat_map(|n| format!("{{\"id\": {}, ", n * n).into_bytes()).take(len).collect()
}

#[test]
fn section_7_2_3_examples_decompress() {
    type Payloads = &'static [&'static [u8]];
    let table: &[(&str, Payloads, Payloads)] = &[
        ("7.2.3.1", &[b"\xf2\x48\xcd\xc9\xc9\x07\x00"], &[b"Hello"]),
        (
            "7.2.3.2 shared window",
            &[b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"\xf2\x00\x11\x00\x00"],
            &[b"Hello", b"Hello"],
        ),
        ("7.2.3.3 no compression", &[b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"], &[b"Hello"]),
        ("7.2.3.4 final block", &[b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"], &[b"Hello"]),
        (
            "7.2.3.5 two blocks",
            &[b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"],
            &[b"Hello"],
        ),
        ("7.2.3.6 empty", &[b"\x00", b"\x00"], &[b"", b""]),
        (
            "a final block and nothing after it",
            &[b"\xf3\x48\xcd\xc9\xc9\x07\x00", b"\xf3\x48\xcd\xc9\xc9\x07\x00"],
            &[b"Hello", b"Hello"],
        ),
    ];
    for (name, payloads, messages) in table {
        let mut whole = Decompressor::new(true);
        let mut bytewise = Decompressor::new(true);
        for (payload, message) in payloads.iter().zip(*messages) {
            assert_eq!(decompress(&mut whole, payload).as_deref(), Ok(*message), "{name}");
            let mut out = Vec::new();
            for byte in *payload {
                bytewise.decompress(&[*byte], &mut out, None).unwrap();
            }
            bytewise.end_message(&mut out, None).unwrap();
            assert_eq!(out, *message, "{name} byte by byte");
        }
    }
}

#[test]
fn section_7_2_3_examples_compress() {
    let mut shared = Compressor::new(&settings(15, true));
    assert_eq!(compress(&mut shared, b"Hello"), b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    assert_eq!(compress(&mut shared, b"Hello"), b"\xf2\x00\x11\x00\x00");
    for _ in 0..3 {
        assert_eq!(compress(&mut shared, b""), b"\x00");
    }
    let mut alone = Compressor::new(&settings(15, false));
    for _ in 0..2 {
        assert_eq!(compress(&mut alone, b"Hello"), b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    }
}

#[test]
fn every_setting_round_trips() {
    let messages =
        [text(10), Vec::new(), text(1_000), text(1_000), text(70_000), vec![7; 300_000], text(3)];
    for bits in 9..=15 {
        for keeps_context in [true, false] {
            for level in [0, 1, 6, 9] {
                for mem_level in [1, 5, 8, 9] {
                    let mut settings = settings(bits, keeps_context);
                    settings.effort.level = level;
                    settings.effort.mem_level = mem_level;
                    let mut compressor = Compressor::new(&settings);
                    let mut decompressor = Decompressor::new(keeps_context);
                    for message in &messages {
                        let payload = compress(&mut compressor, message);
                        let outcome = decompress(&mut decompressor, &payload);
                        assert!(
                            outcome.as_ref() == Ok(message),
                            "{bits} bits, {keeps_context}, level {level}, mem_level {mem_level}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn every_strategy_round_trips() {
    let strategies = [Strategy::Filtered, Strategy::HuffmanOnly, Strategy::Rle, Strategy::Fixed];
    for strategy in strategies {
        let mut settings = settings(15, true);
        settings.effort.strategy = strategy;
        let payload = compress(&mut Compressor::new(&settings), &text(5_000));
        assert_eq!(decompress(&mut Decompressor::new(true), &payload), Ok(text(5_000)));
    }
}

#[test]
fn without_context_takeover_each_message_stands_alone() {
    let mut compressor = Compressor::new(&settings(12, false));
    let payloads = [compress(&mut compressor, &text(500)), compress(&mut compressor, &text(500))];
    assert_eq!(payloads[0], payloads[1]);
    let mut decompressor = Decompressor::new(false);
    // A sender that refers to the message before breaks what was agreed on.
    let mut shared = Compressor::new(&settings(15, true));
    let first = compress(&mut shared, b"Hello");
    let second = compress(&mut shared, b"Hello");
    assert_eq!(decompress(&mut decompressor, &first).unwrap(), b"Hello");
    assert_eq!(
        decompress(&mut decompressor, &second),
        Err(ProtocolError::InvalidDeflate { reason: "invalid distance too far back" })
    );
}

#[test]
fn fragments_flush_what_they_have() {
    let mut compressor = Compressor::new(&settings(15, true));
    let mut decompressor = Decompressor::new(true);
    let parts: [&[u8]; 5] = [b"", b"Hel", b"", b"lo, hello", b""];
    let mut message = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let is_last = number + 1 == parts.len();
        let mut payload = Vec::new();
        let flush = if is_last { Flush::Message } else { Flush::Fragment };
        compressor.compress(part, flush, &mut payload);
        decompressor.decompress(&payload, &mut message, None).unwrap();
        assert_eq!(message, parts[..=number].concat(), "each fragment can be read at once");
    }
    decompressor.end_message(&mut message, None).unwrap();
    assert_eq!(decompress(&mut decompressor, &compress(&mut compressor, b"x")).unwrap(), b"x");
}

#[test]
fn streams_that_end_share_their_window() {
    // RFC 7692 §7.2.3.4, with a window that is taken over: each message is a stream of its own, that
    // refers to those before.
    let messages: Vec<Vec<u8>> = (1..20).map(|n| text(n * 3_000)).collect();
    let mut decompressor = Decompressor::new(true);
    let mut window: Vec<u8> = Vec::new();
    for message in &messages {
        let config = zlib_rs::DeflateConfig { window_bits: -15, ..Default::default() };
        let mut deflate = zlib_rs::Deflate::new_with_config(config);
        deflate.set_dictionary(&window[window.len().saturating_sub(32_768)..]).unwrap();
        let mut payload = vec![0; message.len() + 100];
        deflate.compress(message, &mut payload, zlib_rs::DeflateFlush::Finish).unwrap();
        payload.truncate(deflate.total_out() as usize);
        payload.push(0);
        assert_eq!(decompress(&mut decompressor, &payload).as_ref(), Ok(message));
        window.extend_from_slice(message);
    }
}

#[test]
fn a_bomb_makes_one_byte_too_many_at_most() {
    let bomb = compress(&mut Compressor::new(&settings(15, true)), &vec![0; 64 << 20]);
    assert!(bomb.len() < 70_000);
    for limit in [0, 1, 1_000, 1 << 20] {
        for piece_len in [1, 7, 1_000, bomb.len()] {
            let mut decompressor = Decompressor::new(true);
            let mut out = Vec::new();
            let mut pieces = bomb.chunks(piece_len);
            let error = loop {
                match decompressor.decompress(pieces.next().unwrap(), &mut out, Some(limit)) {
                    Ok(()) => assert!(out.len() <= limit),
                    Err(error) => break error,
                }
            };
            assert_eq!(error, ProtocolError::DecodedTooBig { limit });
            assert_eq!(out.len(), limit + 1);
            assert!(out.capacity() <= 2 * (limit + MIN_CAPACITY), "{} of memory", out.capacity());
        }
    }
}

/// `Vec` takes a little at least.
const MIN_CAPACITY: usize = 64;

#[test]
fn a_message_of_just_the_limit_is_accepted() {
    let message = text(10_000);
    let payload = compress(&mut Compressor::new(&settings(15, true)), &message);
    for (limit, is_accepted) in [(9_999, false), (10_000, true), (10_001, true)] {
        let mut decompressor = Decompressor::new(true);
        let mut out = Vec::new();
        let outcome = decompressor
            .decompress(&payload, &mut out, Some(limit))
            .and_then(|()| decompressor.end_message(&mut out, Some(limit)));
        assert_eq!(outcome.is_ok(), is_accepted, "{limit}");
    }
}

#[test]
fn every_split_point_means_the_same() {
    let message = text(700);
    let payload = compress(&mut Compressor::new(&settings(15, true)), &message);
    for split in 0..=payload.len() {
        let mut decompressor = Decompressor::new(true);
        let mut out = Vec::new();
        for piece in [&payload[..split], &payload[split..]] {
            decompressor.decompress(piece, &mut out, None).unwrap();
        }
        decompressor.end_message(&mut out, None).unwrap();
        assert_eq!(out, message, "{split}");
    }
}

#[test]
fn what_is_not_deflate_is_refused() {
    let table: [(&[u8], &str); 3] = [
        (b"\x07", "invalid block type"),
        (b"\x00\x05\x00\x00\x00", "invalid stored block lengths"),
        (b"\xf2\x00\x11\x00\x00", "invalid distance too far back"),
    ];
    for (payload, reason) in table {
        let outcome = decompress(&mut Decompressor::new(true), payload);
        assert_eq!(outcome, Err(ProtocolError::InvalidDeflate { reason }));
    }
}

#[test]
fn after_a_reset_the_peer_still_understands() {
    let mut compressor = Compressor::new(&settings(15, true));
    let mut decompressor = Decompressor::new(true);
    for unsent in [text(5_000), Vec::new(), text(1)] {
        let payload = compress(&mut compressor, &text(3_000));
        assert_eq!(decompress(&mut decompressor, &payload).unwrap(), text(3_000));
        compress(&mut compressor, &unsent);
        compressor.reset();
    }
}

// RFC 7692 §7.1: negotiation. The tables are those of the RFC and of Python's `websockets`.

fn params(text: &str) -> Vec<Parameter> {
    let header = format!("permessage-deflate{text}");
    crate::handshake::parse_extensions(&header).unwrap().remove(0).params
}

fn show(params: &[Parameter]) -> String {
    let show = |(name, value): &Parameter| match value {
        None => format!("; {name}"),
        Some(value) => format!("; {name}={value}"),
    };
    params.iter().map(show).collect()
}

/// Remote and local takeover refused, remote and local window.
fn agreed(coding: &Coding) -> (bool, bool, u8, u8) {
    let Coding::Deflate(settings) = coding else { panic!("{coding:?}") };
    (
        settings.remote_no_context_takeover,
        settings.local_no_context_takeover,
        settings.remote_max_window_bits,
        settings.local_max_window_bits,
    )
}

fn client(window: ClientWindow) -> PerMessageDeflate {
    PerMessageDeflate::client().client_max_window_bits(window).unwrap()
}

#[test]
fn a_client_accepts_what_it_offered() {
    use ClientWindow::{AtMost, Supported, Unmentioned};
    let plain = client(Supported);
    let strict = plain.clone().server_no_context_takeover(true);
    let gentle = plain.clone().client_no_context_takeover(true);
    let ten = plain.clone().server_max_window_bits(Some(10)).unwrap();
    let table = [
        (&plain, "", Ok((false, false, 15, 15))),
        (&plain, "; server_no_context_takeover", Ok((true, false, 15, 15))),
        (&plain, "; client_no_context_takeover", Ok((false, true, 15, 15))),
        (&plain, "; server_max_window_bits=8", Ok((false, false, 8, 15))),
        (&plain, "; client_max_window_bits=9", Ok((false, false, 15, 9))),
        (
            &plain,
            "; client_max_window_bits=8",
            Err("unsupported client_max_window_bits = 8, use 9"),
        ),
        (
            &plain,
            "; client_max_window_bits",
            Err("missing value for parameter client_max_window_bits"),
        ),
        (&strict, "", Err("expected server_no_context_takeover")),
        (&strict, "; server_no_context_takeover", Ok((true, false, 15, 15))),
        (&gentle, "", Ok((false, true, 15, 15))),
        (&ten, "", Err("expected server_max_window_bits")),
        (&ten, "; server_max_window_bits=10", Ok((false, false, 10, 15))),
        (&ten, "; server_max_window_bits=11", Err("unsupported server_max_window_bits")),
        (
            &client(Unmentioned),
            "; client_max_window_bits=10",
            Err("unexpected client_max_window_bits"),
        ),
        (&client(Unmentioned), "", Ok((false, false, 15, 15))),
        (&client(AtMost(11)), "", Ok((false, false, 15, 11))),
        (&client(AtMost(11)), "; client_max_window_bits=10", Ok((false, false, 15, 10))),
        (
            &client(AtMost(11)),
            "; client_max_window_bits=12",
            Err("unsupported client_max_window_bits"),
        ),
        (
            &plain,
            "; server_max_window_bits=16",
            Err("invalid value for parameter server_max_window_bits: 16"),
        ),
        (
            &plain,
            "; server_max_window_bits=08",
            Err("invalid value for parameter server_max_window_bits: 08"),
        ),
        (
            &plain,
            "; server_max_window_bits",
            Err("missing value for parameter server_max_window_bits"),
        ),
        (
            &plain,
            "; server_no_context_takeover=1",
            Err("invalid value for parameter server_no_context_takeover: 1"),
        ),
        (&plain, "; x=1", Err("invalid parameter name: x")),
        (
            &plain,
            "; server_no_context_takeover; server_no_context_takeover",
            Err("duplicate parameter: server_no_context_takeover"),
        ),
    ];
    for (deflate, answer, expected) in table {
        let outcome = deflate.accept(&params(answer)).map(|coding| agreed(&coding));
        let outcome = outcome.map_err(|error| error.to_string());
        assert_eq!(outcome, expected.map_err(str::to_owned), "{answer}");
    }
}

#[test]
fn a_server_answers_what_was_offered() {
    use ClientWindow::{AtMost, Unmentioned};
    let server = |bits: Option<u8>, window| {
        let server = PerMessageDeflate::server().server_max_window_bits(bits).unwrap();
        server.client_max_window_bits(window).unwrap()
    };
    let open = server(None, Unmentioned);
    let refusing = open.clone().server_no_context_takeover(true).client_no_context_takeover(true);
    let narrow = server(Some(10), AtMost(11));
    let strict = narrow.clone().require_client_max_window_bits(true);
    let table = [
        (&open, "", Ok(("", (false, false, 15, 15)))),
        (&open, "; client_max_window_bits", Ok(("", (false, false, 15, 15)))),
        (
            &open,
            "; client_max_window_bits=9",
            Ok(("; client_max_window_bits=9", (false, false, 9, 15))),
        ),
        (
            &open,
            "; server_max_window_bits=9",
            Ok(("; server_max_window_bits=9", (false, false, 15, 9))),
        ),
        (&open, "; server_max_window_bits=8", Err("unsupported server_max_window_bits = 8, use 9")),
        (
            &open,
            "; server_no_context_takeover",
            Ok(("; server_no_context_takeover", (false, true, 15, 15))),
        ),
        (
            &open,
            "; client_no_context_takeover",
            Ok(("; client_no_context_takeover", (true, false, 15, 15))),
        ),
        (
            &refusing,
            "",
            Ok(("; server_no_context_takeover; client_no_context_takeover", (true, true, 15, 15))),
        ),
        (&narrow, "", Ok(("; server_max_window_bits=10", (false, false, 15, 10)))),
        (
            &narrow,
            "; server_max_window_bits=9; client_max_window_bits=10",
            Ok(("; server_max_window_bits=9; client_max_window_bits=10", (false, false, 10, 9))),
        ),
        (
            &narrow,
            "; server_max_window_bits=15; client_max_window_bits=15",
            Ok(("; server_max_window_bits=10; client_max_window_bits=11", (false, false, 11, 10))),
        ),
        (
            &narrow,
            "; client_max_window_bits",
            Ok(("; server_max_window_bits=10; client_max_window_bits=11", (false, false, 11, 10))),
        ),
        (&strict, "", Err("required client_max_window_bits")),
        (&open, "; x", Err("invalid parameter name: x")),
    ];
    for (deflate, offer, expected) in table {
        let outcome = deflate.answer(&params(offer));
        let outcome = outcome.map(|(answer, coding)| (show(&answer), agreed(&coding)));
        let expected = expected.map(|(answer, agreed)| (answer.to_owned(), agreed));
        assert_eq!(
            outcome.map_err(|error| error.to_string()),
            expected.map_err(str::to_owned),
            "{offer}"
        );
    }
}

#[test]
fn final_blocks_without_end_are_refused() {
    // Each of them costs a window, and nothing comes out.
    let empty_final_blocks = b"\x03\x00".repeat(10_000);
    let outcome = decompress(&mut Decompressor::new(true), &empty_final_blocks);
    let reason = "too many final blocks";
    assert_eq!(outcome, Err(ProtocolError::InvalidDeflate { reason }));
    assert_eq!(decompress(&mut Decompressor::new(true), &empty_final_blocks[..32]), Ok(Vec::new()));
}

#[test]
fn a_limit_may_be_as_large_as_numbers_are() {
    let mut out = Vec::new();
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    Decompressor::new(true).decompress(hello, &mut out, Some(usize::MAX)).unwrap();
    assert_eq!(out, b"Hello");
}
