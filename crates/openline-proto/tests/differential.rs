//! The core as a program that can be asked: what does it make of these bytes? `tests/differential/`
//! asks other implementations the same and compares.
//!
//! Each line of the input is a case, words of the form `name=value`; each gets one line of output.
//! Bytes are hexadecimal everywhere.
//!
//! ```text
//! role=client start=open max_message=100 input=8105,48656c6c6f   → " | text:48656c6c6f"
//! ```
//!
//! | word | meaning |
//! | --- | --- |
//! | `role` | `client` or `server` |
//! | `start` | `handshake`, or `open`: it is behind us (the default) |
//! | `max_message`, `max_fragment` | limits in bytes; none by default |
//! | `subprotocols` | those a client offers, or a server supports |
//! | `deflate` | `BITS,TAKEOVER` of the peer: an open connection has permessage-deflate |
//! | `compress` | `BITS,TAKEOVER,LEVEL,MEM_LEVEL,STRATEGY` of what we send, likewise |
//! | `negotiate` | permessage-deflate in a handshake: see `negotiable` |
//! | `sink` | `yes`: payloads go to `Inbound::accept` where that is possible |
//! | `eof` | `yes`: the stream ends after the input |
//! | `input` | the reads, separated by commas |
//! | `send` | what to send before, separated by commas |
//!
//! The output has a part for each read, and one for the end of the stream, separated by `|`. In each
//! are the events that it brought: `text:`, `binary:`, `ping:` and `pong:` with the payload,
//! `close:CODE:REASON`, `failed:CODE:FAULT`; of a handshake `opened:SUBPROTOCOL`,
//! `accepted:PATH:SUBPROTOCOL:RESPONSE` and `refused:STATUS:BODY` (by the server). `FAULT` is the
//! variant of the error. With `negotiate`, `opened` and `accepted` are followed by `agreed:` with the bits and
//! takeover of the peer and ours, or with `nothing`.
//!
//! To be sent: `request`; `text:`, `binary:`, `ping:` or `pong:` with the payload, `close:CODE:REASON`;
//! `text-part:` or `binary-part:` with a fragment, and `text-end:` or `binary-end:` with the last one.
//! With `compress` all of them are compressed, but for `text-plain:` and `binary-plain:`, which are whole
//! messages. The output begins with a part of its own then: `sent:` and the bytes.

use std::fmt::Debug;
use std::io::{self, BufRead as _, Write as _};
use std::sync::Arc;

use openline_proto::extension::deflate::{
    ClientWindow, Effort, NAME, PerMessageDeflate, Settings, Strategy,
};
use openline_proto::extension::{self, Agreed, Coding, Compress, Decoding, Encoding, Extension};
use openline_proto::handshake::client::{ClientHandshake, ClientOffer, ClientProgress};
use openline_proto::handshake::server::{
    ServerHandshake, ServerProgress, ServerReply, ServerRequest,
};
use openline_proto::handshake::{ExtensionParams, HandshakeError};
use openline_proto::{
    CloseFrame, Data, Ends, Event, Inbound, Kind, Limits, MaskKey, Opcode, Outbound, Part,
    ProtocolError, Received, Role, Rsv, Uri, http, mask,
};

/// Answers the cases on the standard input. Without the argument `answer` it does nothing, since
/// `cargo test` runs it too.
fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() != Some("answer") {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", answer(&Case::parse(&line?)))?;
        out.flush()?;
    }
    Ok(())
}

/// One case, as asked for.
struct Case {
    role: Role,
    is_open: bool,
    limits: Limits,
    subprotocols: Vec<String>,
    /// What is agreed on from the start.
    agreed: Vec<Agreed>,
    /// What is to be negotiated.
    extensions: Vec<Arc<dyn Extension>>,
    sink: bool,
    eof: bool,
    reads: Vec<Vec<u8>>,
    send: Vec<String>,
}

