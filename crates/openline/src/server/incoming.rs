//! A client's request, before it is answered.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use openline_proto::Role;
use openline_proto::extension::Agreed;
use openline_proto::handshake::server::{ReceivedRequest, ServerHandshake, ServerProgress};
use openline_proto::http::{Limits, Request, Response};

use crate::address::Address;
use crate::client::{Client, no_driver};
use crate::connection::{Connection, Established};
use crate::deadline::Deadline;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::journal::{Journal, SERVER, Way};
use crate::line::Settings;
use crate::opening::Opening;
use crate::timings::Timings;
use crate::transport::{Carried, Interest, Stream, Transport};

/// A client whose request has come and has no answer yet: for servers that accept clients themselves.
/// [`Server`](crate::Server) does all of this.
///
/// ```
/// use std::net::TcpListener;
/// use std::time::Duration;
/// use openline::http::Response;
/// use openline::transport::Opening;
/// use openline::{Client, Incoming};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let uri = format!("ws://{}/", listener.local_addr()?);
/// let client = std::thread::spawn(move || openline::connect(&uri));
///
/// let (socket, _) = listener.accept()?;
/// let opening = Opening::new(Duration::from_secs(10).into(), &|| false);
/// let incoming = Incoming::receive(socket, &opening, None)?;
/// match incoming.request().path.as_str() {
///     "/" => {
///         let (_, open) = incoming.received().clone().check()?.accept(Default::default())?;
///         let line = incoming.accept(open.response, None, Vec::new(), &Client::new(), &opening)?;
///         line.send("welcome")?;
///     }
///     _ => incoming.refuse(&Response::new(404, "Not Found"), &opening)?,
/// }
/// # let line = client.join().expect("no panic")?;
/// # assert_eq!(line.recv()?, "welcome".into());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Incoming {
    transport: Arc<dyn Transport>,
    addresses: (Address, Address),
    received: ReceivedRequest,
    journal: Option<Journal>,
    timings: Timings,
}

impl Incoming {
    /// Reads the request that a client sends over this stream, which may be one that was made
    /// [secure](Stream::secured_by). One that is no HTTP, or over a limit, is answered here.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] for what is no HTTP request, and those of [`Opening::check`]; the stream is closed
    /// then.
    ///
    /// See the example of [`Incoming`].
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use std::time::Duration;
    /// use openline::transport::Opening;
    /// use openline::{Error, Incoming};
    /// # fn main() -> std::io::Result<()> {
    /// let (silent, ours) = UnixStream::pair()?;
    /// let opening = Opening::new(Duration::from_millis(5).into(), &|| false);
    /// assert!(matches!(Incoming::receive(ours, &opening, None), Err(Error::Timeout { .. })));
    /// # drop(silent);
    /// # Ok(()) }
    /// ```
    pub fn receive(
        stream: impl Into<Stream>,
        opening: &Opening<'_>,
        journal: Option<Journal>,
    ) -> Result<Incoming> {
        let stream = stream.into();
        let timings = Timings { tls: stream.tls_time(), ..Timings::default() };
        let Carried { transport, addresses } = stream.carry()?;
        let journal = journal.or_else(|| Journal::for_target(SERVER));
        if let Some(journal) = &journal {
            journal.state("CONNECTING");
        }
        let received = receive(&*transport, opening, journal.as_ref())?;
        if let Some(journal) = &journal {
            journal.request(Way::Received, received.request());
        }
        Ok(Incoming { transport, addresses, received, journal, timings })
    }

    /// The request.
    ///
    /// See the example of [`Incoming`].
    pub fn request(&self) -> &Request {
        self.received.request()
    }

    /// The request, to be [checked](ReceivedRequest::check).
    ///
    /// See the example of [`Incoming`].
    pub fn received(&self) -> &ReceivedRequest {
        &self.received
    }

    /// The client's address.
    ///
    /// ```
    /// use std::io::Write;
    /// use std::net::{TcpListener, TcpStream};
    /// use openline::transport::Opening;
    /// use openline::{Address, Deadline, Incoming};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    /// let opening = Opening::new(Deadline::NEVER, &|| false);
    /// let incoming = Incoming::receive(listener.accept()?.0, &opening, None)?;
    /// assert_eq!(incoming.remote_address(), &Address::Tcp(client.local_addr()?));
    /// # Ok(()) }
    /// ```
    pub fn remote_address(&self) -> &Address {
        &self.addresses.1
    }

    /// Answers with a response that opens no connection, and closes the stream. Its headers are completed as
    /// [`ReceivedRequest::reject`] says.
    ///
    /// # Errors
    ///
    /// [`Error::System`] when it could not be sent, and those of [`Opening::check`].
    ///
    /// See the example of [`Incoming`].
    pub fn refuse(self, response: &Response, opening: &Opening<'_>) -> Result<()> {
        let bytes = self.received.reject(response.clone());
        refuse_with(&*self.transport, &bytes, opening, self.journal.as_ref())
    }

