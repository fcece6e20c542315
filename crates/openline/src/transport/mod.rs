//! What carries the bytes of a connection, as one trait: sockets, TLS over any of them, and what a
//! program brings itself, for [`Client::connect_over`](crate::Client::connect_over).
//!
//! A transport is shared: one thread may read while another writes and a third shuts it down. It
//! keeps no lock while it waits.

mod socket;
mod stream;
mod tcp_info;
mod tls;

use std::any::Any;
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::deadline::Deadline;
use crate::error::Result;

pub use crate::opening::Opening;
pub use stream::Stream;
pub use tls::TlsDetails;

pub(crate) use socket::{Socket, acknowledge_now, poll_until};
pub(crate) use stream::Carried;
pub(crate) use tcp_info::{ByteCounts, SentBytes, sent_bytes};
pub(crate) use tls::Tls;

/// A stream of bytes both ways, used by several threads at once.
///
/// While nobody else does, openline's one thread for all connections calls `try_read`, `try_write`, `try_flush`
/// and `shutdown`: one that blocks holds up the others, their pings and their time-outs. One that panics ends its own
/// connection only.
///
/// A transport of one's own can carry a connection over anything. This one counts what it sends:
///
/// ```
/// use std::io::{self, Read, Write};
/// use std::net::{Shutdown, TcpStream};
/// use std::os::fd::{AsFd, BorrowedFd};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// use openline::transport::{Interest, Readiness, Stream, Transport};
/// use openline::{Client, Deadline};
///
/// #[derive(Debug)]
/// struct Counted {
///     socket: TcpStream, // non-blocking
///     sent: Arc<AtomicUsize>,
/// }
///
/// impl Transport for Counted {
///     fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
///         (&self.socket).read(buffer)
///     }
///
///     fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
///         let len = (&self.socket).write(bytes)?;
///         self.sent.fetch_add(len, Ordering::Relaxed);
///         Ok(len)
///     }
///
///     fn wait(&self, interest: Interest, deadline: Deadline) -> io::Result<Readiness> {
///         openline::transport::wait_for(self.socket.as_fd(), interest, deadline)
///     }
///
///     fn shutdown(&self, how: Shutdown) {
///         let _ = self.socket.shutdown(how); // the peer may have gone already
///     }
///
///     fn source(&self) -> Option<BorrowedFd<'_>> {
///         Some(self.socket.as_fd())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = openline::testing::EchoServer::start()?;
/// let socket = TcpStream::connect(server.address().to_string())?;
/// socket.set_nonblocking(true)?;
/// let sent = Arc::new(AtomicUsize::new(0));
/// let stream = Stream::from_transport(Counted { socket, sent: sent.clone() });
/// let line = Client::new().connect_over(stream, "ws://localhost/")?;
/// let before = sent.load(Ordering::Relaxed); // the request
/// line.send("hello")?;
/// assert_eq!(sent.load(Ordering::Relaxed) - before, 2 + 4 + 5); // header, mask, payload
/// # Ok(()) }
/// ```
pub trait Transport: Any + fmt::Debug + Send + Sync {
    /// Reads what is there; 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Reads, waiting for the first byte; 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// `Interrupted` when a signal handler ran.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(Interest::Read, Deadline::NEVER)?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Writes as much as fits; also 0 may be returned where it makes no progress for now.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing does.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Passes on what `try_write` took and has not passed on yet. Default: there is nothing.
    ///
    /// # Errors
    ///
    /// `WouldBlock` while some of it is left.
    fn try_flush(&self) -> io::Result<()> {
        Ok(())
    }

    /// Waits until there is something to read, or room to write; it may also return too early.
    ///
    /// # Errors
    ///
    /// `Interrupted` when a signal handler ran.
    fn wait(&self, interest: Interest, deadline: Deadline) -> io::Result<Readiness>;

    /// Ends one direction or both, for every thread: what waits for it returns.
    fn shutdown(&self, how: Shutdown);

    /// The peer takes nothing any more: what is on its way to it need not be kept when the stream is closed.
    /// Default: nothing is done.
    fn give_up_sending(&self) {}

    /// Gives back what memory an idle connection does not need. Default: there is none.
    fn release_buffers(&self) {}

    /// The descriptor that is ready to be read or written when this is. It must stay the same, and
    /// open as long as this transport. `None` if there is no such descriptor: the driver then looks
    /// every 50 ms at what nobody reads.
    fn source(&self) -> Option<BorrowedFd<'_>>;

    /// What was agreed on in the TLS handshake. Default: `None`, there was none that is known here.
    fn tls(&self) -> Option<TlsDetails> {
        None
    }