impl Case {
    fn parse(line: &str) -> Case {
        let mut case = Case {
            role: Role::Client,
            is_open: true,
            limits: Limits { max_message: None, ..Limits::default() },
            subprotocols: Vec::new(),
            agreed: Vec::new(),
            extensions: Vec::new(),
            sink: false,
            eof: false,
            reads: Vec::new(),
            send: Vec::new(),
        };
        let number = |text: &str| text.parse().expect("a number");
        for word in line.split_whitespace() {
            match word.split_once('=').expect("words are name=value") {
                ("role", "client") => case.role = Role::Client,
                ("role", "server") => case.role = Role::Server,
                ("start", start) => case.is_open = start == "open",
                ("max_message", limit) => case.limits.max_message = Some(number(limit)),
                ("max_fragment", limit) => case.limits.max_fragment = Some(number(limit)),
                ("subprotocols", names) => {
                    case.subprotocols = names.split(',').map(String::from).collect();
                }
                ("deflate", settings) => {
                    case.agreed = vec![deflate(settings, "15,yes,6,5,default")]
                }
                ("compress", settings) => case.agreed = vec![deflate("15,yes", settings)],
                ("negotiate", settings) => case.extensions = vec![negotiable(settings)],
                ("sink", sink) => case.sink = sink == "yes",
                ("eof", eof) => case.eof = eof == "yes",
                ("input", reads) => case.reads = reads.split(',').map(from_hex).collect(),
                ("send", items) => case.send = items.split(',').map(String::from).collect(),
                (name, value) => panic!("unknown word {name}={value}"),
            }
        }
        case
    }
}

/// permessage-deflate with these settings of the peer's and of ours.
fn deflate(remote: &str, local: &str) -> Agreed {
    let (remote, local): (Vec<_>, Vec<_>) =
        (remote.split(',').collect(), local.split(',').collect());
    let number = |text: &str| text.parse().expect("a number");
    let effort = Effort {
        level: number(local[2]),
        mem_level: number(local[3]),
        strategy: match local[4] {
            "default" => Strategy::Default,
            "filtered" => Strategy::Filtered,
            "huffman-only" => Strategy::HuffmanOnly,
            "rle" => Strategy::Rle,
            "fixed" => Strategy::Fixed,
            name => panic!("unknown strategy {name}"),
        },
    };
    let settings = Settings {
        remote_no_context_takeover: remote[1] != "yes",
        local_no_context_takeover: local[1] != "yes",
        remote_max_window_bits: number(remote[0]),
        local_max_window_bits: number(local[0]),
        effort,
    };
    Agreed { params: ExtensionParams::new(NAME), coding: Coding::Deflate(settings) }
}

/// permessage-deflate as it is to be negotiated, by either role: `TAKEOVER,TAKEOVER,BITS,BITS,REQUIRE`,
/// the server's value first. `BITS` is `none`, a number, or for the client also `any`.
fn negotiable(settings: &str) -> Arc<dyn Extension> {
    let settings: Vec<_> = settings.split(',').collect();
    let bits = |text: &str| text.parse().expect("a number of bits");
    let server_bits = (settings[2] != "none").then(|| bits(settings[2]));
    let window = match settings[3] {
        "none" => ClientWindow::Unmentioned,
        "any" => ClientWindow::Supported,
        number => ClientWindow::AtMost(bits(number)),
    };
    let deflate = PerMessageDeflate::client()
        .server_no_context_takeover(settings[0] != "yes")
        .client_no_context_takeover(settings[1] != "yes")
        .require_client_max_window_bits(settings[4] == "yes")
        .server_max_window_bits(server_bits)
        .and_then(|deflate| deflate.client_max_window_bits(window));
    Arc::new(deflate.expect("8 to 15 bits"))
}

fn answer(case: &Case) -> String {
    let mut peer = Peer::new(case);
    let mut parts = Vec::new();
    if !case.send.is_empty() {
        parts.push(format!("sent:{}", to_hex(&peer.send())));
    }
    for read in &case.reads {
        peer.receive(read);
        parts.push(peer.events.split_off(0).join(" "));
    }
    if case.eof {
        peer.receive_eof();
        parts.push(peer.events.split_off(0).join(" "));
    }
    parts.join(" | ")
}

