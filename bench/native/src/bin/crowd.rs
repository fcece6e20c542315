//! Many clients of one server, all in one thread, which do the least that clients can.
//!
//! `crowd KIND PORT CONNECTIONS SECONDS SIZE [deflate]` prints one line of JSON. KIND is
//!
//! | kind | what the clients do |
//! | --- | --- |
//! | `echo` | each sends a message of SIZE bytes to `/echo`, waits for it to come back, and sends it again |
//! | `broadcast` | have a message each from `/broadcast`; then the first sends one, upon which the server sends SIZE bytes to all; when all have them it sends the next |
//! | `idle` | connect to `/echo`, say `{"open": CONNECTIONS}`, and answer pings until the standard input ends |
//!
//! `deflate` offers permessage-deflate without parameters.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use openline_bench::header;
use rustix::event::{Timespec, epoll};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, port, connections, seconds, size, rest @ ..] = arguments.as_slice() else {
        return Err(invalid("crowd KIND PORT CONNECTIONS SECONDS SIZE [deflate]"));
    };
    let number = |text: &String| text.parse::<usize>().map_err(|_| invalid(text));
    let path = if kind == "broadcast" { "/broadcast" } else { "/echo" };
    let is_deflated = rest.iter().any(|word| word == "deflate");
    let port = u16::try_from(number(port)?).map_err(|_| invalid("the port"))?;
    let mut crowd = Crowd::connect(port, path, number(connections)?, is_deflated)?;
    let time = Duration::from_secs_f64(seconds.parse().map_err(|_| invalid(seconds))?);
    match kind.as_str() {
        "echo" => crowd.echo(number(size)?, time),
        "broadcast" => crowd.broadcast(time),
        "idle" => crowd.idle(),
        _ => Err(invalid(kind)),
    }
}

struct Crowd {
    epoll: rustix::fd::OwnedFd,
    clients: Vec<Client>,
    /// What all of them have received.
    messages: u64,
    pings: u64,
}

struct Client {
    stream: TcpStream,
    /// What came and is not a whole frame.
    buffer: Vec<u8>,
}

/// What a whole frame was.
enum Frame {
    Message,
    Ping(Vec<u8>),
}

impl Crowd {
    fn connect(port: u16, path: &str, connections: usize, is_deflated: bool) -> io::Result<Crowd> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut crowd = Crowd { epoll, clients: Vec::new(), messages: 0, pings: 0 };
        for index in 0..connections {
            let stream = handshake(port, path, is_deflated)?;
            stream.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&crowd.epoll, &stream, data, epoll::EventFlags::IN)?;
            crowd.clients.push(Client { stream, buffer: Vec::new() });
            if index % 100 == 99 {
                crowd.turn(Duration::ZERO, |_| Ok(()))?; // the first ones are pinged already
            }
        }
        Ok(crowd)
    }

    fn echo(&mut self, size: usize, time: Duration) -> io::Result<()> {
        let message = masked(2, &vec![7; size]);
        for client in &mut self.clients {
            client.stream.write_all(&message)?;
        }
        // A fifth of the time is for warming up.
        let (mut start, mut is_warm) = (Instant::now(), false);
        while !is_warm || start.elapsed() < time {
            self.turn(PATIENCE, |client| client.stream.write_all(&message))?;
            if !is_warm && start.elapsed() > time / 5 {
                (start, self.messages, is_warm) = (Instant::now(), 0, true);
            }
        }
        println!("{{\"rate\": {}}}", self.messages as f64 / start.elapsed().as_secs_f64());
        Ok(())
    }

    fn broadcast(&mut self, time: Duration) -> io::Result<()> {
        let go = masked(1, b"go");
        let clients = self.clients.len() as u64;
        let (mut start, mut is_warm, mut expected) = (Instant::now(), false, clients);
        while !is_warm || start.elapsed() < time {
            while self.messages < expected {
                self.turn(PATIENCE, |_| Ok(()))?;
            }
            if !is_warm && start.elapsed() > time / 5 {
                (start, is_warm) = (Instant::now(), true);
                (self.messages, expected) = (0, 0);
            }
            self.clients[0].stream.write_all(&go)?;
            expected += clients;
        }
        println!("{{\"rate\": {}}}", self.messages as f64 / start.elapsed().as_secs_f64());
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        println!("{{\"open\": {}}}", self.clients.len());
        let is_over = Arc::new(AtomicBool::new(false));
        let flag = is_over.clone();
        thread::spawn(move || {
            let _ = io::stdin().read_to_end(&mut Vec::new());
            flag.store(true, Ordering::Relaxed);
        });
        self.pings = 0;
        while !is_over.load(Ordering::Relaxed) {
            self.turn(Duration::from_millis(100), |_| Ok(()))?;
        }
        println!("{{\"pings\": {}}}", self.pings);
        Ok(())
    }

    /// Reads what has come; pings are answered, and messages told of.
    fn turn(
        &mut self,
        timeout: Duration,
        mut on_message: impl FnMut(&mut Client) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut events = [const { std::mem::MaybeUninit::uninit() }; 256];
        let timeout = Timespec::try_from(timeout).map_err(|_| invalid("the time-out"))?;
        let (ready, _) = epoll::wait(&self.epoll, &mut events, Some(&timeout))?;
        for event in ready {
            let client = &mut self.clients[event.data.u64() as usize];
            let mut bytes = [0; 16 * 1024];
            match client.stream.read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => client.buffer.extend_from_slice(&bytes[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            while let Some(frame) = client.frame()? {
                match frame {
                    Frame::Message => {
                        self.messages += 1;
                        on_message(client)?;
                    }
                    Frame::Ping(payload) => {
                        self.pings += 1;
                        client.stream.write_all(&masked(10, &payload))?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Client {
    /// Takes a whole frame out of the buffer. The server sends none in fragments, and no mask.
    fn frame(&mut self) -> io::Result<Option<Frame>> {
        let buffer = &self.buffer;
        let (start, len) = match buffer.as_slice() {
            [_, len @ 0..=125, ..] => (2, usize::from(*len)),
            [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
            [_, 127, ..] => return Err(invalid("a frame of more than 64 KiB")),
            _ => return Ok(None),
        };
        if buffer.len() < start + len {
            return Ok(None);
        }
        let frame = match buffer[0] & 15 {
            9 => Frame::Ping(buffer[start..start + len].to_vec()),
            8 => return Err(invalid("the server closes")),
            _ => Frame::Message,
        };
        self.buffer.drain(..start + len);
        Ok(Some(frame))
    }
}

fn handshake(port: u16, path: &str, is_deflated: bool) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    let extensions = match is_deflated {
        true => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        false => "",
    };
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{extensions}\r\n"
    )?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    match head.starts_with(b"HTTP/1.1 101 ") {
        true => Ok(stream),
        false => Err(invalid(&String::from_utf8_lossy(&head))),
    }
}

/// For so long something comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A whole message of a client, with a mask of zeros.
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(opcode, payload.len());
    frame[1] |= 0x80;
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, text)
}
