//! The model check of the hand-overs: the engine itself on shuttle's locks and threads, under
//! thousands of random schedules. A wake-up that could be lost shows as a deadlock.
//!
//! Run it with `cargo test -p openline --features model`. Time does not pass here: no wait at the bell
//! ends by itself, and waits for the transport that have a deadline may always end by it.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use openline_proto::{CloseFrame, Part, Role};
use shuttle::sync::Condvar;
use shuttle::thread;

use crate::deadline::Deadline;
use crate::driver::{Driver, Next};
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::line::{Line, Settings};
use crate::sync::{self, Arc, Mutex, Ordering, lock, try_lock};
use crate::transport::{Interest, Readiness, Transport};
use crate::write::Turn;

/// Schedules of each scenario.
const SCHEDULES: usize = 5_000;

/// One end of an in-memory line. The other is played by [`Peer`].
#[derive(Debug)]
struct Pipe {
    state: Mutex<PipeState>,
    changed: Condvar,
}

#[derive(Debug)]
struct PipeState {
    /// From the peer.
    incoming: VecDeque<u8>,
    is_ended: bool,
    /// To the peer.
    outgoing: VecDeque<u8>,
    capacity: usize,
}

impl Pipe {
    fn new(capacity: usize) -> Arc<Pipe> {
        let state = PipeState {
            incoming: VecDeque::new(),
            is_ended: false,
            outgoing: VecDeque::new(),
            capacity,
        };
        Arc::new(Pipe { state: Mutex::new(state), changed: Condvar::new() })
    }

    /// Waits until `look` finds something.
    fn until<T>(&self, mut look: impl FnMut(&mut PipeState) -> Option<T>) -> T {
        let mut state = lock(&self.state);
        loop {
            if let Some(found) = look(&mut state) {
                drop(state);
                self.changed.notify_all();
                return found;
            }
            state = self.changed.wait(state).unwrap();
        }
    }
}

