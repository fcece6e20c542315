//! A server that does what a test says, byte by byte.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use openline::handshake::accept_key;
use openline::{Client, CloseFrame, Connection};
use openline_proto::{Ends, Event, Inbound, Limits, Opcode, Outbound, Received, Role};

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A message, put together.
    Data(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(CloseFrame),
    /// The end of the stream.
    End,
}

pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    inbound: Inbound,
    buffer: Vec<u8>,
    message: Vec<u8>,
}

/// A client of default settings and its peer.
pub(crate) fn open() -> (Connection, Peer) {
    open_with(Client::new())
}

pub(crate) fn open_with(client: Client) -> (Connection, Peer) {
    open_at(&TcpListener::bind("127.0.0.1:0").unwrap(), &client)
}

pub(crate) fn open_at(listener: &TcpListener, client: &Client) -> (Connection, Peer) {
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    std::thread::scope(|scope| {
        let peer = scope.spawn(|| Peer::accept(listener, b""));
        let connection = client.connect(&uri).unwrap();
        (connection, peer.join().unwrap())
    })
}

impl Peer {
    /// Accepts a connection and its handshake; `glued` follows the response in the same write.
    pub(crate) fn accept(listener: &TcpListener, glued: &[u8]) -> Peer {
        let (mut stream, _) = listener.accept().unwrap();
        // A test that waits in vain fails instead of hanging.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        accept(&mut stream, glued);
        let inbound = Inbound::new(Role::Server, Limits { max_message: None, ..Limits::default() });
        Peer { stream, inbound, buffer: Vec::new(), message: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn send_text(&mut self, text: &str) {
        self.try_send_text(text).unwrap();
    }

    pub(crate) fn try_send_text(&mut self, text: &str) -> std::io::Result<()> {
        let mut out = Vec::new();
        let key = openline_proto::MaskKey::new([0; 4]);
        let mut outbound = Outbound::new(Role::Server);
        outbound.encode_message(openline_proto::Kind::Text, text.as_bytes(), key, &mut out);
        self.stream.write_all(&out)
    }

    pub(crate) fn send_close(&mut self, close: &CloseFrame) {
        let mut out = Vec::new();
        let key = openline_proto::MaskKey::new([0; 4]);
        let outbound = Outbound::new(Role::Server);
        outbound.encode_control(Opcode::Close, &close.encode(), key, &mut out).unwrap();
        self.send(&out);
    }

    /// The next frame or message; fails the test if it does not come within 20 seconds.
    pub(crate) fn next(&mut self) -> Frame {
        loop {
            let Received { consumed, event } = self.inbound.receive(&mut self.buffer).unwrap();
            let frame = match event {
                None => None,
                Some(Event::Begin(_)) => None,
                Some(Event::Data(data)) => {
                    self.message.extend_from_slice(data.payload);
                    (data.ends == Ends::Message)
                        .then(|| Frame::Data(std::mem::take(&mut self.message)))
                }
                Some(Event::Message { payload, .. }) => Some(Frame::Data(payload.to_vec())),
                Some(Event::Ping(payload)) => Some(Frame::Ping(payload.to_vec())),
                Some(Event::Pong(payload)) => Some(Frame::Pong(payload.to_vec())),
                Some(Event::Close(close)) => Some(Frame::Close(close)),
                Some(Event::Control { .. }) => unreachable!("nothing is left to extensions"),
            };
            self.buffer.drain(..consumed);
            if let Some(frame) = frame {
                return frame;
            }
            if consumed > 0 {
                continue;
            }
            let mut bytes = [0; 65_536];
            let len = match self.stream.read(&mut bytes) {
                Ok(0) => return Frame::End,
                Ok(len) => len,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Frame::End;
                }
                Err(error) => panic!("the peer waits for a frame in vain: {error}"),
            };
            self.buffer.extend_from_slice(&bytes[..len]);
        }
    }

    /// Takes so many bytes and drops them, whatever they are.
    pub(crate) fn take(&mut self, len: usize) {
        self.stream.read_exact(&mut vec![0; len]).unwrap();
    }

    pub(crate) fn expect_text(&mut self, text: &str) {
        assert_eq!(self.next(), Frame::Data(text.as_bytes().to_vec()));
    }
}

/// Answers the handshake; `glued` follows the response in the same write.
pub(crate) fn accept(stream: &mut (impl Read + Write), glued: &[u8]) {
    let request = read_head(stream);
    let key = request
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .expect("a key in the request");
    let mut response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key)
    )
    .into_bytes();
    response.extend_from_slice(glued);
    stream.write_all(&response).unwrap();
}

pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

pub(crate) fn close(code: u16, reason: &str) -> CloseFrame {
    CloseFrame::new(code, reason).unwrap()
}

pub(crate) const SHORT: Duration = Duration::from_millis(30);
pub(crate) const LONG: Duration = Duration::from_secs(20);
