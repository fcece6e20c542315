//! Rows of `docs/robustness.md` that no other test here shows. `tests/robustness/` names them all.

use std::time::{Duration, Instant};

use openline::{Cause, Client, Error};
use socket2::{Domain, Socket, Type};

use crate::peer::{Frame, LONG, SHORT, open_with};

#[test]
fn addresses_that_do_not_answer_take_no_longer_than_open_timeout() {
    // It has no room for more who connect, and ignores them.
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    full.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address); // in progress, or ignored
            socket
        })
        .collect();
    let uri = format!("ws://{}/", address.as_socket().unwrap());
    let start = Instant::now();
    let outcome = Client::new().open_timeout(Duration::from_millis(300)).connect(&uri);
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    assert!(start.elapsed() < LONG);
    drop(waiting);
}

#[test]
fn a_length_that_is_only_announced_fails_at_the_header() {
    for length in [1_u64 << 40, u64::MAX >> 1, u64::MAX] {
        let (line, mut peer) = open_with(Client::new().close_timeout(SHORT));
        peer.send(&[&[0x82, 127], length.to_be_bytes().as_slice()].concat());
        let Frame::Close(close) = peer.next() else { panic!("no close") };
        assert_eq!(u16::from(close.code()), 1009, "{length}");
        assert!(matches!(line.recv(), Err(Error::Closed(_))));
    }
}

#[test]
fn a_peer_that_ignores_our_failure_is_cut_after_close_timeout() {
    let client = Client::new().close_timeout(Duration::from_millis(100)).ping_interval(None);
    let (line, mut peer) = open_with(client);
    peer.send(b"\x83\x00"); // a reserved opcode
    let start = Instant::now();
    let Err(Error::Closed(closed)) = line.recv() else { panic!("not closed") };
    assert!(matches!(closed.cause(), Cause::Protocol(_)));
    assert!(line.wait_closed(LONG).unwrap());
    assert!(matches!(line.send("x"), Err(Error::Closed(_))));
    line.close(1000, "").unwrap();
    assert!(start.elapsed() < LONG);
}
