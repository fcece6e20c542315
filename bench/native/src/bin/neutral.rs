//! The peer of every client that is measured: it does the least that a server can, and the same for all.
//!
//! `neutral SPIN CERTIFICATE FRAMES` says in one line of JSON on which ports of 127.0.0.1 it listens, without and with
//! TLS, and ends with its standard input. SPIN is for how many microseconds it looks for data before it sleeps while it
//! has one client, so that the time of a round trip is the client's; CERTIFICATE is a PEM file with its key; FRAMES a
//! directory of compressed frames: each file has frames one after another, each with its length before it in four bytes,
//! the most significant first.
//!
//! What a connection is for stands in the path of the request:
//!
//! | path | what the server does |
//! | --- | --- |
//! | `/echo/OPCODE/LEN/DELAY` | takes as many bytes as the frame of such a message has, waits DELAY µs, sends one that was made before |
//! | `/flood/OPCODE/LEN` | sends such messages without end |
//! | `/sink/OPCODE/LEN/EVERY` | takes messages, and says `done` after each EVERY |
//! | `/frames/echo/NAME` | answers each message with the next frame of the file NAME (NAME-alone if the client asks for no context takeover, NAME-small for a window of 12 bits) |
//! | `/frames/flood/NAME` | sends the frames of that file over and over |
//! | `/idle` | pings each second, and goes when a ping was not answered until the next |
//! | `/alive` | answers with one message: how many connections with `/idle` there are |
//!
//! A Close frame is answered where it is the start of what a read brings, as it is if nothing else is on its way.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use rustix::net::{RecvFlags, recv};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha1::{Digest, Sha1};

use openline_bench::{header, masked_len};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, spin, certificate, frames] = arguments.as_slice() else {
        return Err(invalid("neutral SPIN CERTIFICATE FRAMES"));
    };
    let server = Arc::new(Server {
        spin: Duration::from_micros(number(spin)? as u64),
        frames: read_directory(Path::new(frames))?,
        clients: AtomicUsize::new(0),
        idle: AtomicUsize::new(0),
    });
    let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let secure = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let tls = Arc::new(tls_config(certificate)?);
    println!(
        "{{\"ws\": {}, \"wss\": {}}}",
        plain.local_addr()?.port(),
        secure.local_addr()?.port()
    );
    Arc::clone(&server).accept(plain, None);
    server.accept(secure, Some(tls));
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

struct Server {
    spin: Duration,
    frames: HashMap<String, Vec<Vec<u8>>>,
    clients: AtomicUsize,
    idle: AtomicUsize,
}

impl Server {
    fn accept(self: Arc<Self>, listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (server, tls) = (Arc::clone(&self), tls.clone());
                let one_client = move || {
                    server.clients.fetch_add(1, Ordering::Relaxed);
                    // That a client is gone is how each connection ends.
                    let _ = server.serve(socket, tls);
                    server.clients.fetch_sub(1, Ordering::Relaxed);
                };
                let spawned = thread::Builder::new().stack_size(256 * 1024).spawn(one_client);
                spawned.expect("a thread for a client");
            }
        });
    }

    fn serve(&self, socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let path_of = socket.try_clone()?;
        let socket = Spinning { socket, server: self };
        match tls {
            None => self.follow_path(socket, &path_of),
            Some(tls) => {
                let tls = ServerConnection::new(tls).map_err(io::Error::other)?;
                self.follow_path(StreamOwned::new(tls, socket), &path_of)
            }
        }
    }

    fn follow_path(&self, mut client: impl Read + Write, socket: &TcpStream) -> io::Result<()> {
        let (path, agreed) = shake_hands(&mut client)?;
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts.as_slice() {
            ["echo", opcode, len, delay] => {
                let (opcode, len) = (number(opcode)? as u8, number(len)?);
                echo(&mut client, opcode, len, Duration::from_micros(number(delay)? as u64))
            }
            ["flood", opcode, len] => {
                flood(&mut client, &message(number(opcode)? as u8, number(len)?))
            }
            ["sink", _, len, every] => sink(&mut client, masked_len(number(len)?) * number(every)?),
            ["frames", "echo", name] => answer_with_frames(client, self.frames(name, &agreed)?),
            ["frames", "flood", name] => flood(&mut client, &self.frames(name, &agreed)?.concat()),
            ["idle"] => {
                self.idle.fetch_add(1, Ordering::Relaxed);
                let ended = ping_each_second(&mut client, socket);
                self.idle.fetch_sub(1, Ordering::Relaxed);
                ended
            }
            ["alive"] => {
                let count = self.idle.load(Ordering::Relaxed).to_string();
                client.write_all(&[&header(1, count.len())[..], count.as_bytes()].concat())?;
                wait_for_close(&mut client)
            }
            _ => Err(invalid("no such path")),
        }
    }

    /// Those of a file that suit what was agreed on.
    fn frames(&self, name: &str, agreed: &[String]) -> io::Result<&[Vec<u8>]> {
        let has = |parameter: &str| agreed.iter().any(|it| it == parameter);
        let name = match () {
            () if has("server_no_context_takeover") => format!("{name}-alone"),
            () if has("server_max_window_bits=12") => format!("{name}-small"),
            () => name.to_owned(),
        };
        Ok(self.frames.get(&name).ok_or_else(|| invalid("no such frames"))?)
    }
}

