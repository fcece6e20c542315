//! TLS by rustls, over a socket or any other transport. The session is locked only for the
//! cryptography; reading and writing below happens outside that lock, so that both directions run at
//! once.
//!
//! Lock order: `outgoing → session` and `incoming → session`.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, Connection as Session, ProtocolVersion};

use super::{Interest, Opening, Readiness, Transport};
use crate::deadline::Deadline;
use crate::error::{Error, Result, TlsError};
use crate::sync::{Mutex, MutexGuard, lock, try_lock};

/// What was agreed on in a TLS handshake by rustls: see
/// [`Connection::transport`](crate::Connection::transport).
///
/// ```no_run
/// # fn main() -> openline::Result<()> {
/// let line = openline::connect("wss://example.com/feed")?;
/// if let Some(tls) = line.transport().and_then(|transport| transport.tls()) {
///     println!("{:?} by {:?}", tls.version, tls.peer_certificates.first());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsDetails {
    /// The name of the server that was asked for.
    pub server_name: String,
    /// The version of TLS.
    pub version: Option<ProtocolVersion>,
    /// The cipher suite.
    pub cipher_suite: Option<CipherSuite>,
    /// The protocol that was chosen by ALPN.
    pub alpn_protocol: Option<Vec<u8>>,
    /// The peer's certificates, its own first.
    pub peer_certificates: Vec<CertificateDer<'static>>,
}

/// A TLS session over a transport.
#[derive(Debug)]
pub(crate) struct Tls {
    below: Arc<dyn Transport>,
    server_name: String,
    session: Mutex<Session>,
    /// Ciphertext that was read and not fed to the session. Used by whoever reads.
    incoming: Mutex<Ciphertext>,
    /// Ciphertext that the session made and the transport below has not taken.
    outgoing: Mutex<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Ciphertext {
    bytes: Vec<u8>,
    /// Invariant: `start <= end <= bytes.len()`; between them are the bytes to feed.
    start: usize,
    end: usize,
    /// What was wrong with a record: nothing after it can be read.
    fault: Option<rustls::Error>,
}

impl Tls {
    /// A session whose hands are still to be [shaken](Tls::handshake) with `host`, whose name is to be told
    /// only: the session knows whom to verify.
    pub(crate) fn new(below: Arc<dyn Transport>, mut session: Session, host: &str) -> Tls {
        session.set_buffer_limit(Some(PLAINTEXT_LIMIT));
        Tls {
            below,
            server_name: host.to_owned(),
            session: Mutex::new(session),
            incoming: Mutex::default(),
            outgoing: Mutex::default(),
        }
    }

    /// Shakes hands with `host`.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`], and those of [`Opening::check`].
    pub(crate) fn open(
        below: Arc<dyn Transport>,
        session: Session,
        host: &str,
        opening: &Opening<'_>,
    ) -> Result<Tls> {
        let tls = Tls::new(below, session, host);
        loop {
            match tls.handshake() {
                Ok(None) => return Ok(tls),
                Ok(Some(blocked)) => opening.wait(&*tls.below, blocked)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Tls(TlsError::new(host, error))),
            }
            opening.check()?;
        }
    }

    /// Goes on with the handshake; what it has to wait for, if it is not done.
    pub(crate) fn handshake(&self) -> io::Result<Option<Interest>> {
        while lock(&self.session).is_handshaking() {
            match self.try_flush() {
                Ok(()) => match self.fetch(TRY_READ) {
                    Ok(0) => {
                        // The peer may be done while our last flight is still to be sent.
                        if lock(&self.session).is_handshaking() {
                            return Err(io::ErrorKind::UnexpectedEof.into());
                        }
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(Some(Interest::Read));
                    }
                    Err(error) => return Err(error),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Some(Interest::Write));
                }
                Err(error) => return Err(error),
            }
        }
        match self.try_flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(None), // What is left goes out with the first write.
        }
    }

    fn read_with(&self, buffer: &mut [u8], read: ReadBelow) -> io::Result<usize> {
        loop {
            match lock(&self.session).reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            if let Err(error) = self.fetch(read) {
                // Records before the one at fault may have brought something.
                return lock(&self.session).reader().read(buffer).map_err(|_| error);
            }
        }
    }

    /// Whether a read would find something without the transport below.
    fn has_buffered(&self) -> bool {
        // Whoever reads now has it, and finds what is there.
        let Some(incoming) = try_lock(&self.incoming) else { return false };
        if incoming.start < incoming.end || incoming.fault.is_some() {
            return true;
        }
        drop(incoming);
        // A fault shows in the read, and so does the peer's close_notify, after which it may say
        // nothing more and keep the socket open.
        lock(&self.session)
            .process_new_packets()
            .map_or(true, |state| state.plaintext_bytes_to_read() > 0 || state.peer_has_closed())
    }

    /// Feeds the session with ciphertext, from below if none is left. The bytes fed; 0 at the
    /// end of the stream, which the session is told.
    fn fetch(&self, read: ReadBelow) -> io::Result<usize> {
        let mut incoming = lock(&self.incoming);
        let Ciphertext { bytes, start, end, fault } = &mut *incoming;
        if let Some(fault) = fault {
            return Err(io::Error::new(io::ErrorKind::InvalidData, fault.clone()));
        }
        if start == end {
            if bytes.is_empty() {
                bytes.resize(CIPHERTEXT_LEN, 0);
            }
            (*start, *end) = (0, 0);
            *end = read(&*self.below, bytes)?;
        }
        let mut session = lock(&self.session);
        let fed = session.read_tls(&mut &bytes[*start..*end])?;
        *start += fed;
        let outcome = session.process_new_packets();
        let wants_write = session.wants_write();
        drop(session);
        *fault = outcome.as_ref().err().cloned();
        drop(incoming);
        if wants_write {
            // An alert, a key update or a ticket. What does not fit goes out with the next write.
            match self.try_flush() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock && outcome.is_ok() => {
                    return Err(error);
                }
                _ => {}
            }
        }
        outcome.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(fed)
    }
}

