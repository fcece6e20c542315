//! `openline record`: a session in a file, by hand or, with [`relay`], between a client and a server.

mod relay;

use std::sync::Arc;
use std::thread;

use openline::{CloseFrame, Connection, Deadline, Error, Kind, Outgoing};

use crate::args::RecordArgs;
use crate::failure::{Failure, Outcome};
use crate::input::Input;
use crate::interrupt;
use crate::line::{Ending, Line};
use crate::output::Output;
use crate::session::{Recorder, Side};
use crate::talk;
use crate::target::Target;

pub(crate) fn run(args: &RecordArgs) -> Outcome<()> {
    let target = Target::new(&args.target)?;
    let line = Arc::new(Line::new(CloseFrame::new(1000, "").map_err(Error::Protocol)?));
    let interrupted = line.clone();
    interrupt::on_signal(move |signal| interrupted.end(Ending::Interrupted(signal)))?;
    let recorder = Arc::new(Recorder::create(&args.file)?);
    target.verbose.show_now_and_then()?;
    let outcome = match &args.listen {
        None => by_hand(args, &target, &line, &recorder),
        Some(address) => relay::run(args, address, &target, &line, &recorder),
    };
    target.verbose.show();
    talk::tell(format_args!("{} messages in {}", recorder.messages(), args.file.display()));
    outcome
}

/// Lines of input are what the client sends.
fn by_hand(
    args: &RecordArgs,
    target: &Target,
    line: &Arc<Line>,
    recorder: &Arc<Recorder>,
) -> Outcome<()> {
    let deadline = Deadline::from(args.timeout);
    let connection = match target.connect(line) {
        Ok(connection) => connection,
        Err(error) => return line.take_ending().map_or(Err(error.into()), Ending::into_outcome),
    };
    target.verbose.opened(&connection);
    recorder.opened(&args.target.uri, &connection)?;
    line.opened(&connection);
    for text in &args.preamble {
        recorder.message(Side::Client, Kind::Text, text.as_bytes())?;
        // If it has closed meanwhile: the next call tells why.
        let _ = connection.send(text);
    }
    line.ready();
    if !args.no_input {
        start_input(args, &connection, line, recorder)?;
    }
    receive(args, target, &connection, line, recorder, deadline);
    end(&connection, line, recorder)
}

fn start_input(
    args: &RecordArgs,
    connection: &Connection,
    line: &Arc<Line>,
    recorder: &Arc<Recorder>,
) -> Outcome<()> {
    let input = if args.base64 { Input::Base64 } else { Input::Lines };
    let linger = args.linger.unwrap_or_default();
    let (connection, line, recorder) = (connection.clone(), line.clone(), recorder.clone());
    let send = move || {
        let outcome = input.each_line(|kind, payload| {
            recorder.message(Side::Client, kind, payload).map_err(Ending::Failed)?;
            Ok(line.send(Outgoing::new(kind, payload)))
        });
        match outcome {
            Err(ending) => line.end(ending),
            Ok(()) => {
                // Not interruptible.
                let _ = connection.wait_closed(linger);
                line.end(Ending::InputOver);
            }
        }
    };
    // It is left behind if the server closes first: nothing ends a read from a terminal.
    let spawned = thread::Builder::new().name("input".to_owned()).spawn(send);
    spawned.map(drop).map_err(Failure::system("start a thread"))
}

fn receive(
    args: &RecordArgs,
    target: &Target,
    connection: &Connection,
    line: &Line,
    recorder: &Recorder,
    mut deadline: Deadline,
) {
    let output = if args.base64 { Output::Base64 } else { Output::Lines };
    while !line.is_deaf() {
        let received = connection.recv_timeout(deadline);
        target.verbose.show();
        match received {
            Ok(message) => {
                let (kind, payload) = (message.kind(), message.as_bytes());
                let recorded = recorder.message(Side::Server, kind, payload);
                let outcome = recorded.map_err(Ending::Failed);
                if let Err(ending) = outcome.and_then(|()| output.received(&message)) {
                    line.end(ending);
                }
            }
            Err(Error::Closed(_)) => return,
            Err(Error::Timeout { .. }) => {
                line.end(Ending::TimedOut);
                // If it was closing already, that takes the time it takes.
                deadline = Deadline::NEVER;
            }
            Err(error) => line.end(Ending::Failed(error.into())),
        }
    }
}

/// The end of the session, and what it means for the command.
fn end(connection: &Connection, line: &Line, recorder: &Recorder) -> Outcome<()> {
    // Not interruptible; it ends with the time for closing.
    let _ = connection.wait_closed(Deadline::NEVER);
    let Some(closed) = connection.how_closed() else { return Ok(()) };
    recorder.ended(&closed)?;
    match line.take_ending() {
        None | Some(Ending::InputOver) if !closed.is_ok() => Err(Error::Closed(closed).into()),
        None | Some(Ending::Interrupted(_)) => Ok(()),
        Some(ending) => ending.into_outcome(),
    }
}
