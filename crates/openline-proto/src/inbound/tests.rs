use super::*;
use crate::testing::{Seen, masked, run, run_chunked, run_wholes_first, to_wire};

/// Streams of server frames and what they mean; both roles and all cuts are made from them.
fn conversations() -> Vec<(&'static str, Vec<u8>, Vec<Seen>)> {
    let text = |s: &str| Seen::Message(Kind::Text, s.as_bytes().to_vec());
    let binary = |b: &[u8]| Seen::Message(Kind::Binary, b.to_vec());
    let mut big = b"\x82\x7e\x01\x2c".to_vec();
    big.extend([7; 300]);
    vec![
        ("section 5.7 text", b"\x81\x05Hello".to_vec(), vec![text("Hello")]),
        ("section 5.7 fragmented text", b"\x01\x03Hel\x80\x02lo".to_vec(), vec![text("Hello")]),
        ("empty messages", b"\x81\x00\x82\x00".to_vec(), vec![text(""), binary(b"")]),
        ("empty fragments", b"\x01\x00\x00\x00\x80\x00".to_vec(), vec![text("")]),
        (
            "section 5.4 control frames between fragments",
            b"\x01\x02He\x89\x01p\x00\x01l\x8a\x01q\x80\x02lo".to_vec(),
            vec![Seen::Ping(b"p".to_vec()), Seen::Pong(b"q".to_vec()), text("Hello")],
        ),
        (
            "a character cut by frames",
            b"\x01\x02\xf0\x9f\x80\x02\x98\x80\x82\x01\xff".to_vec(),
            vec![text("😀"), binary(b"\xff")],
        ),
        ("length in two bytes", big, vec![binary(&[7; 300])]),
        (
            "section 5.5.1 nothing after close",
            b"\x88\x05\x03\xe8bye\x81\x01x".to_vec(),
            vec![Seen::Close(CloseFrame::new(1000, "bye").unwrap())],
        ),
        ("close without code", b"\x88\x00".to_vec(), vec![Seen::Close(CloseFrame::without_code())]),
    ]
}

#[test]
fn whole_input_every_split_point_and_every_byte_alone_mean_the_same() {
    for (name, wire, expected) in conversations() {
        for role in [Role::Client, Role::Server] {
            let wire = to_wire(role, &wire);
            assert_eq!(run(role, &[&wire]), (expected.clone(), None), "{name} {role:?}");
            assert_eq!(
                run_wholes_first(role, &[&wire]),
                (expected.clone(), None),
                "{name} {role:?}"
            );
            for split in 0..=wire.len() {
                let (left, right) = wire.split_at(split);
                assert_eq!(run(role, &[left, right]).0, expected, "{name} {role:?} {split}");
            }
            let bytes: Vec<&[u8]> = wire.chunks(1).collect();
            assert_eq!(run(role, &bytes).0, expected, "{name} {role:?} byte by byte");
        }
    }
}

#[test]
fn every_prefix_yields_a_prefix_of_the_events() {
    for (name, wire, expected) in conversations() {
        for end in 0..wire.len() {
            let (seen, error) = run(Role::Client, &[&wire[..end]]);
            assert_eq!(error, None, "{name} {end}");
            assert!(expected.starts_with(&seen), "{name} {end}");
        }
    }
}

#[test]
fn the_payload_sink_means_the_same_as_the_buffer() {
    for (name, wire, expected) in conversations() {
        for role in [Role::Client, Role::Server] {
            for read in 1..=wire.len() {
                let seen = run_chunked(role, &to_wire(role, &wire), read);
                assert_eq!(seen, (expected.clone(), None), "{name} {role:?} {read}");
            }
        }
    }
}

#[test]
fn violations_are_refused_as_soon_as_they_are_seen() {
    use ProtocolError as E;
    let table: &[(&str, &[u8], E)] = &[
        ("5.2 reserved bits", b"\xc1\x00", E::ReservedBits),
        ("5.2 reserved bits on control", b"\xa9\x00", E::ReservedBits),
        ("5.2 reserved bits on continuation", b"\x01\x00\xc0\x00", E::ReservedBits),
        ("5.2 reserved opcode", b"\x83\x00", E::ReservedOpcode { opcode: 3 }),
        ("5.4 continuation of nothing", b"\x80\x00", E::UnexpectedContinuation),
        ("5.4 after the last fragment", b"\x01\x00\x80\x00\x80\x00", E::UnexpectedContinuation),
        ("5.4 new message inside another", b"\x01\x00\x81\x00", E::MessageInterrupted),
        ("5.5 fragmented ping", b"\x09\x00", E::ControlFragmented),
        ("5.5 long ping", b"\x89\x7e\x00\x7e", E::ControlTooLong),
        ("5.5.1 close of one byte", b"\x88\x01x", E::CloseTooShort),
        ("5.5.1 close with bad text", b"\x88\x03\x03\xe8\xff", E::InvalidUtf8),
        ("7.4 illegal code", b"\x88\x02\x03\xed", E::InvalidCloseCode { code: 1005 }),
        ("8.1 bad text", b"\x81\x01\xff", E::InvalidUtf8),
        ("8.1 bad text, rest to come", b"\x81\x7e\x10\x00ok\xff", E::InvalidUtf8),
        ("8.1 text ends within a character", b"\x81\x01\xc3", E::InvalidUtf8),
        ("8.1 fragments end within one", b"\x01\x01\xc3\x80\x00", E::InvalidUtf8),
    ];
    for (name, wire, expected) in table {
        for role in [Role::Client, Role::Server] {
            let wire = to_wire(role, wire);
            assert_eq!(run(role, &[&wire]).1.as_ref(), Some(expected), "{name} {role:?}");
            let wholes_first = run_wholes_first(role, &[&wire]).1;
            assert_eq!(wholes_first.as_ref(), Some(expected), "{name} {role:?}");
            let bytes: Vec<&[u8]> = wire.chunks(1).collect();
            assert_eq!(run(role, &bytes).1.as_ref(), Some(expected), "{name} {role:?} bytes");
        }
    }
}