impl Tls {
    /// Sends what the session has made, as far as it goes.
    fn flush(&self, mut outgoing: MutexGuard<'_, Vec<u8>>) -> io::Result<()> {
        {
            let mut session = lock(&self.session);
            while session.wants_write() {
                session.write_tls(&mut *outgoing)?;
            }
        }
        let mut sent = 0;
        let outcome = loop {
            if sent == outgoing.len() {
                break self.below.try_flush();
            }
            match self.below.try_write(&outgoing[sent..]) {
                Ok(len) => sent += len,
                Err(error) => break Err(error),
            }
        };
        outgoing.drain(..sent);
        if outgoing.is_empty() && outgoing.capacity() > IDLE_CAPACITY {
            *outgoing = Vec::new();
        }
        outcome
    }
}

impl Transport for Tls {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(buffer, TRY_READ)
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(buffer, READ)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        // Nothing is taken while the transport below is behind: memory stays bounded by one buffer.
        self.try_flush()?;
        let taken = lock(&self.session).writer().write(bytes)?;
        match self.try_flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    fn try_flush(&self) -> io::Result<()> {
        // Who has it flushes now. To wait for that thread could be to wait for an interpreter that the
        // transport below needs, and that the caller has.
        match try_lock(&self.outgoing) {
            Some(outgoing) => self.flush(outgoing),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn wait(&self, interest: Interest, deadline: Deadline) -> io::Result<Readiness> {
        if interest.reads() && self.has_buffered() {
            return Ok(Readiness { readable: true, writable: false });
        }
        self.below.wait(interest, deadline)
    }

    fn shutdown(&self, how: Shutdown) {
        if how != Shutdown::Read {
            lock(&self.session).send_close_notify();
            // Best effort: the peer that reads no more does not get it.
            let _ = self.flush(lock(&self.outgoing));
        }
        self.below.shutdown(how);
    }

    fn give_up_sending(&self) {
        self.below.give_up_sending();
    }

    fn release_buffers(&self) {
        self.below.release_buffers();
        let mut incoming = lock(&self.incoming);
        if incoming.start == incoming.end {
            *incoming = Ciphertext { fault: incoming.fault.take(), ..Ciphertext::default() };
        }
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        self.below.source()
    }

    fn tls(&self) -> Option<TlsDetails> {
        let session = lock(&self.session);
        Some(TlsDetails {
            server_name: self.server_name.clone(),
            version: session.protocol_version(),
            cipher_suite: session.negotiated_cipher_suite().map(|suite| suite.suite()),
            alpn_protocol: session.alpn_protocol().map(<[u8]>::to_vec),
            peer_certificates: session
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|certificate| certificate.clone().into_owned())
                .collect(),
        })
    }
}

/// How the transport below is read.
type ReadBelow = fn(&dyn Transport, &mut [u8]) -> io::Result<usize>;
const READ: ReadBelow = |below, buffer| below.read(buffer);
const TRY_READ: ReadBelow = |below, buffer| below.try_read(buffer);

/// Plaintext that the session may hold; a piece of a message fits in.
const PLAINTEXT_LIMIT: usize = 1 << 18;
/// Ciphertext read at once: four full records.
const CIPHERTEXT_LEN: usize = 1 << 16;
/// A connection at rest keeps at most this much for ciphertext.
const IDLE_CAPACITY: usize = 1 << 12;
