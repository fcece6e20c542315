//! What a proxy does to the bytes of one direction, and the decisions that are left to chance.

use std::ops::RangeInclusive;
use std::time::Duration;

/// What happens to the bytes of one direction of a connection. Default: nothing, they are passed on as they
/// come.
///
/// Bytes are counted from the connection's first, the handshake included, and each direction for itself.
/// Whatever happens, what arrives was sent, in that order: only [`corrupt_at`](Faults::corrupt_at) and
/// [`corrupt_per_mib`](Faults::corrupt_per_mib) change a byte.
///
/// ```
/// use std::time::Duration;
/// use openline::testing::{EchoServer, FaultProxy, Faults};
/// # fn main() -> openline::Result<()> {
/// let server = EchoServer::start()?;
/// let slow = Faults::new().delay(Duration::from_millis(10)).jitter(Duration::from_millis(5)).split(50);
/// let proxy = FaultProxy::options().both(slow).start(server.uri())?;
/// let line = openline::connect(proxy.uri())?;
/// assert!(line.ping(None, openline::Deadline::NEVER)? >= Duration::from_millis(20)); // there and back
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) split: Option<usize>,
    pub(super) rate: Option<u64>,
    pub(super) corrupt_at: Option<Offset>,
    pub(super) corrupt_per_mib: f64,
    pub(super) stall_after: Option<Offset>,
    pub(super) cut_after: Option<Offset>,
    pub(super) half_close_after: Option<Offset>,
    pub(super) reset_after: Option<Offset>,
}

impl Faults {
    /// No faults.
    ///
    /// ```
    /// use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().up(Faults::new()).start(server.uri())?;
    /// assert!(openline::connect(proxy.uri()).is_ok());
    /// # Ok(()) }
    /// ```
    pub fn new() -> Faults {
        Faults::default()
    }