/// One end of a connection.
struct Peer<'c> {
    case: &'c Case,
    phase: Phase,
    /// What the current read brought.
    events: Vec<String>,
}

enum Phase {
    Client(ClientHandshake),
    Server(ServerHandshake),
    Open(Line),
    Over,
}

impl<'c> Peer<'c> {
    fn new(case: &'c Case) -> Peer<'c> {
        let phase = match case.role {
            _ if case.is_open => Phase::Open(Line::new(case, &case.agreed)),
            Role::Client => {
                let uri = Uri::parse("ws://a.example/").expect("bug: a valid URI");
                let mut offer = ClientOffer::default();
                offer.subprotocols.clone_from(&case.subprotocols);
                offer.extensions = extension::offers(&case.extensions);
                // The nonce of RFC 6455 §1.3, so that responses can be made beforehand.
                let handshake = ClientHandshake::new(&uri, offer, *b"the sample nonce");
                Phase::Client(handshake.expect("subprotocols are tokens"))
            }
            Role::Server => Phase::Server(ServerHandshake::new(http::Limits::default())),
        };
        Peer { case, phase, events: Vec::new() }
    }

    fn send(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut outbound = Outbound::new(self.case.role);
        let mut encoding = Encoding::new(&self.case.agreed);
        for item in &self.case.send {
            // Any key will do, if they differ.
            let key = MaskKey::new([1, 2, 3, out.len() as u8]);
            let (what, rest) = item.split_once(':').unwrap_or((item, ""));
            let (name, part) = what.split_once('-').unwrap_or((what, "whole"));
            let kind = if name == "text" { Kind::Text } else { Kind::Binary };
            match (name, part) {
                ("request", _) => {
                    let Phase::Client(handshake) = &self.phase else { panic!("not a client") };
                    handshake.encode_request(&mut out);
                }
                ("text" | "binary", frame) => {
                    let part = match frame {
                        "end" => Part::Last,
                        "part" => Part::Fragment,
                        _ => Part::Whole,
                    };
                    let compress =
                        if frame == "plain" { Compress::Never } else { Compress::Always };
                    let (payload, rsv) =
                        encode(&mut encoding, kind, part, from_hex(rest), compress);
                    let mut header = outbound.data_header(kind, part, payload.len(), key);
                    header.rsv = rsv;
                    out.extend_from_slice(header.encode().as_ref());
                    let start = out.len();
                    out.extend(payload);
                    if let Some(key) = header.mask {
                        mask::apply(key, &mut out[start..]);
                    }
                }
                (name, _) => {
                    let (opcode, payload) = control(name, rest);
                    let encoded = outbound.encode_control(opcode, &payload, key, &mut out);
                    encoded.expect("at most 125 bytes");
                }
            }
        }
        out
    }

    fn receive(&mut self, read: &[u8]) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Client(handshake) => match handshake.receive(read) {
                Ok(ClientProgress::Pending(handshake)) => Phase::Client(handshake),
                Ok(ClientProgress::Open(open)) => {
                    match extension::accept(&self.case.extensions, &open.extensions) {
                        Ok(agreed) => {
                            let subprotocol = open.subprotocol.unwrap_or_default();
                            self.events.push(format!("opened:{}", to_hex(subprotocol.as_bytes())));
                            self.open(&agreed, &open.leftover)
                        }
                        Err(error) => self.handshake_failed(&error),
                    }
                }
                Err(error) => self.handshake_failed(&error),
            },
            Phase::Server(handshake) => match handshake.receive(read) {
                Ok(ServerProgress::Pending(handshake)) => Phase::Server(handshake),
                Ok(ServerProgress::Request(request)) => match request.check() {
                    Ok(request) => self.accept(request),
                    Err(error) => self.handshake_failed(&error),
                },
                Err(error) => self.handshake_failed(&error),
            },
            Phase::Open(mut line) => {
                let going_on = line.receive(read, &mut self.events);
                if going_on { Phase::Open(line) } else { Phase::Over }
            }
            Phase::Over => Phase::Over,
        };
    }

    fn receive_eof(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Client(handshake) => drop(self.handshake_failed(&handshake.receive_eof())),
            Phase::Server(handshake) => drop(self.handshake_failed(&handshake.receive_eof())),
            Phase::Open(_) | Phase::Over => {}
        }
    }

    /// The handshake is over; what followed it are frames.
    fn open(&mut self, agreed: &[Agreed], leftover: &[u8]) -> Phase {
        if !self.case.extensions.is_empty() {
            let settings: Vec<_> = agreed.iter().map(agreed_on).collect();
            let settings = if settings.is_empty() { "nothing".into() } else { settings.concat() };
            self.events.push(format!("agreed:{settings}"));
        }
        self.phase = Phase::Open(Line::new(self.case, agreed));
        self.receive(leftover);
        std::mem::replace(&mut self.phase, Phase::Over)
    }

    fn accept(&mut self, request: ServerRequest) -> Phase {
        let mut reply = ServerReply::default();
        let mut supported = self.case.subprotocols.iter();
        reply.subprotocol = supported.find(|name| request.subprotocols().contains(name)).cloned();
        let agreed = extension::answer(&self.case.extensions, request.extensions());
        reply.extensions = agreed.iter().map(|agreed| agreed.params.clone()).collect();
        match request.accept(reply) {
            Ok((response, open)) => {
                self.events.push(format!(
                    "accepted:{}:{}:{}",
                    to_hex(open.request.path.as_bytes()),
                    to_hex(open.subprotocol.unwrap_or_default().as_bytes()),
                    to_hex(&response)
                ));
                self.open(&agreed, &open.leftover)
            }
            Err(error) => self.handshake_failed(&error),
        }
    }

    fn handshake_failed(&mut self, error: &HandshakeError) -> Phase {
        self.events.push(match error {
            HandshakeError::InvalidStatus(response) => {
                format!("refused:{}:{}", response.status_code, to_hex(&response.body))
            }
            _ if self.case.role == Role::Client => format!("failed:0:{}", variant(error)),
            _ => format!("failed:{}:{}", error.response().status_code, variant(error)),
        });
        Phase::Over
    }
}

