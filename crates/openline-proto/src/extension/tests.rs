use std::sync::atomic::{AtomicU8, Ordering};

use super::deflate::PerMessageDeflate;
use super::*;
use crate::error::ProtocolError;
use crate::handshake::parse_extensions;
use crate::inbound::{Ends, Limits};
use crate::message::Kind;
use crate::outbound::Part;

/// Adds a number that grows with each frame, control frames too, and marks them with RSV2.
#[derive(Debug, Default)]
struct Counted {
    sent: AtomicU8,
    received: AtomicU8,
}

impl FrameCoding for Counted {
    fn encode(&self, frame: &mut Frame) -> Result<(), CodingError> {
        frame.payload.push(self.sent.fetch_add(1, Ordering::Relaxed));
        frame.rsv = frame.rsv.union(Rsv::RSV2);
        Ok(())
    }

    fn decode(&self, frame: &mut Frame, _: Option<usize>) -> Result<(), CodingError> {
        let expected = self.received.fetch_add(1, Ordering::Relaxed);
        if frame.payload.pop() != Some(expected) || !frame.rsv.contains(Rsv::RSV2) {
            return Err(CodingError::new(CloseCode::POLICY_VIOLATION, "miscounted", "a frame"));
        }
        frame.rsv = frame.rsv.without(Rsv::RSV2);
        Ok(())
    }
}

/// Does to frames what it is told.
#[derive(Debug)]
struct With(fn(&mut Frame));

impl FrameCoding for With {
    fn encode(&self, frame: &mut Frame) -> Result<(), CodingError> {
        (self.0)(frame);
        Ok(())
    }

    fn decode(&self, frame: &mut Frame, _: Option<usize>) -> Result<(), CodingError> {
        (self.0)(frame);
        Ok(())
    }
}

fn frames(coding: impl FrameCoding) -> Agreed {
    Agreed { params: ExtensionParams::new("x-test"), coding: Coding::Frames(Arc::new(coding)) }
}

fn deflate() -> Agreed {
    let params = parse_extensions("permessage-deflate").unwrap().remove(0);
    let coding = PerMessageDeflate::client().accept(&params.params).unwrap();
    Agreed { params, coding }
}

fn counted() -> Agreed {
    frames(Counted::default())
}

fn flipped() -> Agreed {
    let mut agreed = frames(With(|frame| frame.payload.iter_mut().for_each(|byte| *byte ^= 0x55)));
    agreed.params.name = "x-flipped".to_owned();
    agreed
}

/// Sends a message in fragments of a length, with a ping after each, and receives it.
fn carry(agreed: &[Agreed], message: &[u8], fragment_len: usize) -> Vec<u8> {
    let mut encoding = Encoding::new(agreed).unwrap();
    let mut decoding = Decoding::new(agreed, Limits::default()).unwrap();
    let mut received = Vec::new();
    let count = message.chunks(fragment_len).count();
    let mut message_rsv = Rsv::NONE;
    for (number, fragment) in message.chunks(fragment_len).enumerate() {
        let is_last = number + 1 == count;
        let part = if is_last { Part::Last } else { Part::Fragment };
        let mut payload = Vec::new();
        let rsv = encoding.data(Kind::Text, part, fragment, Compress::Auto, &mut payload).unwrap();
        let mut rsv = rsv.expect("it is encoded");
        if number == 0 {
            message_rsv = rsv;
        } else if !decoding.takes_all_frames() {
            rsv = message_rsv; // as `Inbound` reports it
        }
        let (last, start) = payload.split_last().unwrap();
        let ends = if is_last { Ends::Message } else { Ends::Frame };
        decoding.data(Kind::Text, rsv, start, Ends::Nothing, &mut received).unwrap();
        decoding.data(Kind::Text, rsv, &[*last], ends, &mut received).unwrap();
        let (ping, rsv) = encoding.control(Opcode::Ping, b"ping".to_vec()).unwrap();
        assert_eq!(decoding.control(Opcode::Ping, rsv, ping).unwrap(), b"ping");
    }
    received
}

#[test]
fn messages_pass_every_order_of_extensions() {
    let message = "{\"name\": \"Ünïcödé 😀\"}".repeat(30);
    let orders: Vec<Vec<Agreed>> = vec![
        vec![deflate()],
        vec![counted()],
        vec![counted(), deflate()],
        vec![deflate(), counted()],
        vec![counted(), deflate(), flipped()],
        vec![flipped(), deflate(), counted()],
    ];
    for agreed in &orders {
        for fragment_len in [1, 7, 100, message.len()] {
            // A new count each time.
            let agreed: Vec<Agreed> = agreed
                .iter()
                .map(|a| if a.params.name == "x-test" { counted() } else { a.clone() })
                .collect();
            let received = carry(&agreed, message.as_bytes(), fragment_len);
            assert_eq!(received, message.as_bytes(), "{agreed:?}, {fragment_len}");
        }
    }
}

