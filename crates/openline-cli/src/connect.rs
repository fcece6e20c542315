//! `openline connect`: lines in, messages out.
//!
//! This thread receives; another reads the input, and another waits for Ctrl-C. They meet in [`Line`].

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use openline::{CloseFrame, Closed, Connection, Deadline, Error, Kind, Message, Waiting};
use regex::bytes::Regex;

use crate::args::ConnectArgs;
use crate::failure::{Failure, Outcome};
use crate::figures::Figures;
use crate::input::{Input, Linger};
use crate::interactive::{self, Interactive};
use crate::interrupt;
use crate::line::{Ending, Line};
use crate::output::{self, Output};
use crate::talk::{self, Verbose};
use crate::target::Target;

pub(crate) fn run(args: &ConnectArgs) -> Outcome<()> {
    let close = CloseFrame::new(args.close_code.unwrap_or(1000), args.close_reason.as_str());
    let close = close.map_err(Error::Protocol)?;
    let mut target = Target::new(&args.target)?;
    if let Some(timeout) = args.timeout {
        target = target.open_within(timeout.min(args.target.open_timeout));
    }
    let is_interactive = interactive::is_wanted(args);
    if is_interactive {
        interactive::block_resize()?;
    }
    let line = Arc::new(Line::new(close));
    let interrupted = line.clone();
    interrupt::on_signal(move |signal| interrupted.end(Ending::Interrupted(signal)))?;
    if args.reconnect {
        talk::tell_pauses();
    }
    let awaited = Awaited::new(args);
    let mut session = Session {
        line: line.clone(),
        output: output(args),
        interactive: None,
        verbose: target.verbose.clone(),
        deadline: Deadline::from(args.timeout),
        awaited: awaited.clone(),
        figures: Figures::new(),
    };
    if !args.no_input && !is_interactive {
        let (input, output) = (input(args), session.output);
        let linger = match (awaited, args.linger) {
            (Awaited::Nothing, linger) => Linger::For(linger.unwrap_or_default()),
            (_, Some(time)) => Linger::For(time),
            (_, None) => Linger::Forever,
        };
        // It is left behind if the server closes first: nothing ends a read from a terminal.
        thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || input.send_all(&line, output, linger))
            .map_err(Failure::system("start a thread"))?;
    }
    session.verbose.show_now_and_then()?;
    let outcome = session.run(args, &target, is_interactive);
    // The terminal is what it was, before anything else is said.
    session.interactive = None;
    session.verbose.show();
    if let Some(format) = &args.write_out {
        output::print_text(&format.fill(&session.figures))?;
    }
    outcome
}

fn input(args: &ConnectArgs) -> Input {
    match args {
        ConnectArgs { base64: true, .. } => Input::Base64,
        ConnectArgs { binary: true, .. } => Input::Bytes,
        _ => Input::Lines,
    }
}

fn output(args: &ConnectArgs) -> Output {
    match args {
        ConnectArgs { json: true, .. } => Output::Json,
        ConnectArgs { base64: true, .. } => Output::Base64,
        ConnectArgs { binary: true, .. } => Output::Bytes,
        _ => Output::Lines,
    }
}

/// What has to come.
#[derive(Clone, Debug)]
enum Awaited {
    Any,
    Match(Regex),
    Nothing,
}

impl Awaited {
    fn new(args: &ConnectArgs) -> Awaited {
        match &args.expect {
            Some(pattern) => Awaited::Match(pattern.clone()),
            None if args.one => Awaited::Any,
            None => Awaited::Nothing,
        }
    }

    fn is_met_by(&self, message: &Message) -> bool {
        match self {
            Awaited::Any => true,
            Awaited::Match(pattern) => pattern.is_match(message.as_bytes()),
            Awaited::Nothing => false,
        }
    }

    /// The outcome if it has not come until something else happened.
    fn missed(&self, when: &str) -> Outcome<()> {
        match self {
            Awaited::Any => Err(Failure::Unmet(format!("no message came {when}"))),
            Awaited::Match(pattern) => {
                Err(Failure::Unmet(format!("no message that matches {pattern} came {when}")))
            }
            Awaited::Nothing => Ok(()),
        }
    }
}

struct Session {
    line: Arc<Line>,
    output: Output,
    /// Once there is a connection, if somebody is to use it at a terminal.
    interactive: Option<Interactive>,
    verbose: Verbose,
    deadline: Deadline,
    awaited: Awaited,
    figures: Figures,
}

