//! One Rust library, one workload, once: `bench/benchsuite.py` runs it, as it runs `bench/contender.py` for Python.
//!
//! `contender LIBRARY KIND PATH OPCODE LEN BATCH SECONDS PORT` prints its figures as JSON. The handshake is done here for
//! all but openline, so that each starts with a connection; text is checked to be UTF-8 by each.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rustix::time::{ClockId, clock_gettime};

use openline_bench::{header, masked_len};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, kind, path, opcode, len, batch, seconds, port] = arguments.as_slice() else {
        return Err(io::Error::other("contender LIBRARY KIND PATH OPCODE LEN BATCH SECONDS PORT"));
    };
    let number = |text: &String| text.parse::<usize>().map_err(io::Error::other);
    let task = Task {
        kind: kind.clone(),
        path: path.clone(),
        port: number(port)? as u16,
        message: Payload { is_text: opcode == "1", bytes: vec![b'x'; number(len)?].into() },
        batch: number(batch)?,
        seconds: Duration::from_secs_f64(seconds.parse().map_err(io::Error::other)?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(async {
        let to_server = || task.connect();
        let stream = || {
            let socket = task.connect()?;
            socket.set_nonblocking(true)?;
            tokio::net::TcpStream::from_std(socket)
        };
        match library.as_str() {
            "raw" => measure(Raw::new(to_server()?, task.message.bytes.len()), &task).await,
            "openline" => measure(Openline::new(&task)?, &task).await,
            "openline, many" => measure(Many::new(&task)?, &task).await,
            "tungstenite" => {
                let role = tungstenite::protocol::Role::Client;
                let limits = tungstenite::protocol::WebSocketConfig::default();
                let socket = to_server()?;
                measure(tungstenite::WebSocket::from_raw_socket(socket, role, Some(limits)), &task)
                    .await
            }
            "fastwebsockets" => {
                let role = fastwebsockets::Role::Client;
                let websocket = fastwebsockets::WebSocket::after_handshake(stream()?, role);
                measure(fastwebsockets::FragmentCollector::new(websocket), &task).await
            }
            "tokio-websockets" => {
                let websocket = tokio_websockets::ClientBuilder::new().take_over(stream()?);
                measure(websocket, &task).await
            }
            "sockudo-ws" => {
                let config = sockudo_ws::Config::builder().auto_ping(false).idle_timeout(0).build();
                measure(sockudo_ws::WebSocketStream::client(stream()?, config), &task).await
            }
            "web-socket" => {
                let buffered = tokio::io::BufReader::with_capacity(128 * 1024, stream()?);
                measure(web_socket::WebSocket::client(buffered), &task).await
            }
            "yawc" => {
                let options = yawc::Options::default().with_utf8().with_max_payload_read(1 << 24);
                let websocket =
                    yawc::WebSocket::from_stream(stream()?, yawc::Role::Client, options);
                measure(websocket.map_err(io::Error::other)?, &task).await
            }
            _ => Err(io::Error::other(format!("no library {library}"))),
        }
    })?;
    println!("{figures}");
    // Connections that are left open end with the process.
    std::process::exit(0)
}

struct Task {
    kind: String,
    path: String,
    port: u16,
    message: Payload,
    batch: usize,
    seconds: Duration,
}

struct Payload {
    is_text: bool,
    bytes: Bytes,
}

impl Payload {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes).expect("bug: made of x")
    }
}

impl Task {
    fn full_path(&self) -> String {
        if self.kind == "send" {
            format!("{}/{}", self.path, self.batch)
        } else {
            self.path.clone()
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.set_nodelay(true)?;
        write!(
            socket,
            "GET {} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            self.full_path()
        )?;
        let mut head = Vec::new();
        // Byte by byte, as messages may follow at once.
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        Ok(socket)
    }
}

/// What is measured of a library.
trait Client {
    async fn send(&mut self, message: &Payload) -> io::Result<()>;
    /// The length of the next message.
    async fn recv(&mut self) -> io::Result<usize>;

    async fn receive_batch(&mut self, count: usize, len: usize) -> io::Result<()> {
        for _ in 0..count {
            expect(self.recv().await? == len)?;
        }
        Ok(())
    }