#[test]
fn the_first_extension_encodes_first_and_decodes_last() {
    // RFC 6455 §9.1.
    let agreed =
        [frames(With(|frame| frame.payload.push(b'1'))), frames(With(|f| f.payload.push(b'2')))];
    let mut out = Vec::new();
    let mut encoding = Encoding::new(&agreed).unwrap();
    encoding.data(Kind::Text, Part::Whole, b"", Compress::Auto, &mut out).unwrap();
    assert_eq!(out, b"12");
    let mut decoding = Decoding::new(&agreed, Limits::default()).unwrap();
    let mut message = Vec::new();
    decoding.data(Kind::Text, Rsv::NONE, b"", Ends::Message, &mut message).unwrap();
    assert_eq!(message, b"21");
}

#[test]
fn plain_messages_pass_between_compressed_ones() {
    for agreed in [vec![deflate()], vec![counted(), deflate()]] {
        let mut encoding = Encoding::new(&agreed).unwrap();
        let mut decoding = Decoding::new(&agreed, Limits::default()).unwrap();
        let text = b"0123456789".repeat(10);
        for compress in [Compress::Always, Compress::Never, Compress::Auto, Compress::Never] {
            let mut payload = Vec::new();
            let rsv =
                encoding.data(Kind::Text, Part::Whole, &text, compress, &mut payload).unwrap();
            let Some(rsv) = rsv else { continue };
            assert_eq!(rsv.contains(Rsv::RSV1), compress != Compress::Never);
            let mut message = Vec::new();
            decoding.data(Kind::Text, rsv, &payload, Ends::Message, &mut message).unwrap();
            assert_eq!(message, text);
        }
    }
}

fn decode_whole(agreed: &[Agreed], rsv: Rsv, payload: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let limits = Limits { max_message: Some(100), max_fragment: Some(60), ..Limits::default() };
    let mut decoding = Decoding::new(agreed, limits).unwrap();
    let mut message = Vec::new();
    decoding.data(Kind::Text, rsv, payload, Ends::Message, &mut message)?;
    Ok(message)
}

#[test]
fn what_extensions_leave_is_judged() {
    let nothing = || frames(With(|_| {}));
    let table = [
        (nothing(), Rsv::NONE, &b"text"[..], Ok(b"text".to_vec())),
        (nothing(), Rsv::NONE, b"\xff", Err(ProtocolError::InvalidUtf8)),
        (nothing(), Rsv::NONE, b"\xc3", Err(ProtocolError::InvalidUtf8)),
        (nothing(), Rsv::RSV3, b"text", Err(ProtocolError::ReservedBits)),
        (frames(With(|f| f.fin = !f.fin)), Rsv::NONE, b"", Err(ProtocolError::FrameChanged)),
        (
            frames(With(|f| f.opcode = Opcode::Ping)),
            Rsv::NONE,
            b"",
            Err(ProtocolError::FrameChanged),
        ),
        (
            frames(With(|f| f.payload = vec![b'x'; 61])),
            Rsv::NONE,
            b"",
            Err(ProtocolError::DecodedFragmentTooBig { limit: 60 }),
        ),
    ];
    for (agreed, rsv, payload, expected) in table {
        assert_eq!(decode_whole(&[agreed], rsv, payload), expected);
    }
}

#[test]
fn limits_hold_over_fragments() {
    for agreed in [vec![deflate()], vec![deflate(), counted()]] {
        let mut encoding = Encoding::new(&agreed).unwrap();
        let limits = Limits { max_message: Some(100), ..Limits::default() };
        let mut decoding = Decoding::new(&agreed, limits).unwrap();
        let mut message = Vec::new();
        let outcomes: Vec<_> = (0..3)
            .map(|number| {
                let mut payload = Vec::new();
                let fragment = [b'a' + number; 40];
                let rsv = encoding
                    .data(Kind::Text, Part::Fragment, &fragment, Compress::Auto, &mut payload)
                    .unwrap()
                    .unwrap();
                decoding.data(Kind::Text, rsv, &payload, Ends::Frame, &mut message)
            })
            .collect();
        let too_big = Err(ProtocolError::DecodedTooBig { limit: 100 });
        assert_eq!(outcomes, [Ok(()), Ok(()), too_big]);
    }
}

#[test]
fn section_6_1_rsv1_on_a_continuation_is_refused() {
    let agreed = [deflate(), frames(With(|_| {}))];
    let mut decoding = Decoding::new(&agreed, Limits::default()).unwrap();
    let mut message = Vec::new();
    decoding.data(Kind::Text, Rsv::RSV1, b"\xf2\x48\xcd", Ends::Frame, &mut message).unwrap();
    let outcome =
        decoding.data(Kind::Text, Rsv::RSV1, b"\xc9\xc9\x07\x00", Ends::Message, &mut message);
    assert_eq!(outcome, Err(ProtocolError::ReservedBits));
}