impl Session {
    /// One connection after the other.
    fn run(&mut self, args: &ConnectArgs, target: &Target, is_interactive: bool) -> Outcome<()> {
        let (line, deadline) = (self.line.clone(), self.deadline);
        let mut connections =
            target.connections().give_up_when(move || line.is_ending() || deadline.has_passed());
        if !args.reconnect {
            connections = connections.retry_if(|_| false);
        }
        for connection in connections {
            let connection = match connection {
                Ok(connection) => connection,
                Err(error) => return self.not_opened(error),
            };
            let is_first = self.interactive.is_none();
            if is_interactive && is_first {
                self.interactive = Some(Interactive::start(&self.line)?);
            }
            let Some(closed) = self.serve(args, &connection, is_first) else { break };
            if !args.reconnect || self.line.is_ending() {
                return self.ended(closed);
            }
            talk::say(format_args!("connection lost, reconnecting: {}: {closed}", closed.cause()));
            self.line.lost();
            // Not in a hurry, should the server close each connection at once.
            self.line.pause(SHORTEST.saturating_sub(closed.report().lifetime));
        }
        Ok(())
    }

    /// Uses a connection until it has ended.
    fn serve(
        &mut self,
        args: &ConnectArgs,
        connection: &Connection,
        is_first: bool,
    ) -> Option<Closed> {
        self.verbose.opened(connection);
        if let Some(interactive) = &self.interactive
            && let Err(ending) = interactive.opened(connection, &args.target.uri, is_first)
        {
            self.line.end(ending);
        }
        self.figures.opened(connection);
        self.line.opened(connection);
        for text in &args.preamble {
            // If it has closed meanwhile: the next call tells why.
            if let Err(ending) = self.output.sent(Kind::Text, text.as_bytes()) {
                self.line.end(ending);
            } else if let Err(error) = connection.send(text)
                && !matches!(error, Error::Closed(_))
            {
                self.line.end(Ending::Failed(error.into()));
            }
        }
        self.line.ready();
        self.receive(connection);
        let closed = connection.how_closed()?;
        self.figures.closed(&closed);
        let shown = match &self.interactive {
            Some(interactive) => interactive.closed(&closed),
            None => self.output.closed(&closed),
        };
        if let Err(ending) = shown {
            self.line.end(ending);
        }
        Some(closed)
    }

    fn receive(&self, connection: &Connection) {
        let mut deadline = self.deadline;
        while !self.line.is_deaf() {
            let received = connection.recv_timeout(deadline);
            self.verbose.show();
            match received {
                Ok(message) => {
                    let shown = match &self.interactive {
                        Some(interactive) => interactive.received(&message),
                        None => self.output.received(&message),
                    };
                    if let Err(ending) = shown {
                        self.line.end(ending);
                    } else if self.awaited.is_met_by(&message) {
                        self.line.end(Ending::Met);
                    }
                }
                Err(Error::Closed(_)) => return,
                Err(Error::Timeout { .. }) => {
                    self.line.end(Ending::TimedOut);
                    // If it was closing already, that takes the time it takes.
                    deadline = Deadline::NEVER;
                }
                Err(error) => self.line.end(Ending::Failed(error.into())),
            }
        }
        // Not interruptible; it ends with the time for closing.
        let _ = connection.wait_closed(Deadline::NEVER);
    }

    /// The outcome once a connection has ended for good.
    fn ended(&self, closed: Closed) -> Outcome<()> {
        match self.line.take_ending() {
            None | Some(Ending::InputOver) if !closed.is_ok() => Err(Error::Closed(closed).into()),
            // The peer may not have taken it.
            Some(Ending::Asked(_)) if closed.received_first().is_none() => {
                Err(Error::Closed(closed).into())
            }
            None => self.awaited.missed("before the server closed"),
            Some(ending) => self.outcome(ending),
        }
    }

    /// The outcome when no connection could be made, or none again.
    fn not_opened(&mut self, error: Error) -> Outcome<()> {
        self.figures.failed(&error);
        match (self.line.take_ending(), error) {
            (Some(ending), _) => self.outcome(ending),
            (None, Error::Interrupted { .. }) if self.figures.has_opened() => {
                self.outcome(Ending::TimedOut)
            }
            (None, Error::Interrupted { committed }) => {
                Err(Error::Timeout { during: Waiting::Connect, committed }.into())
            }
            (None, error) => Err(error.into()),
        }
    }

    fn outcome(&self, ending: Ending) -> Outcome<()> {
        match ending {
            Ending::InputOver => self.awaited.missed("before the end"),
            Ending::TimedOut => self.awaited.missed("in time"),
            ending => ending.into_outcome(),
        }
    }
}

/// How long a connection lasts at least, with the pause behind it, before the next one is made.
const SHORTEST: Duration = Duration::from_secs(1);
