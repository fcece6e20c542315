//! An answer that opens no connection, sent in such a way that it arrives.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use openline_proto::http::Response;

use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::journal::{Journal, Way};
use crate::transport::{Interest, Opening, Transport};

/// An answer on its way to a client, and the end of the stream after it.
///
/// RFC 9112 §9.6: a server that closes while bytes come makes the client's system drop the answer. So the client is
/// listened to for a moment.
#[derive(Debug)]
pub(super) struct Refusal {
    transport: Arc<dyn Transport>,
    bytes: Vec<u8>,
    /// So many of them are gone.
    written: usize,
    lingering: Option<Lingering>,
    journal: Option<Journal>,
}

#[derive(Debug)]
struct Lingering {
    until: Deadline,
    /// So many bytes more are listened to.
    left: usize,
}

impl Refusal {
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        bytes: Vec<u8>,
        journal: Option<Journal>,
    ) -> Refusal {
        if let Some((journal, response)) = journal.as_ref().zip(Response::parse_head(&bytes)) {
            journal.response(Way::Sent, &response);
        }
        Refusal { transport, bytes, written: 0, lingering: None, journal }
    }

    /// Goes on as far as it can without waiting; what it waits for, at most until
    /// [`deadline`](Refusal::deadline), or `None` when it is done.
    ///
    /// # Errors
    ///
    /// When the answer cannot be sent.
    pub(super) fn step(&mut self) -> Result<Option<Interest>> {
        if self.lingering.is_none() {
            match self.send() {
                Ok(()) => self.start_lingering(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Some(Interest::Write));
                }
                Err(error) => {
                    return Err(Error::System { action: "answer the client".to_owned(), error });
                }
            }
        }
        let is_over = self.deadline().has_passed() || !self.linger();
        Ok((!is_over).then_some(Interest::Read))
    }

    /// Until when to listen.
    pub(super) fn deadline(&self) -> Deadline {
        self.lingering.as_ref().map_or(Deadline::NEVER, |lingering| lingering.until)
    }

    /// Waits until it is done.
    ///
    /// # Errors
    ///
    /// As [`step`](Refusal::step), and those of [`Opening::check`].
    pub(super) fn run(mut self, opening: &Opening<'_>) -> Result<()> {
        while let Some(interest) = self.step()? {
            match opening.wait_until(self.deadline(), &*self.transport, interest) {
                Err(_) if self.lingering.is_some() => return Ok(()), // The answer is out.
                outcome => outcome?,
            }
        }
        Ok(())
    }

    pub(super) fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    fn send(&mut self) -> io::Result<()> {
        let Refusal { transport, bytes, written, .. } = self;
        while *written < bytes.len() {
            match transport.try_write(&bytes[*written..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => *written += outcome?,
            }
        }
        transport.try_flush()
    }

    fn start_lingering(&mut self) {
        if let Some(journal) = &self.journal {
            journal.end_of_stream(Way::Sent);
            journal.state("CLOSED");
        }
        self.transport.shutdown(Shutdown::Write);
        self.lingering = Some(Lingering { until: Deadline::from(LINGER), left: LINGER_LEN });
    }

    /// Drops what comes; whether more may.
    fn linger(&mut self) -> bool {
        let Some(Lingering { left, .. }) = &mut self.lingering else { return false };
        let mut buffer = [0; 4096];
        while *left > 0 {
            match self.transport.try_read(&mut buffer) {
                Ok(0) => return false,
                Ok(len) => *left = left.saturating_sub(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        false
    }
}

/// For so long, and so many bytes, a client that is refused is listened to.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_LEN: usize = 1 << 20;