/// The bits and takeover of the peer, and ours.
fn agreed_on(agreed: &Agreed) -> String {
    let Coding::Deflate(settings) = &agreed.coding else { panic!("another extension") };
    format!(
        "{},{},{},{}",
        settings.remote_max_window_bits,
        if settings.remote_no_context_takeover { "no" } else { "yes" },
        settings.local_max_window_bits,
        if settings.local_no_context_takeover { "no" } else { "yes" },
    )
}

/// The payload of a data frame that is to be sent, and its reserved bits.
fn encode(
    encoding: &mut Option<Encoding>,
    kind: Kind,
    part: Part,
    plain: Vec<u8>,
    compress: Compress,
) -> (Vec<u8>, Rsv) {
    let mut payload = Vec::new();
    let rsv = encoding.as_mut().and_then(|encoding| {
        let rsv = encoding.data(kind, part, &plain, compress, &mut payload);
        rsv.expect("compression does not fail")
    });
    match rsv {
        Some(rsv) => (payload, rsv),
        None => (plain, Rsv::NONE),
    }
}

/// A control frame that is to be sent.
fn control(name: &str, rest: &str) -> (Opcode, Vec<u8>) {
    match name {
        "ping" => (Opcode::Ping, from_hex(rest)),
        "pong" => (Opcode::Pong, from_hex(rest)),
        "close" => {
            let (code, reason) = rest.split_once(':').expect("a code and a reason");
            let reason = String::from_utf8(from_hex(reason)).expect("UTF-8");
            let close = CloseFrame::new(code.parse().expect("a code"), reason);
            (Opcode::Close, close.expect("a code that may be sent").encode())
        }
        name => panic!("nothing to send: {name}"),
    }
}

/// The receiving half of an open connection, its messages put together.
struct Line {
    inbound: Inbound,
    /// `None` without extensions.
    decoding: Option<Decoding>,
    sink: bool,
    /// Whether the frame that has begun has to be decoded: the sink is not for its payload.
    is_encoded: bool,
    buffer: Vec<u8>,
    message: Vec<u8>,
    kind: Kind,
}