    /// The stream socket to which the bytes go as they are, for a library of TLS that wants to have one.
    /// Default: there is none.
    fn as_socket(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Makes transports secure: TLS by another library than rustls, for
/// [`Client::tls_by`](crate::Client::tls_by).
///
/// ```
/// use std::sync::Arc;
/// use openline::transport::{Opening, Secure, Transport};
/// use openline::{Client, Result};
///
/// /// No security at all, for a `wss://` URI whose TLS a tunnel provides.
/// #[derive(Debug)]
/// struct Tunnelled;
///
/// impl Secure for Tunnelled {
///     fn secure(
///         &self,
///         transport: Arc<dyn Transport>,
///         server_name: &str,
///         opening: &Opening<'_>,
///     ) -> Result<Arc<dyn Transport>> {
///         assert_eq!(server_name, "localhost");
///         opening.check()?; // before each step that may take a while
///         Ok(transport)
///     }
/// }
///
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let port = server.address().to_string();
/// # let port = port.rsplit(':').next().unwrap_or("");
/// let line = Client::new()
///     .tls_by(Arc::new(Tunnelled))
///     .connect(&format!("wss://localhost:{port}/"))?;
/// assert_eq!(line.response().status_code, 101);
/// # Ok(()) }
/// ```
pub trait Secure: fmt::Debug + Send + Sync {
    /// Shakes hands over a transport with the server of this name, which is to be verified.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`](crate::Error::Tls), made by [`TlsError::new`](crate::TlsError::new); what
    /// [`Opening::wait`] and [`Opening::check`] fail with.
    fn secure(
        &self,
        transport: Arc<dyn Transport>,
        server_name: &str,
        opening: &Opening<'_>,
    ) -> Result<Arc<dyn Transport>>;
}

/// TLS for the clients of a server, in steps: see [`Lobby`](crate::Lobby). A [`Server`](crate::Server) has that
/// of rustls.
///
/// ```
/// use std::sync::Arc;
/// use openline::transport::{Interest, ServerTls, TlsHandshake, Transport};
/// use openline::Result;
///
/// /// For clients that come through a tunnel which is secure already.
/// #[derive(Debug)]
/// struct Tunnelled;
///
/// #[derive(Debug)]
/// struct Through(Arc<dyn Transport>);
///
/// impl ServerTls for Tunnelled {
///     fn begin(&self, transport: Arc<dyn Transport>) -> Result<Box<dyn TlsHandshake>> {
///         Ok(Box::new(Through(transport)))
///     }
/// }
///
/// impl TlsHandshake for Through {
///     fn go_on(&mut self) -> Result<Option<Interest>> {
///         Ok(None) // the hands are shaken
///     }
///     fn finish(self: Box<Self>) -> Arc<dyn Transport> {
///         self.0
///     }
/// }
/// # let _: &dyn ServerTls = &Tunnelled;
/// ```
pub trait ServerTls: fmt::Debug + Send + Sync {
    /// Begins a handshake over a transport.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`](crate::Error::Tls), made by [`TlsError::new`](crate::TlsError::new).
    fn begin(&self, transport: Arc<dyn Transport>) -> Result<Box<dyn TlsHandshake>>;
}

/// A handshake of [`ServerTls`] with one client.
///
/// See the example of [`ServerTls`].
pub trait TlsHandshake: fmt::Debug + Send {
    /// Goes on as far as it can without waiting; what it waits for, or `None` when the hands are shaken.
    ///
    /// # Errors
    ///
    /// As [`ServerTls::begin`].
    fn go_on(&mut self) -> Result<Option<Interest>>;

    /// The transport with TLS, when the hands are shaken.
    fn finish(self: Box<Self>) -> Arc<dyn Transport>;
}

/// What to wait for.
///
/// ```
/// use openline::transport::Interest;
/// assert!(Interest::ReadOrWrite.reads() && !Interest::Write.reads());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or the end of the stream.
    Read,
    /// Room to write.
    Write,
    /// Either.
    ReadOrWrite,
}

impl Interest {
    /// Whether something to read ends the wait.
    ///
    /// ```
    /// assert!(openline::transport::Interest::Read.reads());
    /// ```
    pub fn reads(self) -> bool {
        self != Interest::Write
    }

    /// Whether room to write ends the wait.
    ///
    /// ```
    /// assert!(!openline::transport::Interest::Read.writes());
    /// ```
    pub fn writes(self) -> bool {
        self != Interest::Read
    }
}

/// What a wait was ended by. Neither: the deadline.
///
/// ```
/// use openline::transport::Readiness;
/// assert!(Readiness { readable: false, writable: false }.is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// There is something to read, or the end of the stream.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
}

impl Readiness {
    /// Whether the deadline has come first.
    ///
    /// ```
    /// use openline::transport::Readiness;
    /// assert!(!Readiness { readable: true, writable: false }.is_none());
    /// ```
    pub fn is_none(self) -> bool {
        !self.readable && !self.writable
    }
}

/// Waits for a descriptor, for [`Transport::wait`] of a transport that has one.
///
/// # Errors
///
/// `Interrupted` when a signal handler ran.
///
/// ```
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
/// use std::time::Duration;
/// use openline::transport::{Interest, wait_for};
/// # fn main() -> std::io::Result<()> {
/// let (socket, _peer) = UnixStream::pair()?;
/// let ready = wait_for(socket.as_fd(), Interest::ReadOrWrite, Duration::from_secs(1).into())?;
/// assert!(ready.writable && !ready.readable);
/// # Ok(()) }
/// ```
pub fn wait_for(
    descriptor: BorrowedFd<'_>,
    interest: Interest,
    deadline: Deadline,
) -> io::Result<Readiness> {
    socket::wait_for(descriptor, interest, deadline)
}
