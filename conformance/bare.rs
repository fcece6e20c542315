//! The floor under `compare.py`: the least that a client of the suite can do.
//!
//! `bare URI AGENT`. It sends back every message, and checks nothing: no UTF-8, no limits, no accept key. Its
//! mask is zero, so that the payload goes out as it came in. It serves sections 1 to 10 where nothing is wrong,
//! such as 9.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let address = arguments[1].strip_prefix("ws://").expect("ws://HOST:PORT");
    let agent = &arguments[2];
    let count = Connection::open(address, "/getCaseCount")?.message()?.expect("a message").1;
    let count: u32 = String::from_utf8_lossy(&count).parse().expect("a number");
    for case in 1..=count {
        let mut connection = Connection::open(address, &format!("/runCase?case={case}&agent={agent}"))?;
        while let Some((opcode, message)) = connection.message()? {
            connection.send(opcode, &message)?;
        }
    }
    let mut last = Connection::open(address, &format!("/updateReports?agent={agent}"))?;
    last.send(CLOSE, &[])?;
    last.message().map(drop)
}

struct Connection {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    frame: Vec<u8>,
}

impl Connection {
    fn open(address: &str, path: &str) -> io::Result<Connection> {
        let mut writer = TcpStream::connect(address)?;
        writer.set_nodelay(true)?;
        write!(
            writer,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )?;
        let mut reader = BufReader::with_capacity(128 * 1024, writer.try_clone()?);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line)?;
        }
        Ok(Connection { reader, writer, frame: Vec::new() })
    }

    /// The next message and its opcode. Pings are answered; a close too, which ends the connection.
    fn message(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
        let (mut kind, mut message) = (CONTINUATION, Vec::new());
        loop {
            let mut head = [0; 2];
            if self.reader.read_exact(&mut head).is_err() {
                return Ok(None);
            }
            let mut wide = [0; 8];
            match head[1] {
                126 => self.reader.read_exact(&mut wide[6..])?,
                127 => self.reader.read_exact(&mut wide)?,
                short => wide[7] = short,
            }
            let start = message.len();
            message.resize(start + u64::from_be_bytes(wide) as usize, 0);
            self.reader.read_exact(&mut message[start..])?;
            match head[0] & 0x0f {
                PING => self.send(PONG, &message.split_off(start))?,
                PONG => message.truncate(start),
                CLOSE => {
                    self.send(CLOSE, &message.split_off(start))?;
                    return Ok(None);
                }
                opcode => {
                    kind |= opcode;
                    if head[0] & 0x80 != 0 {
                        return Ok(Some((kind, message)));
                    }
                }
            }
        }
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        self.frame.clear();
        self.frame.push(0x80 | opcode);
        match payload.len() {
            len @ 0..126 => self.frame.push(0x80 | len as u8),
            len @ 126..65536 => {
                self.frame.push(0x80 | 126);
                self.frame.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                self.frame.push(0x80 | 127);
                self.frame.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        self.frame.extend_from_slice(&[0; 4]);
        self.frame.extend_from_slice(payload);
        self.writer.write_all(&self.frame)
    }
}

const CONTINUATION: u8 = 0;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
