//! How many clients each address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address::Address;

/// The clients of each IP address, those included that have not sent their request yet.
#[derive(Debug)]
pub(super) struct Seats {
    /// How many an address may have.
    limit: Option<usize>,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// What one client has of what its address may have, until this is dropped: see
/// [`Incoming::take_seat`](crate::Incoming::take_seat).
///
/// ```no_run
/// # fn example(mut incoming: openline::Incoming) {
/// let seat: Option<openline::Seat> = incoming.take_seat();
/// # }
/// ```
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

/// An address has as many clients as it may.
#[derive(Debug)]
pub(super) struct Full;

impl Seats {
    pub(super) fn new(limit: Option<usize>) -> Arc<Seats> {
        Arc::new(Seats { limit, taken: Mutex::default() })
    }

    /// A seat for one more client; `None` where none is needed.
    pub(super) fn take(self: &Arc<Seats>, address: &Address) -> Result<Option<Seat>, Full> {
        let (Some(limit), Address::Tcp(address)) = (self.limit, address) else { return Ok(None) };
        // One over IPv6 is no other than over IPv4.
        let address = address.ip().to_canonical();
        let mut taken = self.taken();
        let count = taken.entry(address).or_default();
        if *count >= limit {
            return Err(Full);
        }
        *count += 1;
        Ok(Some(Seat { seats: self.clone(), address }))
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(address: &str) -> Address {
        Address::Tcp(address.parse().unwrap())
    }

    #[test]
    fn an_address_has_so_many_seats_until_they_are_left() {
        let seats = Seats::new(Some(2));
        let first = seats.take(&tcp("127.0.0.1:1")).unwrap();
        let _second = seats.take(&tcp("[::ffff:127.0.0.1]:2")).unwrap();
        assert!(seats.take(&tcp("127.0.0.1:3")).is_err());
        let _other = seats.take(&tcp("127.0.0.2:1")).unwrap();
        drop(first);
        assert!(seats.take(&tcp("127.0.0.1:4")).is_ok());
    }

    #[test]
    fn nothing_is_kept_of_an_address_without_clients() {
        let seats = Seats::new(Some(1));
        drop(seats.take(&tcp("127.0.0.1:1")).unwrap());
        assert!(seats.taken().is_empty());
    }
}
