//! A client's request, before it is answered.

use std::io;
use std::sync::Arc;

use openline_proto::Role;
use openline_proto::extension::Agreed;
use openline_proto::handshake::HandshakeError;
use openline_proto::handshake::server::ReceivedRequest;
use openline_proto::http::{Request, Response};

use super::reception::{Reception, Step};
use super::refusal::Refusal;
use super::seats::Seat;
use crate::address::Address;
use crate::client::{Client, no_driver};
use crate::connection::{Connection, Established};
use crate::deadline::Deadline;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::journal::{Journal, Way};
use crate::line::Settings;
use crate::opening::Opening;
use crate::timings::Timings;
use crate::transport::{Interest, Stream, Transport};

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
    deadline: Deadline,
    /// What the connection has for its address, as long as it is open.
    seat: Option<Seat>,
}

impl Incoming {
    /// Reads the request that a client sends over this stream. One that is no HTTP, or over a limit, is answered
    /// here.
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
        journal: Option<&Journal>,
    ) -> Result<Incoming> {
        let mut reception = Reception::new(stream.into(), None, journal.cloned())?;
        loop {
            match reception.step() {
                Step::Arrived(incoming) => {
                    return Ok(incoming.admitted(None, opening.deadline()));
                }
                Step::Failed(error) => return Err(error),
                Step::Wait(interest) => {
                    let Some(transport) = reception.transport().cloned() else { continue };
                    let waited = opening.wait_until(reception.deadline(), &*transport, interest);
                    if let Err(error) = waited {
                        return Err(reception.into_fault().unwrap_or(error));
                    }
                }
            }
        }
    }

    pub(super) fn new(
        transport: Arc<dyn Transport>,
        addresses: (Address, Address),
        received: ReceivedRequest,
        journal: Option<Journal>,
        timings: Timings,
    ) -> Incoming {
        if let Some(journal) = &journal {
            journal.request(Way::Received, received.request());
        }
        let deadline = Deadline::NEVER;
        Incoming { transport, addresses, received, journal, timings, deadline, seat: None }
    }

    /// What it has for its address, to be kept as long as the connection is open; `None` if nothing is counted, or
    /// it was taken already. Default: it is given up when the request is answered.
    ///
    /// ```
    /// use std::io::Write;
    /// use std::os::unix::net::UnixStream;
    /// use openline::transport::Opening;
    /// use openline::{Deadline, Incoming};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut client, ours) = UnixStream::pair()?;
    /// client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    /// let opening = Opening::new(Deadline::NEVER, &|| false);
    /// let mut incoming = Incoming::receive(ours, &opening, None)?; // by no lobby
    /// assert!(incoming.take_seat().is_none());
    /// # Ok(()) }
    /// ```
    pub fn take_seat(&mut self) -> Option<Seat> {
        self.seat.take()
    }

    /// With the time that it has, and its seat.
    pub(super) fn admitted(self, seat: Option<Seat>, deadline: Deadline) -> Incoming {
        Incoming { seat, deadline, ..self }
    }

    /// Has a journal note what happens, the request first: for one of a [`Lobby`](crate::Lobby).
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use std::io::Write;
    /// use openline::transport::Opening;
    /// use openline::{Deadline, Incoming, Journal};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut client, ours) = UnixStream::pair()?;
    /// client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    /// let opening = Opening::new(Deadline::NEVER, &|| false);
    /// let journal = Journal::new(None);
    /// let incoming = Incoming::receive(ours, &opening, None)?.with_journal(&journal);
    /// # drop(incoming);
    /// let mut lines = Vec::new();
    /// journal.give_out(|record| {
    ///     lines.push(record.to_string());
    ///     Ok::<(), std::convert::Infallible>(())
    /// })?;
    /// assert_eq!(lines[..2], ["= connection is CONNECTING", "< GET / HTTP/1.1"]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_journal(self, journal: &Journal) -> Incoming {
        journal.state("CONNECTING");
        journal.request(Way::Received, self.received.request());
        Incoming { journal: Some(journal.clone()), ..self }
    }

    /// By when the connection is to be open: the client's time for the handshake began when it was accepted.
    ///
    /// ```
    /// use std::io::Write;
    /// use std::os::unix::net::UnixStream;
    /// use openline::transport::Opening;
    /// use openline::{Deadline, Incoming};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut client, ours) = UnixStream::pair()?;
    /// client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    /// let opening = Opening::new(Deadline::NEVER, &|| false);
    /// assert_eq!(Incoming::receive(ours, &opening, None)?.deadline(), Deadline::NEVER);
    /// # Ok(()) }
    /// ```
    pub fn deadline(&self) -> Deadline {
        self.deadline
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

    /// What carries the connection, to look at.
    ///
    /// ```
    /// use std::io::Write;
    /// use std::os::unix::net::UnixStream;
    /// use openline::transport::Opening;
    /// use openline::{Deadline, Incoming};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut client, ours) = UnixStream::pair()?;
    /// client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    /// let opening = Opening::new(Deadline::NEVER, &|| false);
    /// let incoming = Incoming::receive(ours, &opening, None)?;
    /// assert!(incoming.transport().tls().is_none());
    /// # Ok(()) }
    /// ```
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// Our address.
    ///
    /// See the example of [`remote_address`](Incoming::remote_address).
    pub fn local_address(&self) -> &Address {
        &self.addresses.0
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
    /// assert_eq!(incoming.local_address(), &Address::Tcp(client.peer_addr()?));
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
        Refusal::new(self.transport, bytes, self.journal).run(opening)
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

    /// A client that is refused without its time being taken.
    pub(super) fn into_refused(self, response: Response) -> (Reception, Option<Seat>, Deadline) {
        let error = HandshakeError::InvalidStatus(response.clone().into()).into();
        let bytes = self.received.reject(response);
        let refusal = Refusal::new(self.transport, bytes, self.journal);
        (Reception::refusing(refusal, error, self.addresses), self.seat, self.deadline)
    }

    pub(super) fn open(
        self,
        response: Response,
        subprotocol: Option<String>,
        extensions: Vec<Agreed>,
        settings: &Settings,
        opening: &Opening<'_>,
    ) -> Result<Connection> {
        let Incoming { transport, addresses, received, journal, timings, .. } = self;
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
