//! What is known of a connection that ended, for people who look for the reason, and the meters that it
//! is read from.
//!
//! A meter costs some stores for each system call, and no lock: only who holds the half writes it. Its
//! atomics are no part of any hand-over, so they are those of the standard library in the model too.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openline_proto::{ClosingHandshake, FrameSummary, Opcode, Rsv, Tally};

use crate::closed::Cause;
use crate::sync;

/// What was known of a connection when it ended. Its text, of some ten lines, is for bug reports: no
/// payloads are in it, and nothing of the handshake.
///
/// ```
/// use openline::Error;
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let line = openline::connect(server.uri())?;
/// line.send("hello")?;
/// line.recv()?;
/// line.close(1000, "")?;
/// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
/// let report = closed.report();
/// assert_eq!((report.outgoing.messages, report.outgoing.frames), (1, 2)); // the message, Close
/// assert!(report.to_string().starts_with("cause: closed by this side\n"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CloseReport {
    /// What ended it.
    pub cause: Cause,
    /// The Close frames, and who was first.
    pub closing: ClosingHandshake,
    /// How long it was open.
    pub lifetime: Duration,
    /// The round trip of the latest ping that was answered.
    pub latency: Option<Duration>,
    /// What came.
    pub incoming: Traffic,
    /// What went out.
    pub outgoing: Traffic,
    /// Messages that had come and were not received when it ended. They still can be.
    pub unread_messages: u64,
    /// Bytes of frames that did not fit into the socket.
    pub unsent_bytes: u64,
}

impl fmt::Display for CloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cause: {}", self.cause)?;
        writeln!(f, "close frames: {}", self.closing)?;
        writeln!(f, "open for: {} s", Seconds(self.lifetime))?;
        match self.latency {
            None => writeln!(f, "last round trip: none")?,
            Some(latency) => writeln!(f, "last round trip: {:.6} s", latency.as_secs_f64())?,
        }
        writeln!(f, "received: {}", self.incoming)?;
        writeln!(f, "sent: {}", self.outgoing)?;
        writeln!(f, "unread messages: {}", self.unread_messages)?;
        write!(f, "unsent bytes: {}", self.unsent_bytes)
    }
}

/// What went one way over a connection.
///
/// ```
/// use openline::Error;
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::options().close_after(0, 1000, "").start()?;
/// # let line = openline::connect(server.uri())?;
/// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
/// let incoming = closed.report().incoming; // a Close frame
/// assert_eq!((incoming.messages, incoming.frames, incoming.bytes), (0, 1, 4));
/// assert_eq!(incoming.last_frame.map(|frame| frame.to_string()), Some("CLOSE [2 bytes]".into()));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Whole messages.
    pub messages: u64,
    /// Frames, control frames included.
    pub frames: u64,
    /// Bytes of frames, as they were before TLS.
    pub bytes: u64,
    /// The latest frame.
    pub last_frame: Option<FrameSummary>,
    /// How long before the end the latest bytes went, to some milliseconds.
    pub age: Option<Duration>,
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Traffic { messages, frames, bytes, .. } = self;
        write!(f, "{messages} messages, {frames} frames, {bytes} bytes")?;
        if let Some(age) = self.age {
            write!(f, "; the latest {} s before the end", Seconds(age))?;
        }
        match self.last_frame {
            None => Ok(()),
            Some(frame) => write!(f, "\n  latest frame: {frame}"),
        }
    }
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0.as_secs_f64())
    }
}

/// What is measured of a connection while it lives.
#[derive(Debug)]
pub(crate) struct Meters {
    started_at: Duration,
    pub(crate) incoming: Meter,
    pub(crate) outgoing: Meter,
    /// Messages that nobody has received, at the end; bytes that nobody has taken.
    pub(crate) unread_messages: AtomicU64,
    pub(crate) unsent_bytes: AtomicU64,
}

impl Meters {
    pub(crate) fn new() -> Meters {
        Meters {
            started_at: sync::coarse_now(),
            incoming: Meter::default(),
            outgoing: Meter::default(),
            unread_messages: AtomicU64::new(0),
            unsent_bytes: AtomicU64::new(0),
        }
    }

    /// The report of a connection that ended at that moment of the coarse clock.
    pub(crate) fn report(
        &self,
        cause: Cause,
        closing: ClosingHandshake,
        latency: Duration,
        ended_at: Duration,
    ) -> CloseReport {
        CloseReport {
            cause,
            closing,
            lifetime: ended_at.saturating_sub(self.started_at),
            latency: (!latency.is_zero()).then_some(latency),
            incoming: self.incoming.traffic(ended_at),
            outgoing: self.outgoing.traffic(ended_at),
            unread_messages: self.unread_messages.load(Ordering::Relaxed),
            unsent_bytes: self.unsent_bytes.load(Ordering::Relaxed),
        }
    }
}

/// What goes one way: written by the holder of that half, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    messages: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    /// Its first byte as on the wire, and above that the length of its payload.
    last_frame: AtomicU64,
    /// Nanoseconds of the coarse clock.
    moved_at: AtomicU64,
}

impl Meter {
    /// Notes that bytes went.
    #[inline]
    pub(crate) fn moved(&self, len: usize) {
        // No more than stores: nobody else writes.
        let bytes = self.bytes.load(Ordering::Relaxed) + len as u64;
        self.bytes.store(bytes, Ordering::Relaxed);
        let now = sync::coarse_now();
        let now = now.as_secs() * 1_000_000_000 + u64::from(now.subsec_nanos());
        self.moved_at.store(now, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn count(&self, tally: &Tally) {
        self.messages.store(tally.messages, Ordering::Relaxed);
        self.frames.store(tally.frames, Ordering::Relaxed);
        self.last_frame.store(tally.last_frame.map_or(0, pack), Ordering::Relaxed);
    }

    fn traffic(&self, now: Duration) -> Traffic {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let frames = load(&self.frames);
        let bytes = self.bytes();
        let moved_at = Duration::from_nanos(load(&self.moved_at));
        Traffic {
            messages: load(&self.messages),
            frames,
            bytes,
            last_frame: (frames > 0).then(|| unpack(load(&self.last_frame))),
            age: (bytes > 0).then(|| now.saturating_sub(moved_at)),
        }
    }
}

#[inline]
fn pack(frame: FrameSummary) -> u64 {
    let first = u8::from(frame.fin) << 7 | frame.rsv.bits() | frame.opcode as u8;
    frame.payload_len.min(u64::MAX >> 8) << 8 | u64::from(first)
}

fn unpack(packed: u64) -> FrameSummary {
    let [first, ..] = packed.to_le_bytes();
    FrameSummary {
        opcode: Opcode::from_number(first & 0x0f).unwrap_or(Opcode::Continuation),
        fin: first & 0x80 != 0,
        rsv: Rsv::from_bits(first),
        payload_len: packed >> 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_frame_is_what_it_was() {
        let rsv = Rsv::RSV1.union(Rsv::RSV3);
        for payload_len in [0, 125, 1 << 40] {
            let frame = FrameSummary { opcode: Opcode::Binary, fin: true, rsv, payload_len };
            assert_eq!(unpack(pack(frame)), frame);
        }
        let cut = FrameSummary { opcode: Opcode::Text, fin: false, rsv: Rsv::NONE, payload_len: 7 };
        assert_eq!(unpack(pack(cut)), cut);
    }
}