fn echo(
    client: &mut (impl Read + Write),
    opcode: u8,
    len: usize,
    delay: Duration,
) -> io::Result<()> {
    let reply = message(opcode, len);
    let mut request = vec![0; masked_len(len)];
    loop {
        let mut filled = 0;
        while filled < request.len() {
            match client.read(&mut request[filled..])? {
                0 => return Ok(()),
                _ if filled == 0 && is_close(&request) => return answer_close(client),
                taken if filled == 0 && request[0] & FIN == 0 => {
                    skip_message((&request[..taken]).chain(&mut *client))?;
                    break;
                }
                taken => filled += taken,
            }
        }
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        client.write_all(&reply)?;
    }
}

/// Sends as many frames at once as 256 KiB hold.
fn flood(client: &mut impl Write, frames: &[u8]) -> io::Result<()> {
    let block = frames.repeat((256 * 1024 / frames.len()).max(1));
    loop {
        client.write_all(&block)?;
    }
}

fn sink(client: &mut (impl Read + Write), every: usize) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut left = every;
    loop {
        let most = left.min(buffer.len());
        match client.read(&mut buffer[..most])? {
            0 => return Ok(()),
            _ if left == every && is_close(&buffer) => return answer_close(client),
            taken => left -= taken,
        }
        if left == 0 {
            client.write_all(b"\x81\x04done")?;
            left = every;
        }
    }
}

fn answer_with_frames(client: impl Read + Write, frames: &[Vec<u8>]) -> io::Result<()> {
    let mut client = BufReader::with_capacity(64 * 1024, client);
    for frame in frames.iter().cycle() {
        if skip_frame(&mut client)? & 0x0f == CLOSE {
            return answer_close(client.get_mut());
        }
        client.get_mut().write_all(frame)?;
    }
    Ok(())
}

fn ping_each_second(client: &mut (impl Read + Write), socket: &TcpStream) -> io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut has_answered = true;
    loop {
        let mut pong = [0; 64];
        match client.read(&mut pong) {
            Ok(0) => return Ok(()),
            Ok(_) if is_close(&pong) => return answer_close(client),
            Ok(_) => has_answered = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !std::mem::replace(&mut has_answered, false) {
                    return Ok(());
                }
                client.write_all(b"\x89\x00")?;
            }
            Err(error) => return Err(error),
        }
    }
}

fn wait_for_close(client: &mut (impl Read + Write)) -> io::Result<()> {
    let mut frame = [0; 256];
    match client.read(&mut frame)? {
        0 => Ok(()),
        _ => answer_close(client),
    }
}

fn is_close(frame: &[u8]) -> bool {
    frame[0] & 0x0f == CLOSE
}

fn answer_close(client: &mut impl Write) -> io::Result<()> {
    client.write_all(b"\x88\x02\x03\xe8")
}

const CLOSE: u8 = 8;
const FIN: u8 = 0x80;