    /// Sends the response that opens the connection, which [`ServerRequest::accept`] has made, and gives the
    /// server's end of it. It has the options of a client that are for open connections: time-outs, limits,
    /// the journal.
    ///
    /// # Errors
    ///
    /// [`Error::System`] when it could not be sent, and those of [`Opening::check`].
    ///
    /// See the example of [`Incoming`].
    ///
    /// [`ServerRequest::accept`]: openline_proto::handshake::server::ServerRequest::accept
    pub fn accept(
        self,
        response: Response,
        subprotocol: Option<String>,
        extensions: Vec<Agreed>,
        like: &Client,
        opening: &Opening<'_>,
    ) -> Result<Connection> {
        self.open(response, subprotocol, extensions, &like.settings, opening)
    }

    pub(super) fn open(
        self,
        response: Response,
        subprotocol: Option<String>,
        extensions: Vec<Agreed>,
        settings: &Settings,
        opening: &Opening<'_>,
    ) -> Result<Connection> {
        let Incoming { transport, addresses, received, journal, timings } = self;
        let driver = Driver::shared().map_err(no_driver)?;
        let mut bytes = Vec::new();
        response.encode(&mut bytes);
        if let Some(journal) = &journal {
            journal.response(Way::Sent, &response);
        }
        write(&*transport, &bytes, opening)?;
        if let Some(journal) = &journal {
            journal.state("OPEN");
        }
        let settings = Settings { journal, ..settings.clone() };
        let request = received.request().clone();
        let established =
            Established { addresses, request, response, subprotocol, extensions, timings };
        let leftover = received.leftover();
        Ok(Connection::new(transport, Role::Server, settings, leftover, driver, established))
    }
}

fn receive(
    transport: &dyn Transport,
    opening: &Opening<'_>,
    journal: Option<&Journal>,
) -> Result<ReceivedRequest> {
    let mut handshake = ServerHandshake::new(Limits::default());
    let mut buffer = vec![0; REQUEST_READ_LEN];
    loop {
        match transport.try_read(&mut buffer) {
            Ok(0) => return Err(handshake.receive_eof().into()),
            Ok(len) => match handshake.receive(&buffer[..len]) {
                Ok(ServerProgress::Request(request)) => return Ok(request),
                Ok(ServerProgress::Pending(pending)) => handshake = pending,
                Err(error) => {
                    let mut bytes = Vec::new();
                    error.response().encode(&mut bytes);
                    // The fault of the request is what is to be told.
                    let _ = refuse_with(transport, &bytes, opening, journal);
                    return Err(error.into());
                }
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                opening.wait(transport, Interest::Read)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(handshake.receive_eof().into()),
        }
        // A client that dribbles does not get more time.
        opening.check()?;
    }
}

/// Sends an answer, and ends the stream in such a way that it arrives.
fn refuse_with(
    transport: &dyn Transport,
    bytes: &[u8],
    opening: &Opening<'_>,
    journal: Option<&Journal>,
) -> Result<()> {
    if let Some((journal, response)) = journal.zip(Response::parse_head(bytes)) {
        journal.response(Way::Sent, &response);
    }
    write(transport, bytes, opening)?;
    if let Some(journal) = journal {
        journal.end_of_stream(Way::Sent);
        journal.state("CLOSED");
    }
    transport.shutdown(Shutdown::Write);
    // RFC 9112 §9.6: a server that closes while bytes come makes the client's system drop the answer.
    let lingering = opening.within(Deadline::from(LINGER));
    let mut buffer = vec![0; REQUEST_READ_LEN];
    let mut left = LINGER_LEN;
    while left > 0 {
        match transport.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => left = left.saturating_sub(len),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if lingering.wait(transport, Interest::Read).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    Ok(())
}

fn write(transport: &dyn Transport, mut bytes: &[u8], opening: &Opening<'_>) -> Result<()> {
    loop {
        let outcome = match bytes {
            [] => match transport.try_flush() {
                Ok(()) => return Ok(()),
                Err(error) => Err(error),
            },
            _ => transport.try_write(bytes).map(|len| bytes = &bytes[len..]),
        };
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                opening.wait(transport, Interest::Write)?;
            }
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(Error::System { action: "answer the client".to_owned(), error });
            }
            _ => {}
        }
    }
}

/// Read at once during the handshake.
const REQUEST_READ_LEN: usize = 4096;

/// For so long, and so many bytes, a client that is refused is listened to, so that it hears the answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_LEN: usize = 1 << 20;