#[test]
fn invalid_text_fails_before_its_message_ends() {
    let mut encoding = Encoding::new(&[deflate()]).unwrap();
    let mut decoding = Decoding::new(&[deflate()], Limits::default()).unwrap();
    let mut payload = Vec::new();
    encoding.data(Kind::Text, Part::Fragment, b"ok \xff", Compress::Auto, &mut payload).unwrap();
    let outcome = decoding.data(Kind::Text, Rsv::RSV1, &payload, Ends::Nothing, &mut Vec::new());
    assert_eq!(outcome, Err(ProtocolError::InvalidUtf8));
}

#[test]
fn errors_of_extensions_come_with_their_code() {
    let agreed = [counted()];
    let mut decoding = Decoding::new(&agreed, Limits::default()).unwrap();
    let error = decoding.control(Opcode::Ping, Rsv::NONE, Vec::new()).unwrap_err();
    assert_eq!(error.close_frame().to_string(), "1008 (policy violation) miscounted");
    assert!(
        matches!(error, ProtocolError::Extension(error) if error.cause().to_string() == "a frame")
    );
}

#[test]
fn control_frames_stay_short() {
    let agreed = [frames(With(|frame| frame.payload.resize(126, 0)))];
    assert!(Encoding::new(&agreed).unwrap().control(Opcode::Pong, Vec::new()).is_err());
    let mut decoding = Decoding::new(&agreed, Limits::default()).unwrap();
    let outcome = decoding.control(Opcode::Pong, Rsv::NONE, Vec::new());
    assert_eq!(outcome, Err(ProtocolError::ControlTooLong));
}

#[test]
fn what_is_undone_was_never_there() {
    let mut encoding = Encoding::new(&[deflate()]).unwrap();
    let mut decoding = Decoding::new(&[deflate()], Limits::default()).unwrap();
    let send = |encoding: &mut Encoding, part, text: &[u8]| {
        let mut payload = Vec::new();
        let rsv = encoding.data(Kind::Text, part, text, Compress::Always, &mut payload).unwrap();
        (rsv.unwrap(), payload)
    };
    // The first fragment is taken back, so the next one is the first again.
    send(&mut encoding, Part::Fragment, b"never sent");
    encoding.undo();
    let (rsv, payload) = send(&mut encoding, Part::Whole, b"sent");
    assert_eq!(rsv, Rsv::RSV1);
    let mut message = Vec::new();
    decoding.data(Kind::Text, rsv, &payload, Ends::Message, &mut message).unwrap();
    assert_eq!(message, b"sent");
}

#[test]
fn negotiation_keeps_the_order_of_the_answer() {
    #[derive(Debug)]
    struct Named(&'static str);
    impl Extension for Named {
        fn name(&self) -> &str {
            self.0
        }
        fn offer(&self) -> Vec<Parameter> {
            Vec::new()
        }
        fn accept(&self, _: &[Parameter]) -> Result<Coding, HandshakeError> {
            Ok(counted().coding)
        }
    }
    let ours: Vec<Arc<dyn Extension>> =
        vec![Arc::new(Named("x-a")), Arc::new(PerMessageDeflate::client()), Arc::new(Named("x-b"))];
    let names = |answer: &str| {
        let agreed = accept(&ours, &parse_extensions(answer).unwrap());
        agreed.map(|agreed| agreed.into_iter().map(|a| a.params.name).collect::<Vec<_>>())
    };
    assert_eq!(
        names("x-b, permessage-deflate, x-a").unwrap(),
        ["x-b", "permessage-deflate", "x-a"]
    );
    let error = names("x-b, x-c").unwrap_err();
    assert_eq!(error.to_string(), "Unsupported extension: x-c");
    let error = names("permessage-deflate, permessage-deflate").unwrap_err();
    assert_eq!(error.to_string(), "received duplicate permessage-deflate");
    let error = names("x-a, x-a").unwrap_err();
    assert_eq!(error.to_string(), "received duplicate x-a");
    // Without a part for servers the offer is declined.
    let offers = parse_extensions("x-a, permessage-deflate, permessage-deflate").unwrap();
    assert_eq!(answer(&ours, &offers).len(), 1);
}

#[test]
fn section_5_an_answer_may_be_to_any_of_several_offers() {
    let small = PerMessageDeflate::client().server_max_window_bits(Some(10)).unwrap();
    let ours: Vec<Arc<dyn Extension>> =
        vec![Arc::new(small.clone()), Arc::new(PerMessageDeflate::client())];
    let answer = parse_extensions("permessage-deflate").unwrap();
    assert_eq!(accept(&ours, &answer).unwrap().len(), 1);
    // If it is to none of them, the first tells why.
    let error = accept(&[Arc::new(small)], &answer).unwrap_err();
    assert_eq!(error.to_string(), "expected server_max_window_bits");
}