#[test]
fn a_whole_message_takes_the_short_way_only_where_the_long_one_finds_the_same() {
    let tight = Limits { max_message: Some(4), max_fragment: Some(3), max_fragments: 1 };
    let none = Limits { max_fragments: 0, ..Limits::default() };
    let mut two_bytes = b"\x82\x7e\x01\x2c".to_vec();
    two_bytes.extend([7; 300]);
    let mut eight_bytes = b"\x82\x7f\0\0\0\0\0\x01\0\0".to_vec();
    eight_bytes.extend([7; 65_536]);
    let table: &[(&str, Limits, &[u8], bool)] = &[
        ("text", Limits::default(), b"\x81\x02hi", true),
        ("binary", Limits::default(), b"\x82\x02hi", true),
        ("no payload", Limits::default(), b"\x81\x00", true),
        ("length in two bytes", Limits::default(), &two_bytes, true),
        ("length in eight", Limits::default(), &eight_bytes, false),
        ("length not minimal", Limits::default(), b"\x82\x7e\x00\x02hi", false),
        ("not all there", Limits::default(), b"\x82\x03hi", false),
        ("a fragment", Limits::default(), b"\x02\x02hi", false),
        ("reserved bits", Limits::default(), b"\xc2\x02hi", false),
        ("a ping", Limits::default(), b"\x89\x02hi", false),
        ("at the limit", tight, b"\x82\x03hi!", true),
        ("over the limit", tight, b"\x82\x04hi!!", false),
        ("no fragment is allowed", none, b"\x82\x00", false),
    ];
    for (name, limits, wire, is_short) in table {
        for role in [Role::Client, Role::Server] {
            let mut wire = to_wire(role, wire);
            let len = wire.len();
            let taken = Inbound::new(role, *limits).receive_whole(&mut wire);
            assert_eq!(taken.map(|(_, len)| len), is_short.then_some(len), "{name} {role:?}");
        }
    }
}

#[test]
fn section_5_1_the_wrong_mask_is_refused() {
    assert_eq!(run(Role::Client, &[&masked(b"\x81\x00")]).1, Some(ProtocolError::Masked));
    assert_eq!(run(Role::Server, &[b"\x81\x00"]).1, Some(ProtocolError::Unmasked));
    // The rest of the header need not come.
    assert_eq!(run(Role::Client, &[b"\x81\x80"]).1, Some(ProtocolError::Masked));
    assert_eq!(run(Role::Server, &[b"\x81\x7e"]).1, Some(ProtocolError::Unmasked));
}

#[test]
fn errors_stick() {
    let mut inbound = Inbound::new(Role::Client, Limits::default());
    for _ in 0..2 {
        let error = inbound.receive(&mut b"\x83\x00".to_vec()).unwrap_err();
        assert_eq!(error, ProtocolError::ReservedOpcode { opcode: 3 });
    }
    assert!(inbound.receive(&mut b"\x81\x00".to_vec()).is_err());
    assert!(inbound.accept(&mut []).is_err());
}

#[test]
fn limits_hold_at_the_header() {
    let limits = Limits { max_message: Some(10), max_fragment: Some(6), max_fragments: 3 };
    let fragments = b"\x02\x00\x00\x00\x00\x00\x80\x00";
    let table: &[(&[u8], ProtocolError)] = &[
        (b"\x82\x07", ProtocolError::FragmentTooBig { size: 7, limit: 6 }),
        (
            b"\x82\x7f\x00\xff\xff\xff\xff\xff\xff\xff",
            ProtocolError::FragmentTooBig { size: (1 << 56) - 1, limit: 6 },
        ),
        (b"\x02\x06......\x80\x05", ProtocolError::MessageTooBig { size: 11, limit: 10 }),
        (fragments, ProtocolError::TooManyFragments { limit: 3 }),
    ];
    for (wire, expected) in table {
        let mut inbound = Inbound::new(Role::Client, limits);
        let mut wire = wire.to_vec();
        let mut rest = &mut wire[..];
        let error = loop {
            match inbound.receive(rest) {
                Ok(received) => {
                    rest = {
                        assert!(received.event.is_some(), "{expected:?} not found");
                        let consumed = received.consumed;
                        &mut rest[consumed..]
                    }
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error, *expected);
    }
}

#[test]
fn negotiated_bits_pass_and_turn_utf8_validation_off() {
    let mut inbound = Inbound::new(Role::Client, Limits::default());
    inbound.allow_rsv(Rsv::RSV1);
    let mut wire = *b"\xc1\x01\xff";
    let event = inbound.receive(&mut wire).unwrap();
    let expected = Event::Message { kind: Kind::Text, rsv: Rsv::RSV1, payload: b"\xff" };
    assert_eq!(event.event, Some(expected));
    assert!(inbound.receive(&mut b"\xa1\x00".to_vec()).is_err());
}
