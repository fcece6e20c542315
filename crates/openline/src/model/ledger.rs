//! What one end sent and the other received: each message once, in order and undamaged.

use std::sync::{Mutex, MutexGuard, PoisonError};

use openline_proto::{Kind, Message};

use super::board::show;
use super::dice::Dice;
use super::scheduler;

/// The messages of one direction.
#[derive(Debug)]
pub(super) struct Ledger(Mutex<State>);

#[derive(Debug)]
struct State {
    /// What each sender sent, in its order.
    sent: Vec<Vec<Entry>>,
    /// How many of each sender's are over: received, or known not to come.
    over: Vec<usize>,
    /// Readers of fragments that left before they knew of which message.
    skips: usize,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    fate: Fate,
}

/// What the sender was told of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Underway,
    /// The call returned well, or said that the rest will go out.
    Sent,
    /// Nothing of it will come.
    TakenBack,
    /// Its end will not come.
    BrokenOff,
    /// The connection ended meanwhile.
    Unknown,
}

impl Ledger {
    pub(super) fn new(senders: usize) -> Ledger {
        let sent = (0..senders).map(|_| Vec::new()).collect();
        Ledger(Mutex::new(State { sent, over: vec![0; senders], skips: 0 }))
    }

    /// A new message to send, and its number.
    pub(super) fn write(&self, sender: usize, dice: &mut Dice, len: usize) -> (usize, Message) {
        let mut state = self.state();
        let entries = &mut state.sent[sender];
        let number = entries.len();
        let mut text = format!("{sender}.{number}.");
        while text.len() < len {
            // Letters repeat, so that compression has something to do.
            let run = 1 + dice.below(8);
            let letter = dice.pick(&['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
            text.extend(std::iter::repeat_n(letter, run.min(len - text.len())));
        }
        let message =
            if dice.one_in(2) { Message::Text(text) } else { Message::Binary(text.into_bytes()) };
        entries.push(Entry { message: message.clone(), fate: Fate::Underway });
        (number, message)
    }

    /// Notes what the sender was told.
    pub(super) fn settle(&self, sender: usize, number: usize, fate: Fate) {
        let mut state = self.state();
        let is_over = number < state.over[sender];
        show(|| format!("message {sender}.{number}: {fate:?}"));
        state.sent[sender][number].fate = fate;
        assert!(!is_over || fate != Fate::TakenBack, "{sender}.{number} came, and is taken back");
    }

    /// A whole message was received.
    pub(super) fn receive(&self, kind: Kind, bytes: &[u8]) {
        let Some((sender, number)) = name(bytes) else { panic!("received {}", shown(bytes)) };
        let mut state = self.state();
        show(|| format!("message {sender}.{number} comes"));
        state.come_to(sender, number);
        let Entry { message, fate } = &state.sent[sender][number];
        assert!(*fate != Fate::BrokenOff, "{sender}.{number} came whole, and was broken off");
        assert!(
            (message.kind(), message.as_bytes()) == (kind, bytes),
            "message {sender}.{number} came as {kind:?} of {} bytes, not {:?} of {}: {}",
            bytes.len(),
            message.kind(),
            message.as_bytes().len(),
            shown(bytes),
        );
        scheduler::note((sender << 16 | number) as u64);
    }

    /// A whole message was received into memory, and its kind was not told.
    pub(super) fn receive_bytes(&self, bytes: &[u8]) {
        let Some((sender, number)) = name(bytes) else { panic!("received {}", shown(bytes)) };
        let kind = self.state().sent[sender][number].message.kind();
        self.receive(kind, bytes);
    }

    /// The first fragments of a message were received, and perhaps its rest is not wanted.
    pub(super) fn receive_part(&self, kind: Option<Kind>, bytes: &[u8], is_skipped: bool) {
        let mut state = self.state();
        let Some((sender, number)) = name(bytes) else {
            state.skips += usize::from(is_skipped);
            return;
        };
        let message = &state.sent[sender][number].message;
        assert!(
            kind == Some(message.kind()) && message.as_bytes().starts_with(bytes),
            "message {sender}.{number} began with {}",
            shown(bytes),
        );
        if is_skipped {
            state.come_to(sender, number);
        }
    }

    /// Whether all is received that was sent.
    pub(super) fn is_even(&self) -> bool {
        self.state().missing().is_empty()
    }

    /// Everything that was sent must have been received.
    pub(super) fn check_even(&self) {
        let missing = self.state().missing();
        assert!(missing.is_empty(), "sent and never received: {missing:?}");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Message `number` of a sender comes: those before it must have come or been taken back.
    fn come_to(&mut self, sender: usize, number: usize) {
        let expected = self.over[sender];
        assert!(number >= expected, "message {sender}.{number} came again, or too late");
        for entry in &self.sent[sender][expected..number] {
            if !matches!(entry.fate, Fate::TakenBack | Fate::BrokenOff) {
                assert!(self.skips > 0, "message {sender}.{number} came, one before it did not");
                self.skips -= 1;
            }
        }
        let fate = self.sent[sender][number].fate;
        assert!(fate != Fate::TakenBack, "message {sender}.{number} came, which was taken back");
        self.over[sender] = number + 1;
    }

    /// Messages that were sent and have not come, but for those that may have been skipped.
    fn missing(&self) -> Vec<(usize, usize)> {
        let mut missing = Vec::new();
        for (sender, entries) in self.sent.iter().enumerate() {
            let waiting = entries.iter().enumerate().skip(self.over[sender]);
            let sent = waiting.filter(|(_, entry)| entry.fate == Fate::Sent);
            missing.extend(sent.map(|(number, _)| (sender, number)));
        }
        missing.drain(..self.skips.min(missing.len()));
        missing
    }
}

/// The sender and the number of a message, which stand at its beginning.
fn name(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut parts = bytes.split(|byte| *byte == b'.');
    let (sender, number) = (parts.next()?, parts.next()?);
    parts.next()?;
    let number_of = |digits| std::str::from_utf8(digits).ok()?.parse().ok();
    Some((number_of(sender)?, number_of(number)?))
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned()
}
