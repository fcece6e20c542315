//! The client's side of a session, to a server whose answers are compared with the recorded ones.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use openline::{CloseFrame, Connection, Deadline, Error, Message};

use super::{Pace, difference, excerpt};
use crate::args::ReplayArgs;
use crate::failure::{Failure, Outcome};
use crate::interrupt;
use crate::line::{Ending, Line};
use crate::output::{print, print_text};
use crate::session::{Session, Side};
use crate::target::Target;

pub(super) fn run(args: &ReplayArgs, session: &Session, pace: Pace) -> Outcome<()> {
    let mut target = Target::new(&args.target)?;
    if let Some(name) = &session.subprotocol
        && args.target.subprotocol.is_empty()
    {
        target = target.with(|client| client.subprotocols([name]));
    }
    let line = Arc::new(Line::new(CloseFrame::new(1000, "").map_err(Error::Protocol)?));
    let interrupted = line.clone();
    interrupt::on_signal(move |signal| interrupted.end(Ending::Interrupted(signal)))?;
    target.verbose.show_now_and_then()?;
    let connection = match target.connect(&line) {
        Ok(connection) => connection,
        Err(error) => return line.take_ending().map_or(Err(error.into()), Ending::into_outcome),
    };
    target.verbose.opened(&connection);
    line.opened(&connection);

    let answers = Answers::new(session, &line);
    let player = Player {
        args,
        session,
        pace,
        connection: &connection,
        answers: &answers,
        started: Instant::now(),
    };
    let outcome = thread::scope(|scope| {
        scope.spawn(|| answers.receive(&connection));
        let outcome = player.play();
        if outcome.is_err() {
            connection.abort(); // nobody else ends it
        }
        // Not interruptible; it ends with the time for closing.
        let _ = connection.wait_closed(Deadline::NEVER);
        outcome
    });
    target.verbose.show();
    if let Some(ending) = line.take_ending() {
        return ending.into_outcome();
    }
    let sent = outcome?;
    player.compare_end();
    answers.tell_missing();
    if let Some(ending) = line.take_ending() {
        return ending.into_outcome();
    }
    let (received, differences) = answers.count();
    print_text(&format!("{sent} sent, {received} answers, {differences} different\n"))?;
    match differences {
        0 => Ok(()),
        1 => Err(Failure::Unmet("1 difference from the recording".to_owned())),
        _ => Err(Failure::Unmet(format!("{differences} differences from the recording"))),
    }
}

struct Player<'a> {
    args: &'a ReplayArgs,
    session: &'a Session,
    pace: Pace,
    connection: &'a Connection,
    answers: &'a Answers<'a>,
    started: Instant,
}

impl Player<'_> {
    /// Sends the client's messages, and closes if the client did. How many were sent.
    fn play(&self) -> openline::Result<usize> {
        let mut sent = 0;
        let mut answers_before = 0;
        let mut last_answer = self.started;
        let mut is_in_order = true;
        for recorded in &self.session.messages {
            let due = self.started + self.pace.of(recorded.at);
            if recorded.from == Side::Server {
                answers_before += 1;
                last_answer = due;
                continue;
            }
            if self.pace.has_pauses() {
                // A pause, unless it ends.
                self.connection.wait_closed(Deadline::from(due))?;
            } else if is_in_order {
                // What the client had heard when it sent this. If that does not come, it is not waited for again.
                let late = Deadline::from(self.args.wait);
                is_in_order = self.answers.wait_for(answers_before, late);
            }
            match self.connection.send(&recorded.message) {
                Ok(()) => sent += 1,
                // How it has ended is compared.
                Err(Error::Closed(_)) => return Ok(sent),
                Err(error) => return Err(error),
            }
        }
        let late = Deadline::from(last_answer.max(Instant::now()) + self.args.wait);
        self.answers.wait_for(answers_before, late);
        self.close(late)?;
        Ok(sent)
    }

    fn close(&self, late: Deadline) -> openline::Result<()> {
        if let Some(end) = &self.session.end {
            let is_ours = end.first != Some(Side::Server);
            let due = Deadline::from(self.started + self.pace.of(end.at));
            // Of messages that come before, none may be too many.
            self.connection.wait_closed(if is_ours { due } else { late })?;
        }
        let (code, reason) = match self.session.close_by(Side::Client) {
            Some(close) if CloseFrame::new(close.code().into(), "").is_ok() => {
                (close.code().into(), close.reason())
            }
            _ => (1000, ""),
        };
        self.connection.start_close(code, reason)
    }

    /// Whether it ended as it had.
    fn compare_end(&self) {
        let (Some(closed), Some(end)) = (self.connection.how_closed(), &self.session.end) else {
            return;
        };
        let by_server = closed.received_first() == Some(true);
        let recorded = self.session.close_by(Side::Server);
        let text = match (closed.received(), recorded) {
            (Some(got), Some(recorded)) if by_server && got == recorded => return,
            (Some(got), Some(recorded)) if by_server => format!("{got}, recorded: {recorded}"),
            (_, Some(recorded)) => format!("not by the server, recorded: {recorded} by the server"),
            (Some(got), None) if by_server => {
                format!("{got} by the server, recorded: not by the server")
            }
            (None, None) if end.server.is_some() => {
                format!("{}, recorded: a Close frame", closed.cause())
            }
            _ => return,
        };
        self.answers.differs(&format!("close: {text}"));
    }
}

/// What comes, and what had come.
struct Answers<'a> {
    expected: Vec<&'a Message>,
    line: &'a Line,
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    received: usize,
    differences: usize,
    /// Nothing comes any more.
    is_over: bool,
}

impl<'a> Answers<'a> {
    fn new(session: &'a Session, line: &'a Line) -> Answers<'a> {
        let expected = session.messages_from(Side::Server).collect();
        Answers { expected, line, progress: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes and compares them until the connection ends.
    fn receive(&self, connection: &Connection) {
        // Whatever ends it, the one who sends finds out himself.
        while let Ok(message) = connection.recv() {
            let number = self.lock().received;
            match self.expected.get(number) {
                Some(recorded) => {
                    if let Some(text) = difference(&message, recorded) {
                        self.differs(&format!("answer {}: {text}", number + 1));
                    }
                }
                None => {
                    let text = excerpt(&message);
                    self.differs(&format!("answer {}: {text}, recorded: none", number + 1));
                }
            }
            self.lock().received += 1;
            self.changed.notify_all();
        }
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Waits until so many have come. Whether they have.
    fn wait_for(&self, count: usize, deadline: Deadline) -> bool {
        let mut progress = self.lock();
        while progress.received < count && !progress.is_over && !deadline.has_passed() {
            let time = deadline.remaining().unwrap_or(FOR_EVER);
            let waited = self.changed.wait_timeout(progress, time);
            progress = waited.unwrap_or_else(|error| error.into_inner()).0;
        }
        progress.received >= count
    }

    fn tell_missing(&self) {
        let received = self.lock().received;
        for (number, recorded) in self.expected.iter().enumerate().skip(received) {
            let text = excerpt(recorded);
            self.differs(&format!("answer {}: none, recorded: {text}", number + 1));
        }
    }

    fn differs(&self, text: &str) {
        self.lock().differences += 1;
        if let Err(ending) = print(&[text.as_bytes(), b"\n"]) {
            self.line.end(ending);
        }
    }

    /// How many came, and how many differences there are.
    fn count(&self) -> (usize, usize) {
        let progress = self.lock();
        (progress.received, progress.differences)
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(|error| error.into_inner())
    }
}

/// Until somebody wakes it.
const FOR_EVER: std::time::Duration = std::time::Duration::from_secs(1 << 30);