impl PipeState {
    fn readiness(&self, interest: Interest) -> Readiness {
        Readiness {
            readable: interest.reads() && (self.is_ended || !self.incoming.is_empty()),
            writable: interest.writes() && (self.is_ended || self.outgoing.len() < self.capacity),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if self.incoming.is_empty() {
            return self.is_ended.then_some(0);
        }
        let len = buffer.len().min(self.incoming.len());
        for (to, from) in buffer.iter_mut().zip(self.incoming.drain(..len)) {
            *to = from;
        }
        Some(len)
    }
}

impl Transport for Pipe {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let outcome = lock(&self.state).read(buffer);
        self.changed.notify_all();
        outcome.ok_or(io::ErrorKind::WouldBlock.into())
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.until(|state| state.read(buffer)))
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = lock(&self.state);
        if state.is_ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let len = bytes.len().min(state.capacity - state.outgoing.len());
        if len == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.outgoing.extend(&bytes[..len]);
        drop(state);
        self.changed.notify_all();
        Ok(len)
    }

    fn try_flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn wait(&self, interest: Interest, deadline: Deadline) -> io::Result<Readiness> {
        if deadline == Deadline::NEVER {
            return Ok(self
                .until(|state| Some(state.readiness(interest)).filter(|ready| !ready.is_none())));
        }
        thread::yield_now();
        Ok(lock(&self.state).readiness(interest))
    }

    fn shutdown(&self, how: Shutdown) {
        if how != Shutdown::Write {
            lock(&self.state).is_ended = true;
            self.changed.notify_all();
        }
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// The other end: it writes frames and takes bytes.
#[derive(Clone)]
struct Peer(Arc<Pipe>);

impl Peer {
    fn send(&self, frames: &[u8]) {
        lock(&self.0.state).incoming.extend(frames);
        self.0.changed.notify_all();
    }

    fn end(&self) {
        lock(&self.0.state).is_ended = true;
        self.0.changed.notify_all();
    }

    /// Takes a masked frame with a payload below 126 bytes; its first byte and its payload.
    fn take_frame(&self) -> (u8, Vec<u8>) {
        let header = self.take(6);
        let payload = self.take(usize::from(header[1] & 0x7f));
        let payload = payload.iter().enumerate().map(|(n, byte)| byte ^ header[2 + n % 4]);
        (header[0], payload.collect())
    }

    fn take(&self, len: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        while taken.len() < len {
            self.0.until(|state| {
                let end = state.outgoing.len().min(len - taken.len());
                taken.extend(state.outgoing.drain(..end));
                (end > 0).then_some(())
            });
        }
        taken
    }
}

fn open(capacity: usize, max_queue: usize) -> (Arc<Line>, Peer) {
    let pipe = Pipe::new(capacity);
    let settings = Settings {
        ping_interval: None,
        close_timeout: None,
        max_queue: Some(max_queue),
        busy_poll: Some(Duration::ZERO),
        ..Settings::default()
    };
    let driver = Arc::new(Driver::new().unwrap());
    let line = Line::new(pipe.clone(), Role::Client, settings, &[], b"", driver);
    (line, Peer(pipe))
}

/// The driver's thread: ticks while the line is in use, waits for the transport while it is idle, and
/// writes what is left. It ends with the line.
fn drive(line: &Arc<Line>) -> thread::JoinHandle<()> {
    let line = line.clone();
    thread::spawn(move || {
        let mut scratch = Vec::new();
        loop {
            line.on_writable();
            match line.driver.serve(&line, &mut scratch) {
                Next::Forget => return,
                Next::Again => {}
                Next::Leave => unreachable!("bug: nobody else attends to it"),
                Next::Look => {
                    if line.transport().is_none() {
                        return;
                    }
                    line.driver.tick_for_model();
                    thread::yield_now();
                }
                Next::Watch => {
                    if let Some(transport) = line.transport() {
                        // An epoll watch for both directions; as if it always fired for writing.
                        thread::yield_now();
                        let _ = transport.wait(Interest::Read, Deadline::from(sync::now()));
                    }
                }
            }
        }
    })
}

fn receive(line: &Line) -> Result<Vec<u8>> {
    line.receive(Deadline::NEVER, |payload| payload.as_bytes().to_vec())
}

fn close() -> CloseFrame {
    CloseFrame::new(1000, "").unwrap()
}

#[test]
fn messages_are_received_once_and_in_order_beside_the_driver() {
    shuttle::check_random(
        || {
            let (line, peer) = open(1000, 2);
            let driver = drive(&line);
            let sender = peer.clone();
            let sending = thread::spawn(move || {
                for n in 0..4 {
                    sender.send(&[0x82, 1, n]);
                }
                sender.send(b"\x89\x01p");
                assert_eq!(sender.take_frame(), (0x8a, b"p".to_vec()));
                sender.send(b"\x88\x00");
                assert_eq!(sender.take_frame().0, 0x88);
                sender.end();
            });
            for n in 0..4 {
                assert_eq!(receive(&line).unwrap(), [n]);
            }
            assert!(matches!(receive(&line), Err(Error::Closed(_))));
            sending.join().unwrap();
            driver.join().unwrap();
        },
        SCHEDULES,
    );
}

#[test]
fn without_a_driver_a_pong_reaches_its_waiter_past_a_receiver_that_comes_and_goes() {
    shuttle::check_random(
        || {
            let (line, peer) = open(1000, 8);
            let receiver = line.clone();
            let receiving = thread::spawn(move || {
                assert_eq!(receive(&receiver).unwrap(), b"a");
            });
            let answering = thread::spawn(move || {
                peer.send(b"\x82\x01a");
                let (opcode, payload) = peer.take_frame();
                assert_eq!(opcode, 0x89);
                peer.send(&[&[0x8a, payload.len() as u8], &payload[..]].concat());
                peer
            });
            let id = line.start_ping(None).unwrap();
            line.await_pong(id, Deadline::NEVER).unwrap();
            receiving.join().unwrap();
            drop(answering.join().unwrap());
        },
        SCHEDULES,
    );
}

#[test]
fn two_pings_that_are_answered_at_once_beside_receiver_and_driver() {
    shuttle::check_random(
        || {
            let (line, peer) = open(1000, 8);
            let driver = drive(&line);
            let pinging: Vec<_> = (0..2_u8)
                .map(|n| {
                    let line = line.clone();
                    thread::spawn(move || {
                        let id = line.start_ping(Some(&[n])).unwrap();
                        line.await_pong(id, Deadline::NEVER).unwrap();
                    })
                })
                .collect();
            let answering = thread::spawn(move || {
                peer.take_frame();
                let (_, last) = peer.take_frame();
                peer.send(&[0x82, 1, b'a', 0x8a, 1, last[0], 0x82, 1, b'b']);
                peer
            });
            assert_eq!(receive(&line).unwrap(), b"a");
            pinging.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(receive(&line).unwrap(), b"b");
            answering.join().unwrap().end();
            driver.join().unwrap();
        },
        SCHEDULES,
    );
}

#[test]
fn a_ping_waits_without_spinning_while_the_queue_is_full() {
    shuttle::check_random(
        || {
            let (line, peer) = open(1000, 1);
            peer.send(b"\x82\x01a\x82\x01b");
            let pinger = line.clone();
            let pinging = thread::spawn(move || {
                let id = pinger.start_ping(Some(b"p")).unwrap();
                pinger.await_pong(id, Deadline::NEVER).unwrap();
            });
            let answering = thread::spawn(move || {
                peer.take_frame();
                peer.send(b"\x8a\x01p");
                peer
            });
            // The pong is behind both messages.
            assert_eq!(receive(&line).unwrap(), b"a");
            assert_eq!(receive(&line).unwrap(), b"b");
            pinging.join().unwrap();
            drop(answering.join().unwrap());
        },
        SCHEDULES,
    );
}

#[test]
fn a_close_ends_every_call() {
    shuttle::check_random(
        || {
            let (line, peer) = open(1000, 8);
            let receiver = line.clone();
            let receiving = thread::spawn(move || {
                assert!(matches!(receive(&receiver), Err(Error::Closed(_))));
            });
            let waiter = line.clone();
            let waiting = thread::spawn(move || {
                assert!(waiter.await_closed(Deadline::NEVER).unwrap());
            });
            let answering = thread::spawn(move || {
                assert_eq!(peer.take_frame().0, 0x88);
                peer.send(b"\x88\x02\x03\xe8");
                peer.end();
            });
            line.close(close()).unwrap();
            receiving.join().unwrap();
            waiting.join().unwrap();
            answering.join().unwrap();
        },
        SCHEDULES,
    );
}

#[test]
fn two_ends_that_send_before_they_receive_do_not_block_each_other() {
    shuttle::check_random(
        || {
            let (line, peer) = open(8, 8);
            let other = line.clone();
            let receiving = thread::spawn(move || {
                for n in 0..3 {
                    assert_eq!(receive(&other).unwrap(), [n]);
                }
            });
            let playing = thread::spawn(move || {
                // The peer reads only once all it has sent was read.
                for n in 0..3 {
                    peer.send(&[0x82, 1, n]);
                }
                peer.0.until(|state| state.incoming.is_empty().then_some(()));
                assert_eq!(peer.take_frame(), (0x82, vec![7; 20]));
            });
            let sent = line.send(Turn::Message, Part::Whole, (&[7; 20]).into(), Deadline::NEVER);
            sent.unwrap();
            receiving.join().unwrap();
            playing.join().unwrap();
        },
        SCHEDULES,
    );
}

#[test]
fn no_control_frame_is_left_behind_by_two_senders() {
    shuttle::check_random(
        || {
            let (line, peer) = open(1000, 8);
            let threads: Vec<_> = (0..2_u8)
                .map(|n| {
                    let line = line.clone();
                    thread::spawn(move || {
                        let payload = [n];
                        let never = Deadline::NEVER;
                        line.send(Turn::Message, Part::Whole, (&payload).into(), never).unwrap();
                        line.send_pong(&payload).unwrap();
                    })
                })
                .collect();
            line.send_pong(&[2]).unwrap();
            let mut seen: Vec<_> = (0..5).map(|_| peer.take_frame()).collect();
            seen.sort();
            let pongs = (0..3).map(|n| (0x8a, vec![n]));
            assert_eq!(seen, (0..2).map(|n| (0x82, vec![n])).chain(pongs).collect::<Vec<_>>());
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        },
        SCHEDULES,
    );
}

#[test]
fn a_second_sender_gets_its_turn_after_a_fragmented_message() {
    shuttle::check_random(
        || {
            let (line, peer) = open(1000, 8);
            let other = line.clone();
            let send = |line: &Line, turn, part, byte: u8| {
                line.send(turn, part, (&[byte]).into(), Deadline::NEVER).unwrap();
            };
            let thread = thread::spawn(move || send(&other, Turn::Message, Part::Whole, 9));
            send(&line, Turn::Message, Part::Fragment, 1);
            send(&line, Turn::Continuation, Part::Last, 2);
            thread.join().unwrap();
            let seen: Vec<_> = (0..3).map(|_| peer.take_frame()).collect();
            let (first, second, whole) = ((0x02, vec![1]), (0x80, vec![2]), (0x82, vec![9]));
            assert!(
                seen == [first.clone(), second.clone(), whole.clone()]
                    || seen == [whole, first, second]
            );
        },
        SCHEDULES,
    );
}

#[test]
fn the_receiving_flag_and_the_read_lock_are_free_in_the_end() {
    shuttle::check_random(
        || {
            let (line, peer) = open(1000, 1);
            let driver = drive(&line);
            peer.send(b"\x82\x01a\x82\x01b");
            let other = line.clone();
            let waiting = thread::spawn(move || other.await_closed(Deadline::NEVER).unwrap());
            let ending = thread::spawn(move || {
                peer.0.until(|state| state.incoming.is_empty().then_some(()));
                peer.end();
            });
            assert_eq!(receive(&line).unwrap(), b"a");
            assert_eq!(receive(&line).unwrap(), b"b");
            assert!(matches!(receive(&line), Err(Error::Closed(_))));
            assert!(waiting.join().unwrap());
            ending.join().unwrap();
            driver.join().unwrap();
            assert!(!line.receiving.load(Ordering::Relaxed));
            assert!(try_lock(&line.read).is_some());
        },
        SCHEDULES,
    );
}

#[test]
fn no_record_of_a_journal_is_left_behind_by_two_threads() {
    shuttle::check_random(
        || {
            let journal = Journal::new(None);
            let given = Arc::new(Mutex::new(Vec::new()));
            let give_out = |journal: &Journal, given: &Mutex<Vec<String>>| {
                let outcome = journal.give_out(|record| {
                    thread::yield_now();
                    lock(given).push(record.to_string());
                    Ok::<(), std::convert::Infallible>(())
                });
                outcome.unwrap();
            };
            let threads: Vec<_> = ["OPEN", "CLOSING"]
                .into_iter()
                .map(|state| {
                    let (journal, given) = (journal.clone(), given.clone());
                    thread::spawn(move || {
                        for _ in 0..2 {
                            journal.state(state);
                            give_out(&journal, &given);
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            let given = lock(&given);
            let of = |state: &str| given.iter().filter(|text| text.ends_with(state)).count();
            assert_eq!((of("OPEN"), of("CLOSING"), given.len()), (2, 2, 4));
        },
        SCHEDULES,
    );
}
