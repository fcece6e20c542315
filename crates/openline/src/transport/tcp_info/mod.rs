//! What TCP knows of the bytes that it has sent, where the system tells.
//!
//! Linux has `TCP_USER_TIMEOUT` to end a connection whose bytes stay unacknowledged. It is not used: it also ends
//! one whose peer has closed its window and acknowledges every probe, which is a peer that is alive and does not
//! read (measured on Linux 6.18: gone after 2.8 s with a time-out of 2 s). A peer may not read for as long as it
//! likes. So the driver asks, now and then, and [`Acknowledgement`](crate::acknowledgement::Acknowledgement) decides.

#[cfg(not(any(target_os = "android", target_os = "linux")))]
mod elsewhere;
#[cfg(any(target_os = "android", target_os = "linux"))]
mod linux;

use std::time::Duration;

#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub(crate) use elsewhere::sent_bytes;
#[cfg(any(target_os = "android", target_os = "linux"))]
pub(crate) use linux::sent_bytes;

/// How it stands with what was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SentBytes {
    /// Whether an acknowledgement is overdue: of bytes, or of probes of a closed window.
    pub(crate) are_unacknowledged: bool,
    /// How long ago the last acknowledgement came, of whatever.
    pub(crate) last_acknowledgement: Duration,
    pub(crate) counts: Option<ByteCounts>,
}

/// Where the system counts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByteCounts {
    /// How many the peer's system has acknowledged until now.
    pub(crate) acknowledged: u64,
    /// How many it has not: as many or, by less than the length of a segment for each that is on its way, more.
    pub(crate) queued: u64,
}