    /// How long bytes are on their way. Default: not at all.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let late = Faults::new().delay(Duration::from_millis(20));
    /// let proxy = FaultProxy::options().down(late).start(server.uri())?;
    /// let line = openline::connect(proxy.uri())?;
    /// assert!(line.ping(None, openline::Deadline::NEVER)? >= Duration::from_millis(20));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Faults {
        self.delay = delay;
        self
    }

    /// How much longer each piece is on its way at most, by chance; none overtakes another. Default: no
    /// longer.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let uneven = Faults::new().split(20).jitter(Duration::from_millis(2));
    /// let proxy = FaultProxy::options().both(uneven).start(server.uri())?;
    /// let line = openline::connect(proxy.uri())?;
    /// line.send("hello")?;
    /// assert_eq!(line.recv()?, "hello".into());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Faults {
        self.jitter = jitter;
        self
    }

    /// The most bytes of a piece; how many it has is left to chance, at least 1. Each piece is written by
    /// itself; a receiver that is slower may find several at once. Default: 64 KiB, and no chance.
    ///
    /// ```
    /// use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().both(Faults::new().split(1)).start(server.uri())?;
    /// let line = openline::connect(proxy.uri())?;
    /// line.send("byte by byte")?;
    /// assert_eq!(line.recv()?, "byte by byte".into());
    /// assert!(proxy.injected().splits > 100);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn split(mut self, bytes: usize) -> Faults {
        self.split = Some(bytes.max(1));
        self
    }

    /// How many bytes per second are passed on at most. Default: no limit.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let narrow = Faults::new().rate(1_000_000);
    /// let proxy = FaultProxy::options().up(narrow).start(server.uri())?;
    /// let line = openline::Client::new().compression(None).connect(proxy.uri())?;
    /// let start = Instant::now();
    /// line.send(&vec![0; 100_000])?;
    /// assert_eq!(line.recv()?.as_bytes().len(), 100_000);
    /// assert!(start.elapsed() >= Duration::from_millis(90));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn rate(mut self, bytes_per_second: u64) -> Faults {
        self.rate = Some(bytes_per_second.max(1));
        self
    }

    /// Flips a bit of the byte after that many. Default: of none.
    ///
    /// ```
    /// use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().down(Faults::new().corrupt_at(0)).start(server.uri())?;
    /// assert!(openline::connect(proxy.uri()).is_err()); // the answer no longer begins with HTTP
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn corrupt_at(mut self, bytes: impl Into<Offset>) -> Faults {
        self.corrupt_at = Some(bytes.into());
        self
    }

    /// How many bytes of a MiB have a bit flipped on average, by chance. Default: 0.
    ///
    /// ```
    /// use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let noisy = Faults::new().corrupt_per_mib(100_000.0); // every tenth byte
    /// let proxy = FaultProxy::options().down(noisy).start(server.uri())?;
    /// assert!(openline::connect(proxy.uri()).is_err());
    /// assert!(proxy.injected().corruptions > 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn corrupt_per_mib(mut self, bytes: f64) -> Faults {
        self.corrupt_per_mib = bytes;
        self
    }

    /// Stops passing on after that many bytes, until [`FaultProxy::resume`](super::FaultProxy::resume).
    /// Default: never.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::testing::{Direction, EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().up(Faults::new().stall_after(1000)).start(server.uri())?;
    /// let line = openline::Client::new().compression(None).connect(proxy.uri())?;
    /// line.send(&"long".repeat(1000))?;
    /// assert!(line.recv_timeout(Duration::from_millis(20)).is_err());
    /// proxy.resume(Direction::Up, None);
    /// assert_eq!(line.recv()?, "long".repeat(1000).into());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stall_after(mut self, bytes: impl Into<Offset>) -> Faults {
        self.stall_after = Some(bytes.into());
        self
    }

    /// Ends the connection after that many bytes, both directions, as if the process at the other end had
    /// died: each side sees the end of the stream. Default: never.
    ///
    /// ```
    /// use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().down(Faults::new().cut_after(1000..=2000)).start(server.uri())?;
    /// let line = openline::connect(proxy.uri())?;
    /// let echoes = (0..).take_while(|n: &i32| {
    ///     line.send(&n.to_string()).is_ok() && line.recv().is_ok()
    /// });
    /// assert!(echoes.count() > 100); // until the connection was cut
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn cut_after(mut self, bytes: impl Into<Offset>) -> Faults {
        self.cut_after = Some(bytes.into());
        self
    }

    /// Ends this direction after that many bytes, and not the other. Default: never.
    ///
    /// ```
    /// use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let faults = Faults::new().half_close_after(20); // in the midst of the answer
    /// let proxy = FaultProxy::options().down(faults).start(server.uri())?;
    /// assert!(openline::connect(proxy.uri()).is_err());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn half_close_after(mut self, bytes: impl Into<Offset>) -> Faults {
        self.half_close_after = Some(bytes.into());
        self
    }

    /// Resets the connection after that many bytes: both sides get a TCP RST. Over Unix sockets, which have
    /// none, it ends. Default: never.
    ///
    /// ```
    /// use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().up(Faults::new().reset_after(300)).start(server.uri())?;
    /// let line = openline::Client::new().compression(None).connect(proxy.uri())?;
    /// line.send(&"x".repeat(300))?;
    /// assert!(matches!(line.recv(), Err(openline::Error::Closed(_))));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn reset_after(mut self, bytes: impl Into<Offset>) -> Faults {
        self.reset_after = Some(bytes.into());
        self
    }
}

/// A number of bytes, or a range of which each connection takes one by chance.
///
/// ```
/// use openline::testing::Faults;
/// let faults = Faults::new().stall_after(500).cut_after(1000..=100_000);
/// ```
#[derive(Clone, Debug)]
pub struct Offset(RangeInclusive<u64>);

impl From<u64> for Offset {
    fn from(bytes: u64) -> Offset {
        Offset(bytes..=bytes)
    }
}

impl From<RangeInclusive<u64>> for Offset {
    fn from(bytes: RangeInclusive<u64>) -> Offset {
        Offset(bytes)
    }
}

impl Offset {
    pub(super) fn choose(&self, random: &mut Random) -> u64 {
        let (first, last) = (*self.0.start(), *self.0.end());
        first + random.below(last.saturating_sub(first).saturating_add(1))
    }
}

/// Numbers by chance, the same for the same seed: SplitMix64. It decides nothing that must be secret.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// For one kind of decision on one direction of one connection, so that none depends on others.
    pub(super) fn new(seed: u64, connection: usize, direction: usize, decision: u64) -> Random {
        let mut random = Random(seed);
        for part in [connection as u64, direction as u64, decision] {
            random = Random(random.next() ^ part);
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit` - 1.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// A number from 0 to 1, without 1.
    pub(super) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
