//! Streams that a program brings to [`Client::connect_over`](crate::Client::connect_over).

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use socket2::SockRef;

use super::{Socket, Transport};
use crate::address::{self, Address};
use crate::error::{Error, Result};

/// A stream that is connected already.
///
/// - A `TcpStream`, a `UnixStream`, or any stream socket as an `OwnedFd`: as good as a socket that
///   openline has made itself.
/// - [`Stream::from_transport`]: what implements [`Transport`].
/// - [`Stream::from_halves`]: any blocking reader and writer.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use openline::transport::Stream;
/// # fn main() -> std::io::Result<()> {
/// let (one, _other) = UnixStream::pair()?;
/// let stream = Stream::from(one);
/// # drop(stream);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Stream(Source);

enum Source {
    Halves(Box<dyn Read + Send>, Box<dyn Write + Send>),
    Socket(OwnedFd),
    Transport(Arc<dyn Transport>),
}

/// A stream on its way into a connection.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) transport: Arc<dyn Transport>,
    /// Local and remote.
    pub(crate) addresses: (Address, Address),
}

impl Stream {
    /// A stream over a transport of one's own; see the example of [`Transport`].
    ///
    /// ```no_run
    /// # fn example(transport: impl openline::transport::Transport + 'static) -> openline::Result<()> {
    /// let stream = openline::transport::Stream::from_transport(transport);
    /// let line = openline::Client::new().connect_over(stream, "ws://localhost/")?;
    /// # Ok(()) }
    /// ```
    pub fn from_transport(transport: impl Transport + 'static) -> Stream {
        Stream(Source::Transport(Arc::new(transport)))
    }

    /// A stream over a blocking reader and a blocking writer: a serial line, the pipes of a child
    /// process, a tunnel. Two threads copy between them and the connection, which has all of its
    /// features therefore.
    ///
    /// What cannot be done is to stop a `read` or `write` of theirs. After the connection has ended,
    /// the reader is dropped when its `read` returns next, and the writer after its last `write`.
    ///
    /// ```
    /// use std::net::TcpStream;
    /// use openline::transport::Stream;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let reader = TcpStream::connect(server.address().to_string())?;
    /// let writer = reader.try_clone()?;
    /// let stream = Stream::from_halves(reader, writer);
    /// let line = openline::Client::new().connect_over(stream, "ws://localhost/")?;
    /// line.send("hello")?;
    /// assert_eq!(line.recv()?, "hello".into());
    /// # Ok(()) }
    /// ```
    pub fn from_halves(
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
    ) -> Stream {
        Stream(Source::Halves(Box::new(reader), Box::new(writer)))
    }

    pub(crate) fn carry(self) -> Result<Carried> {
        match self.0 {
            Source::Halves(reader, writer) => bridge(reader, writer).map_err(no_bridge),
            Source::Socket(fd) => given_socket(fd),
            Source::Transport(transport) => {
                let addresses = match transport.source() {
                    Some(fd) => address::of(&fd, None),
                    None => (Address::Unix(PathBuf::new()), Address::Unix(PathBuf::new())),
                };
                Ok(Carried { transport, addresses })
            }
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Stream {
        Stream(Source::Socket(socket.into()))
    }
}

impl From<UnixStream> for Stream {
    fn from(socket: UnixStream) -> Stream {
        Stream(Source::Socket(socket.into()))
    }
}

impl From<OwnedFd> for Stream {
    fn from(socket: OwnedFd) -> Stream {
        Stream(Source::Socket(socket))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Halves(..) => f.write_str("Halves"),
            Source::Socket(fd) => f.debug_tuple("Socket").field(fd).finish(),
            Source::Transport(transport) => f.debug_tuple("Transport").field(transport).finish(),
        }
    }
}

fn given_socket(fd: OwnedFd) -> Result<Carried> {
    let socket = SockRef::from(&fd);
    let checked = socket.peer_addr().and_then(|_| socket.set_nonblocking(false));
    if let Err(error) = checked {
        return Err(Error::not_connected("the given socket", error));
    }
    // As for our own sockets; a Unix socket has no such option.
    let _ = socket.set_tcp_nodelay(true);
    let addresses = address::of(&fd, None);
    Ok(Carried { transport: Arc::new(Socket::new(fd)), addresses })
}

/// A socket whose other end two threads copy from and to.
fn bridge(
    mut reader: Box<dyn Read + Send>,
    mut writer: Box<dyn Write + Send>,
) -> io::Result<Carried> {
    let (ours, inner) = UnixStream::pair()?;
    let (mut read_end, mut write_end) = (inner.try_clone()?, inner);
    let spawn = |name: &str, copy: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name(name.to_owned()).spawn(copy)
    };
    spawn(
        "openline-writer",
        Box::new(move || {
            // A writer that fails has lost its peer, which is to be seen from reading too.
            if copy_at_once(&mut read_end, &mut writer).is_err() {
                let _ = read_end.shutdown(Shutdown::Both);
            }
        }),
    )?;
    spawn(
        "openline-reader",
        Box::new(move || {
            // An error is the end of the stream; and so is the connection's, by its half.
            let _ = copy_at_once(&mut reader, &mut write_end);
            let _ = write_end.shutdown(Shutdown::Write);
        }),
    )?;
    let addresses = address::of(&ours.as_fd(), None);
    Ok(Carried { transport: Arc::new(Socket::new(ours.into())), addresses })
}

/// Copies until the end, passing on at once what comes: a writer may have a buffer.
fn copy_at_once(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; COPY_LEN];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => {
                to.write_all(&buffer[..len])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn no_bridge(error: io::Error) -> Error {
    Error::System { action: "connect over a reader and a writer".to_owned(), error }
}

/// Copied at once between a connection and the halves of a stream.
const COPY_LEN: usize = 64 * 1024;