impl Line {
    fn new(case: &Case, agreed: &[Agreed]) -> Line {
        let mut inbound = Inbound::new(case.role, case.limits);
        let decoding = Decoding::new(agreed, case.limits);
        if decoding.is_some() {
            inbound.allow_rsv(Rsv::RSV1);
        }
        Line {
            inbound,
            decoding,
            sink: case.sink,
            is_encoded: false,
            buffer: Vec::new(),
            message: Vec::new(),
            kind: Kind::Text,
        }
    }

    /// Takes a read in and tells whether the connection goes on.
    fn receive(&mut self, read: &[u8], events: &mut Vec<String>) -> bool {
        let taken = self.take(read, events);
        if let Err(error) = &taken {
            let code = u16::from(error.close_code());
            events.push(format!("failed:{code}:{}", variant(error)));
        }
        taken.is_ok()
    }

    fn take(&mut self, read: &[u8], events: &mut Vec<String>) -> Result<(), ProtocolError> {
        let mut rest = read;
        let goes_to_sink = self.sink && !self.is_encoded;
        if goes_to_sink && self.buffer.is_empty() && self.inbound.remaining() > 0 {
            let len = self.inbound.remaining().min(rest.len() as u64) as usize;
            let mut payload = rest[..len].to_vec();
            rest = &rest[len..];
            let ends = self.inbound.accept(&mut payload)?;
            self.message.extend(payload);
            self.end(ends, events);
        }
        self.buffer.extend_from_slice(rest);
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            let Received { consumed, event } = self.inbound.receive(&mut buffer)?;
            let is_done = event.is_none();
            match event {
                None => {}
                Some(Event::Control { .. }) => panic!("nothing is left to extensions"),
                Some(Event::Begin(begin)) => {
                    self.kind = begin.kind;
                    self.is_encoded = !begin.rsv.is_none();
                }
                Some(Event::Close(close)) => events.push(format!(
                    "close:{}:{}",
                    u16::from(close.code()),
                    to_hex(close.reason().as_bytes())
                )),
                Some(Event::Data(data)) => {
                    self.kind = data.kind;
                    match self.decoding.as_mut().filter(|_| !data.rsv.is_none()) {
                        None => self.message.extend_from_slice(data.payload),
                        Some(decoding) => {
                            let Data { kind, rsv, payload, ends } = data;
                            decoding.data(kind, rsv, payload, ends, &mut self.message)?;
                        }
                    }
                    self.end(data.ends, events);
                }
                Some(Event::Message { kind, rsv, payload }) => {
                    match self.decoding.as_mut().filter(|_| !rsv.is_none()) {
                        None => events.push(message(kind, payload)),
                        Some(decoding) => {
                            let mut decoded = Vec::new();
                            decoding.data(kind, rsv, payload, Ends::Message, &mut decoded)?;
                            events.push(message(kind, &decoded));
                        }
                    }
                }
                Some(Event::Ping(payload)) => events.push(format!("ping:{}", to_hex(payload))),
                Some(Event::Pong(payload)) => events.push(format!("pong:{}", to_hex(payload))),
            }
            buffer.drain(..consumed);
            if is_done {
                self.buffer = buffer;
                return Ok(());
            }
        }
    }

    fn end(&mut self, ends: Ends, events: &mut Vec<String>) {
        if ends == Ends::Message {
            events.push(message(self.kind, &std::mem::take(&mut self.message)));
        }
    }
}

fn message(kind: Kind, payload: &[u8]) -> String {
    match kind {
        Kind::Text => format!("text:{}", to_hex(payload)),
        Kind::Binary => format!("binary:{}", to_hex(payload)),
    }
}

/// The name of an error's variant.
fn variant(error: &impl Debug) -> String {
    format!("{error:?}").chars().take_while(|c| c.is_ascii_alphanumeric()).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| {
            let pair = str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("two hexadecimal digits")
        })
        .collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