    async fn send_batch(&mut self, message: &Payload, count: usize) -> io::Result<()> {
        for _ in 0..count {
            self.send(message).await?;
        }
        Ok(())
    }
}

async fn measure(mut client: impl Client, task: &Task) -> io::Result<String> {
    let len = task.message.bytes.len();
    let mut times = Vec::new();
    let (mut count, mut start, mut cpu) = (0, Instant::now(), cpu_time());
    let mut is_warm = false;
    loop {
        if !is_warm && start.elapsed() > task.seconds / 5 {
            (is_warm, count, start, cpu) = (true, 0, Instant::now(), cpu_time());
            times.clear();
        }
        if is_warm && start.elapsed() > task.seconds {
            break;
        }
        match task.kind.as_str() {
            "round_trip" => {
                for _ in 0..task.batch {
                    let sent = Instant::now();
                    client.send(&task.message).await?;
                    expect(client.recv().await? == len)?;
                    times.push(sent.elapsed().as_nanos());
                }
            }
            "receive" => client.receive_batch(task.batch, len).await?,
            "send" => {
                client.send_batch(&task.message, task.batch).await?;
                expect(client.recv().await? == "done".len())?;
            }
            other => return Err(io::Error::other(format!("no such work: {other}"))),
        }
        count += task.batch;
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = (cpu_time() - cpu).as_secs_f64() / count as f64 * 1e6;
    let rate = count as f64 / seconds;
    times.sort_unstable();
    let percentile = |percent: usize| times[times.len() * percent / 100] as f64 / 1e3;
    Ok(if times.is_empty() {
        format!("{{\"rate\": {rate}, \"cpu\": {cpu}}}")
    } else {
        let (p50, p99) = (percentile(50), percentile(99));
        format!("{{\"rate\": {rate}, \"cpu\": {cpu}, \"p50\": {p50}, \"p99\": {p99}}}")
    })
}

/// Of all threads of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn expect(is_as_expected: bool) -> io::Result<()> {
    if is_as_expected {
        Ok(())
    } else {
        Err(io::Error::other("the server has sent something else"))
    }
}

/// Moves the same bytes, and understands nothing of them.
struct Raw {
    socket: TcpStream,
    request: Vec<u8>,
    frame_len: usize,
    buffer: Vec<u8>,
}

impl Raw {
    fn new(socket: TcpStream, len: usize) -> Self {
        let frame_len = header(2, len).len() + len;
        Self { socket, request: vec![0x82; masked_len(len)], frame_len, buffer: vec![0; 1 << 20] }
    }
}

impl Client for Raw {
    async fn send(&mut self, _: &Payload) -> io::Result<()> {
        self.socket.write_all(&self.request)
    }

    async fn recv(&mut self) -> io::Result<usize> {
        let mut left = self.frame_len;
        while left > 0 {
            let most = left.min(self.buffer.len());
            match self.socket.read(&mut self.buffer[..most])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                // What a sink says at the end of a batch.
                6 if self.buffer.starts_with(b"\x81\x04done") => return Ok(4),
                taken => left -= taken,
            }
        }
        Ok(self.frame_len - header(2, self.frame_len - 10).len())
    }

    async fn receive_batch(&mut self, count: usize, len: usize) -> io::Result<()> {
        let mut left = count * (header(2, len).len() + len);
        while left > 0 {
            let most = left.min(128 * 1024);
            left -= self.socket.read(&mut self.buffer[..most])?;
        }
        Ok(())
    }
}

struct Openline(openline::Connection);

impl Openline {
    fn new(task: &Task) -> io::Result<Self> {
        let uri = format!("ws://127.0.0.1:{}{}", task.port, task.full_path());
        let client = openline::Client::new().compression(None).ping_interval(None).max_size(None);
        Ok(Self(client.connect(&uri).map_err(io::Error::other)?))
    }

    fn outgoing(message: &Payload) -> openline::Outgoing<'_> {
        if message.is_text { message.as_str().into() } else { (&message.bytes[..]).into() }
    }
}

impl Client for Openline {
    async fn send(&mut self, message: &Payload) -> io::Result<()> {
        self.0.send(Self::outgoing(message)).map_err(io::Error::other)
    }

    async fn recv(&mut self) -> io::Result<usize> {
        Ok(self.0.recv().map_err(io::Error::other)?.len())
    }
}

/// With `send_many` and `recv_many`.
struct Many(Openline);

/// How many messages it takes with one call.
const AT_ONCE: usize = 1_000;

impl Many {
    fn new(task: &Task) -> io::Result<Self> {
        Ok(Self(Openline::new(task)?))
    }
}

impl Client for Many {
    async fn send(&mut self, message: &Payload) -> io::Result<()> {
        self.0.send(message).await
    }

    async fn recv(&mut self) -> io::Result<usize> {
        self.0.recv().await
    }

