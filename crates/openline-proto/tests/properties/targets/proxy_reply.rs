//! What proxies answer: HTTP CONNECT (RFC 9110 §9.3.6), SOCKS4 and SOCKS5 (RFC 1928, RFC 1929).
//!
//! A proxy that says more than its turn is refused, so here pieces may be cut anywhere, but must not
//! reach beyond the end of a reply.

use openline_proto::proxy::{Destination, ProxyError, ProxyHandshake, ProxyProgress, ProxyUri};

use super::cut::Cut;
use super::input::Input;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let cut = Cut::read(&mut input);
    let proxy = PROXIES[input.below(PROXIES.len())];
    let wire = input.rest();

    // Byte by byte it shows where replies end: where there is something to send, or all is said.
    let bytes: Vec<&[u8]> = wire.chunks(1).collect();
    let expected = run(proxy, &bytes);
    for pieces in cut.ways(wire) {
        let pieces = also_cut_at(&pieces, &expected.turns);
        assert_eq!(run(proxy, &pieces).end, expected.end);
        assert_eq!(run(proxy, &pieces).sent, expected.sent);
    }
    // Beyond the end of a reply, nothing is taken for what comes next.
    for (n, &turn) in expected.turns.iter().enumerate() {
        if turn < wire.len() {
            let start = if n == 0 { 0 } else { expected.turns[n - 1] };
            let pieces = [&wire[..start], &wire[start..=turn]];
            let end = run(proxy, &also_cut_at(&pieces, &expected.turns[..n])).end;
            assert!(matches!(end, End::Failed(_)), "{end:?} with a byte after the reply");
        }
    }
    if let End::Failed(ProxyError::InvalidStatus(response)) = &expected.end {
        assert!((300..=599).contains(&response.status_code) || response.status_code < 200);
        assert!(response.body.len() <= wire.len());
    }
}

struct Conversation {
    sent: Vec<u8>,
    end: End,
    /// How much had come each time when it was our turn.
    turns: Vec<usize>,
}

#[derive(Debug, PartialEq)]
enum End {
    /// With what the end of the stream would mean.
    Pending(ProxyError),
    Failed(ProxyError),
    Open,
}

fn run(proxy: &str, pieces: &[&[u8]]) -> Conversation {
    let proxy = ProxyUri::parse(proxy).expect("bug: a fixed URL");
    let destination = Destination::Address(([192, 0, 2, 1], 443).into());
    let mut handshake = ProxyHandshake::new(&proxy, &destination, Some("fuzz"))
        .expect("bug: every proxy takes an IPv4 address");
    let mut sent = Vec::new();
    handshake.take_output(&mut sent);
    let (mut turns, mut received) = (Vec::new(), 0);
    for piece in pieces {
        received += piece.len();
        match handshake.receive(piece) {
            Ok(ProxyProgress::Open) => {
                turns.push(received);
                return Conversation { sent, end: End::Open, turns };
            }
            Ok(ProxyProgress::Pending(pending)) => handshake = pending,
            Err(error) => return Conversation { sent, end: End::Failed(error), turns },
        }
        let before = sent.len();
        handshake.take_output(&mut sent);
        if sent.len() > before {
            turns.push(received);
        }
    }
    Conversation { sent, end: End::Pending(handshake.receive_eof()), turns }
}

/// The pieces, with those cut in two that reach beyond one of `ends`; what comes after the last end of
/// an open connection is left out by [`run`].
fn also_cut_at<'a>(pieces: &[&'a [u8]], ends: &[usize]) -> Vec<&'a [u8]> {
    let (mut cut, mut start) = (Vec::new(), 0);
    for piece in pieces {
        let mut rest = *piece;
        for end in ends {
            if (start + 1..start + rest.len()).contains(end) {
                let (left, right) = rest.split_at(end - start);
                cut.push(left);
                (rest, start) = (right, *end);
            }
        }
        cut.push(rest);
        start += rest.len();
    }
    cut
}

const PROXIES: [&str; 5] = [
    "http://localhost",
    "socks4a://ada@localhost",
    "socks5h://localhost",
    "socks5h://ada:pw@localhost",
    "https://ada:pw@localhost",
];