fn message(opcode: u8, len: usize) -> Vec<u8> {
    [header(opcode, len), vec![b'x'; len]].concat()
}

/// Reads the rest of a message that comes in fragments.
fn skip_message(requests: impl Read) -> io::Result<()> {
    let mut requests = BufReader::with_capacity(256 * 1024, requests);
    while skip_frame(&mut requests)? & FIN == 0 {}
    Ok(())
}

/// Reads a masked frame, and gives its first byte.
fn skip_frame(requests: &mut impl Read) -> io::Result<u8> {
    let mut start = [0; 2];
    requests.read_exact(&mut start)?;
    let mut extended = [0; 8];
    let len = match start[1] & 0x7f {
        126 => {
            requests.read_exact(&mut extended[6..])?;
            u64::from_be_bytes(extended)
        }
        127 => {
            requests.read_exact(&mut extended)?;
            u64::from_be_bytes(extended)
        }
        short => u64::from(short),
    };
    io::copy(&mut requests.take(len + 4), &mut io::sink())?;
    Ok(start[0])
}

/// Answers the request, agreeing to compression as it is offered; says the path and the parameters agreed on.
fn shake_hands(client: &mut (impl Read + Write)) -> io::Result<(String, Vec<String>)> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            taken => head.extend_from_slice(&buffer[..taken]),
        }
    }
    let head = String::from_utf8(head).map_err(|_| invalid("a request that is not ASCII"))?;
    let field = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        fields.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    };
    let path = head.split(' ').nth(1).ok_or_else(|| invalid("no path"))?.to_owned();
    let key = field("Sec-WebSocket-Key").ok_or_else(|| invalid("no key"))?;
    let mut hash = Sha1::new_with_prefix(key.trim());
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64_STANDARD.encode(hash.finalize());
    let mut response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
    );
    let offer = field("Sec-WebSocket-Extensions").unwrap_or_default();
    let mut agreed = Vec::new();
    if path.starts_with("/frames/") && offer.starts_with("permessage-deflate") {
        let parameters = offer.split(',').take(1).flat_map(|first| first.split(';').skip(1));
        // Without a value it only says what the client could do.
        let asked = parameters.map(str::trim).filter(|&it| it != "client_max_window_bits");
        agreed = asked.map(str::to_owned).collect();
        let extension = [&["permessage-deflate".to_owned()], &agreed[..]].concat().join("; ");
        response.push_str(&format!("Sec-WebSocket-Extensions: {extension}\r\n"));
    }
    response.push_str("\r\n");
    client.write_all(response.as_bytes())?;
    Ok((path, agreed))
}

/// A socket that looks for data before it sleeps, while it is the only one.
struct Spinning<'a> {
    socket: TcpStream,
    server: &'a Server,
}

impl Read for Spinning<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.server.spin.is_zero() && self.server.clients.load(Ordering::Relaxed) == 1 {
            let start = Instant::now();
            while start.elapsed() < self.server.spin {
                match recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                    Ok((taken, _)) => return Ok(taken),
                    Err(rustix::io::Errno::WOULDBLOCK) => std::hint::spin_loop(),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        self.socket.read(buffer)
    }
}

impl Write for Spinning<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tls_config(file: &str) -> io::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(file).map_err(io::Error::other)?;
    let chain = chain.collect::<Result<_, _>>().map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(file).map_err(io::Error::other)?;
    let config = ServerConfig::builder().with_no_client_auth();
    config.with_single_cert(chain, key).map_err(io::Error::other)
}

fn read_directory(directory: &Path) -> io::Result<HashMap<String, Vec<Vec<u8>>>> {
    let mut read = HashMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        read.insert(name, split_frames(&fs::read(entry.path())?)?);
    }
    Ok(read)
}

fn split_frames(mut bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let mut frames = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*len) as usize;
        let (frame, rest) =
            rest.split_at_checked(len).ok_or_else(|| invalid("a frame that is cut off"))?;
        frames.push(frame.to_vec());
        bytes = rest;
    }
    Ok(frames)
}

fn number(text: &str) -> io::Result<usize> {
    text.parse().map_err(|_| invalid(&format!("{text} is not a number")))
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}