    async fn receive_batch(&mut self, count: usize, len: usize) -> io::Result<()> {
        let mut left = count;
        while left > 0 {
            let messages = self
                .0
                .0
                .recv_many(left.min(AT_ONCE), None::<Duration>)
                .map_err(io::Error::other)?;
            expect(messages.iter().all(|message| message.len() == len))?;
            left -= messages.len();
        }
        Ok(())
    }

    async fn send_batch(&mut self, message: &Payload, count: usize) -> io::Result<()> {
        let messages = std::iter::repeat_n(Openline::outgoing(message), count);
        self.0.0.send_many(messages, None::<Duration>).1.map_err(io::Error::other)
    }
}

impl Client for tungstenite::WebSocket<TcpStream> {
    async fn send(&mut self, message: &Payload) -> io::Result<()> {
        let bytes = message.bytes.clone();
        let message = if message.is_text {
            tungstenite::Message::Text(bytes.try_into().map_err(io::Error::other)?)
        } else {
            tungstenite::Message::Binary(bytes)
        };
        tungstenite::WebSocket::send(self, message).map_err(io::Error::other)
    }

    async fn recv(&mut self) -> io::Result<usize> {
        Ok(self.read().map_err(io::Error::other)?.len())
    }
}

impl Client for fastwebsockets::FragmentCollector<tokio::net::TcpStream> {
    async fn send(&mut self, message: &Payload) -> io::Result<()> {
        let payload = fastwebsockets::Payload::Borrowed(&message.bytes);
        let frame = if message.is_text {
            fastwebsockets::Frame::text(payload)
        } else {
            fastwebsockets::Frame::binary(payload)
        };
        self.write_frame(frame).await.map_err(io::Error::other)
    }

    async fn recv(&mut self) -> io::Result<usize> {
        Ok(self.read_frame().await.map_err(io::Error::other)?.payload.len())
    }
}

impl Client for tokio_websockets::WebSocketStream<tokio::net::TcpStream> {
    async fn send(&mut self, message: &Payload) -> io::Result<()> {
        let bytes = message.bytes.clone();
        let message = if message.is_text {
            tokio_websockets::Message::text(
                String::from_utf8(bytes.into()).map_err(io::Error::other)?,
            )
        } else {
            tokio_websockets::Message::binary(bytes)
        };
        SinkExt::send(self, message).await.map_err(io::Error::other)
    }

    async fn recv(&mut self) -> io::Result<usize> {
        let message = self.next().await.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(message.map_err(io::Error::other)?.as_payload().len())
    }
}

impl Client for sockudo_ws::WebSocketStream<tokio::net::TcpStream> {
    async fn send(&mut self, message: &Payload) -> io::Result<()> {
        let bytes = message.bytes.clone();
        let message = if message.is_text {
            sockudo_ws::Message::Text(bytes)
        } else {
            sockudo_ws::Message::Binary(bytes)
        };
        SinkExt::send(self, message).await.map_err(io::Error::other)
    }

    async fn recv(&mut self) -> io::Result<usize> {
        let message = self.next().await.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(message.map_err(io::Error::other)?.as_bytes().len())
    }
}

impl Client for web_socket::WebSocket<tokio::io::BufReader<tokio::net::TcpStream>> {
    async fn send(&mut self, message: &Payload) -> io::Result<()> {
        if message.is_text {
            web_socket::WebSocket::send(self, message.as_str()).await
        } else {
            web_socket::WebSocket::send(self, &message.bytes[..]).await
        }
    }

    async fn recv(&mut self) -> io::Result<usize> {
        match web_socket::WebSocket::recv(self).await? {
            web_socket::Event::Data { ty, data } => {
                // It leaves that to its user.
                if matches!(ty, web_socket::DataType::Complete(web_socket::MessageType::Text)) {
                    str::from_utf8(&data).map_err(io::Error::other)?;
                }
                Ok(data.len())
            }
            other => Err(io::Error::other(format!("not a message: {other:?}"))),
        }
    }
}

impl Client for yawc::WebSocket<tokio::net::TcpStream> {
    async fn send(&mut self, message: &Payload) -> io::Result<()> {
        let bytes = message.bytes.clone();
        let frame =
            if message.is_text { yawc::Frame::text(bytes) } else { yawc::Frame::binary(bytes) };
        SinkExt::send(self, frame).await.map_err(io::Error::other)
    }

    async fn recv(&mut self) -> io::Result<usize> {
        Ok(self.next_frame().await.map_err(io::Error::other)?.payload().len())
    }
}
