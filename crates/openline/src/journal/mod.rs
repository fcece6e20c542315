//! What happens on a connection, in the words of Python's `websockets`, for a logger.
//!
//! The engine never calls a logger: it may hold locks, and the driver runs no code of users. It notes
//! records here, and the next call on the connection gives them out, in order, with no lock held. A
//! connection has a journal only if its logger wants one when it is opened.

mod excerpt;

use std::collections::VecDeque;
use std::fmt;
use std::io;

use openline_proto::http::{Headers, Request, Response};
use openline_proto::{CloseFrame, Ends, Kind, Opcode};

use crate::fork::Process;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock};

use excerpt::Excerpt;

/// Records of what happens on connections, until somebody gives them out to a logger.
///
/// Without one, a connection that is opened while the [`log`] facade wants the level `debug` of the target
/// `openline::client` (or `openline::server`) has a journal of its own, and each call on the connection
/// ends with giving it out there. A program that wants the records elsewhere, or wants to tell connections
/// apart, makes a journal, hands it to [`Client::journal`](crate::Client::journal), and gives it out itself.
///
/// What happens after the last call, such as when the last handle is dropped, is not given out. A journal
/// holds 1024 records. When it is full the oldest are dropped, and one record tells how many.
///
/// ```
/// use openline::{Client, Journal};
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let uri = server.uri();
/// let journal = Journal::new(None);
/// let line = Client::new().journal(&journal).connect(uri)?;
/// line.send("hello")?;
/// let mut log = Vec::new();
/// journal.give_out(|record| {
///     log.push(record.to_string());
///     Ok::<(), std::convert::Infallible>(())
/// }).expect("infallible");
/// assert_eq!(log[0], "= connection is CONNECTING");
/// assert_eq!(log[1], "> GET / HTTP/1.1");
/// assert_eq!(log[log.len() - 2], "= connection is OPEN");
/// assert_eq!(log[log.len() - 1], "> TEXT 'hello' [5 bytes]");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    process: Process,
    max_log_size: usize,
    /// Where the engine gives the records out; `None` if the caller does.
    target: Option<&'static str>,
    ring: Mutex<Ring>,
    /// Whether there are records. Changed with the ring locked.
    has_records: AtomicBool,
    /// Whether a thread gives records out: others leave theirs to it.
    is_given_out: AtomicBool,
}

#[derive(Debug, Default)]
struct Ring {
    records: VecDeque<Entry>,
    dropped: usize,
}

impl Journal {
    /// An empty journal. Payloads are shown in `max_log_size` characters at most, their middle left out;
    /// `None` takes the number in the environment variable `OPENLINE_MAX_LOG_SIZE`, or 75.
    ///
    /// ```
    /// use openline::{Client, Journal};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let uri = server.uri();
    /// let journal = Journal::new(Some(12));
    /// let line = Client::new().journal(&journal).connect(uri)?;
    /// line.send("a rather long message")?;
    /// let mut last = String::new();
    /// journal.give_out(|record| {
    ///     last = record.to_string();
    ///     Ok::<(), std::convert::Infallible>(())
    /// }).expect("infallible");
    /// assert_eq!(last, "> TEXT 'a rat...ge' [21 bytes]");
    /// # Ok(()) }
    /// ```
    pub fn new(max_log_size: Option<usize>) -> Journal {
        Journal::to(None, max_log_size)
    }

    /// A journal for the logger of that name, if it wants one.
    pub(crate) fn for_target(target: &'static str) -> Option<Journal> {
        log::log_enabled!(target: target, log::Level::Debug)
            .then(|| Journal::to(Some(target), None))
    }

    fn to(target: Option<&'static str>, max_log_size: Option<usize>) -> Journal {
        let from_environment =
            || std::env::var("OPENLINE_MAX_LOG_SIZE").ok().and_then(|size| size.parse().ok());
        Journal(Arc::new(Shared {
            process: Process::current(),
            max_log_size: max_log_size
                .or_else(from_environment)
                .unwrap_or(MAX_LOG_SIZE)
                .min(UNLIMITED),
            target,
            ring: Mutex::default(),
            has_records: AtomicBool::new(false),
            is_given_out: AtomicBool::new(false),
        }))
    }

    /// Gives all records to `log`, in order, each once. While one thread does so, others that call it
    /// return at once, and so does a call from `log` itself: the one that has begun gives out their
    /// records too. In a forked child nothing is given out.
    ///
    /// # Errors
    ///
    /// That of `log`. The records after it are kept.
    ///
    /// ```
    /// use openline::Journal;
    /// let journal = Journal::new(None); // to be given to a client
    /// journal.give_out(|record| { eprintln!("{record}"); Ok::<(), std::io::Error>(()) })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn give_out<E>(&self, mut log: impl FnMut(&Record) -> Result<(), E>) -> Result<(), E> {
        // A logger that uses the connection makes new records: not for ever.
        let mut left = CAPACITY + 1;
        // Who notes a record and finds another thread giving out leaves it to that one, which looks
        // again after its turn: in one order for both, so no record is left by both.
        while left > 0 && self.0.has_records.load(Ordering::SeqCst) {
            if !self.0.process.is_current() || self.0.is_given_out.swap(true, Ordering::SeqCst) {
                return Ok(());
            }
            let _turn = Turn(&self.0.is_given_out);
            while left > 0
                && let Some(record) = self.pop()
            {
                left -= 1;
                log(&record)?;
            }
        }
        Ok(())
    }

    /// Gives the records to the `log` facade, unless the caller sees to them.
    #[inline]
    pub(crate) fn report(&self) {
        if let Some(target) = self.0.target {
            let log = |record: &Record| {
                log::debug!(target: target, "{record}");
                Ok::<(), std::convert::Infallible>(())
            };
            match self.give_out(log) {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
    }

    fn pop(&self) -> Option<Record> {
        let mut ring = lock(&self.0.ring);
        let entry = match std::mem::take(&mut ring.dropped) {
            0 => ring.records.pop_front(),
            dropped => Some(Entry::Dropped(dropped)),
        };
        self.0.has_records.store(!ring.records.is_empty(), Ordering::SeqCst);
        entry.map(Record)
    }

    fn note(&self, entry: Entry) {
        let mut ring = lock(&self.0.ring);
        if ring.records.len() == CAPACITY {
            ring.records.pop_front();
            ring.dropped += 1;
        }
        ring.records.push_back(entry);
        self.0.has_records.store(true, Ordering::SeqCst);
    }

    /// The connection has come to a state of RFC 6455 §4.1 or §7.1.
    pub(crate) fn state(&self, state: &'static str) {
        self.note(Entry::State(state));
    }

    pub(crate) fn request(&self, way: Way, request: &Request) {
        self.note(Entry::Request(way, request.path.clone()));
        self.headers(way, &request.headers);
    }

    pub(crate) fn response(&self, way: Way, response: &Response) {
        self.note(Entry::Status(way, response.status_code, response.reason_phrase.clone()));
        self.headers(way, &response.headers);
        if !response.body.is_empty() {
            self.note(Entry::Body(way, response.body.len()));
        }
    }

    fn headers(&self, way: Way, headers: &Headers) {
        for (name, value) in headers {
            self.note(Entry::Header(way, name.to_owned(), value.to_owned()));
        }
    }

    /// A whole frame, before extensions encode it or after they have decoded it.
    pub(crate) fn frame(&self, way: Way, opcode: Opcode, fin: bool, payload: &[u8]) {
        let mut excerpt = Excerpt::new(self.0.max_log_size);
        excerpt.push(payload);
        self.note(Entry::Frame { way, opcode, fin, excerpt });
    }

    /// Frames of ours whose sending was given up before anything of them was gone.
    pub(crate) fn taken_back(&self, frames: usize) {
        self.note(Entry::TakenBack(frames));
    }

    pub(crate) fn end_of_stream(&self, way: Way) {
        self.note(Entry::End(way));
    }

    pub(crate) fn failed(&self, way: Way, error: std::sync::Arc<io::Error>) {
        self.note(Entry::Failed(way, error));
    }

    pub(crate) fn keepalive(&self, keepalive: KeepaliveEvent) {
        self.note(Entry::Keepalive(keepalive));
    }
}

/// The right to give records out.
struct Turn<'j>(&'j AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// One record of a [`Journal`], at the level `debug`. Its text is what `to_string` gives.
///
/// ```
/// use openline::{Client, Journal};
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let uri = server.uri();
/// let journal = Journal::new(None);
/// let line = Client::new().journal(&journal).header("Authorization", "Bearer 42")?.connect(uri)?;
/// journal.give_out(|record| {
///     let is_secret = record.args().first().is_some_and(|name| name == "Authorization");
///     if !is_secret {
///         println!("{record}");
///     }
///     Ok::<(), std::convert::Infallible>(())
/// }).expect("infallible");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Record(Entry);

#[derive(Debug)]
enum Entry {
    Body(Way, usize),
    Dropped(usize),
    End(Way),
    Failed(Way, std::sync::Arc<io::Error>),
    Frame { way: Way, opcode: Opcode, fin: bool, excerpt: Excerpt },
    Header(Way, String, String),
    Keepalive(KeepaliveEvent),
    Request(Way, String),
    State(&'static str),
    Status(Way, u16, String),
    TakenBack(usize),
}

impl Record {
    /// The text with `%s` in the place of each of the [`args`](Record::args), as loggers take it that
    /// group records by their kind.
    ///
    /// ```
    /// use openline::{Client, Journal};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let uri = server.uri();
    /// let journal = Journal::new(None);
    /// let line = Client::new().journal(&journal).connect(uri)?;
    /// let mut templates = Vec::new();
    /// journal.give_out(|record| {
    ///     templates.push(record.template());
    ///     Ok::<(), std::convert::Infallible>(())
    /// }).expect("infallible");
    /// assert_eq!(templates[..3], ["= connection is %s", "> GET %s HTTP/1.1", "> %s: %s"]);
    /// # Ok(()) }
    /// ```
    pub fn template(&self) -> &'static str {
        let of = |way: &Way, sent, received| match way {
            Way::Sent => sent,
            Way::Received => received,
        };
        match &self.0 {
            Entry::Body(way, _) => of(way, "> [body] (%s bytes)", "< [body] (%s bytes)"),
            Entry::Dropped(_) => "- %s earlier records were dropped",
            Entry::End(way) => of(way, "> EOF", "< EOF"),
            Entry::Failed(way, _) => {
                of(way, "! error while sending data", "! error while receiving data")
            }
            Entry::Frame { way, .. } => of(way, "> %s", "< %s"),
            Entry::Header(way, ..) => of(way, "> %s: %s", "< %s: %s"),
            Entry::Keepalive(KeepaliveEvent::Answered) => "% received keepalive pong",
            Entry::Keepalive(KeepaliveEvent::Sent) => "% sent keepalive ping",
            Entry::Keepalive(KeepaliveEvent::TimedOut) => "- timed out waiting for keepalive pong",
            Entry::Request(way, _) => of(way, "> GET %s HTTP/1.1", "< GET %s HTTP/1.1"),
            Entry::State(_) => "= connection is %s",
            Entry::Status(way, ..) => of(way, "> HTTP/1.1 %s %s", "< HTTP/1.1 %s %s"),
            Entry::TakenBack(_) => "- frames taken back before anything of them was sent: %s",
        }
    }

    /// What stands in the place of each `%s` of the [`template`](Record::template): the name and the value
    /// of a header, say.
    ///
    /// ```
    /// use openline::{Client, Journal};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let uri = server.uri();
    /// let journal = Journal::new(None);
    /// let line = Client::new().journal(&journal).connect(uri)?;
    /// let mut args = Vec::new();
    /// journal.give_out(|record| {
    ///     args.push(record.args());
    ///     Ok::<(), std::convert::Infallible>(())
    /// }).expect("infallible");
    /// assert_eq!(args[..2], [["CONNECTING"], ["/"]]);
    /// # Ok(()) }
    /// ```
    pub fn args(&self) -> Vec<String> {
        match &self.0 {
            Entry::Body(_, number) | Entry::Dropped(number) | Entry::TakenBack(number) => {
                vec![number.to_string()]
            }
            Entry::End(_) | Entry::Failed(..) | Entry::Keepalive(_) => Vec::new(),
            Entry::Frame { opcode, fin, excerpt, .. } => {
                vec![excerpt.describe(*opcode, *fin)]
            }
            Entry::Header(_, name, value) => vec![name.clone(), value.clone()],
            Entry::Request(_, path) => vec![path.clone()],
            Entry::State(state) => vec![(*state).to_owned()],
            Entry::Status(_, code, reason) => vec![code.to_string(), reason.clone()],
        }
    }

    /// The error that the record is about.
    ///
    /// ```
    /// use openline::{Client, Journal};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let uri = server.uri();
    /// let journal = Journal::new(None);
    /// let line = Client::new().journal(&journal).connect(uri)?;
    /// journal.give_out(|record| match record.error() {
    ///     Some(error) => Err(error.kind()),
    ///     None => Ok(()),
    /// }).expect("no error so far");
    /// # Ok(()) }
    /// ```
    pub fn error(&self) -> Option<&io::Error> {
        match &self.0 {
            Entry::Failed(_, error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut args = self.args().into_iter();
        for (n, part) in self.template().split("%s").enumerate() {
            if n > 0 {
                f.write_str(&args.next().unwrap_or_default())?;
            }
            f.write_str(part)?;
        }
        match self.error() {
            None => Ok(()),
            Some(error) => write!(f, ": {error}"),
        }
    }
}

/// Which way something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Received,
    Sent,
}

/// What happens to a ping that the driver sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeepaliveEvent {
    Answered,
    Sent,
    TimedOut,
}

/// The frames that a connection receives, whose payload may come in pieces.
#[derive(Debug)]
pub(crate) struct ReceivedFrames {
    journal: Journal,
    /// The frame whose end has not come.
    excerpt: Excerpt,
    /// Whether a frame of the same message came before it.
    is_continued: bool,
}

impl ReceivedFrames {
    pub(crate) fn new(journal: Journal) -> ReceivedFrames {
        let excerpt = Excerpt::new(journal.0.max_log_size);
        ReceivedFrames { journal, excerpt, is_continued: false }
    }

    /// A piece of a frame of a message.
    pub(crate) fn data(&mut self, kind: Kind, payload: &[u8], ends: Ends) {
        self.excerpt.push(payload);
        if ends == Ends::Nothing {
            return;
        }
        let opcode = match kind {
            _ if self.is_continued => Opcode::Continuation,
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        };
        let fin = ends == Ends::Message;
        let excerpt =
            std::mem::replace(&mut self.excerpt, Excerpt::new(self.journal.0.max_log_size));
        self.journal.note(Entry::Frame { way: Way::Received, opcode, fin, excerpt });
        self.is_continued = !fin;
    }

    pub(crate) fn control(&self, opcode: Opcode, payload: &[u8]) {
        self.journal.frame(Way::Received, opcode, true, payload);
    }

    pub(crate) fn close(&self, close: &CloseFrame) {
        self.control(Opcode::Close, &close.encode());
    }
}

/// The targets of the `log` facade.
pub(crate) const CLIENT: &str = "openline::client";
pub(crate) const SERVER: &str = "openline::server";

/// How many records wait at most.
const CAPACITY: usize = 1024;

/// Characters of a payload that are shown.
const MAX_LOG_SIZE: usize = 75;

/// More than any payload has, and little enough to reckon with.
const UNLIMITED: usize = usize::MAX / 8;
