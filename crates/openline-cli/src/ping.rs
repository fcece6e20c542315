//! `openline ping`: round trips, as ping(8) measures them.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use openline::{CloseFrame, Connection, Deadline, Error};

use crate::args::PingArgs;
use crate::failure::{Failure, Outcome};
use crate::line::{Ending, Line};
use crate::output::print;
use crate::round_trips::RoundTrips;
use crate::target::Target;
use crate::{interrupt, talk};

pub(crate) fn run(args: &PingArgs) -> Outcome<()> {
    let target = Target::new(&args.target)?;
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
    receive(&connection, &line)?;

    let uri = &args.target.uri;
    let (address, took) = (connection.remote_address(), talk::took(&connection));
    let started = Instant::now();
    let mut round_trips = RoundTrips::default();
    let outcome = print(&[format!("PING {uri} ({address}), opened in {took}\n").as_bytes()])
        .and_then(|()| ping(args, &connection, &line, &mut round_trips));
    if let Err(ending) = outcome {
        line.end(ending);
    }
    let elapsed = started.elapsed();
    line.end(Ending::Met);
    // Not interruptible; it ends with the time for closing.
    let _ = connection.wait_closed(Deadline::NEVER);
    target.verbose.show();

    let ending = line.take_ending();
    if let Some(Ending::BrokenPipe) = ending {
        return Ok(());
    }
    let statistics = round_trips.statistics(elapsed);
    if let Err(ending) = print(&[format!("\n--- {uri} ---\n{statistics}").as_bytes()]) {
        return ending.into_outcome();
    }
    match ending {
        Some(Ending::Failed(failure)) => Err(failure),
        _ if round_trips.has_answers() => Ok(()),
        _ => Err(Failure::Unmet("no ping was answered".to_owned())),
    }
}

/// Takes what the server has to say, so that its pongs are not stuck behind it.
fn receive(connection: &Connection, line: &Arc<Line>) -> Outcome<()> {
    let (connection, line) = (connection.clone(), line.clone());
    let receive = move || {
        loop {
            if let Err(error) = connection.recv() {
                return line.end(Ending::Failed(error.into()));
            }
        }
    };
    let spawned = thread::Builder::new().name("receiver".to_owned()).spawn(receive);
    spawned.map_err(Failure::system("start a thread"))?;
    Ok(())
}

fn ping(
    args: &PingArgs,
    connection: &Connection,
    line: &Line,
    round_trips: &mut RoundTrips,
) -> Result<(), Ending> {
    for number in 1..=args.count.unwrap_or(u64::MAX) {
        let started = Instant::now();
        let report = match connection.ping(None, args.wait) {
            Ok(time) => {
                round_trips.answered(time);
                format!("pong {number}: {:.3} ms\n", 1e3 * time.as_secs_f64())
            }
            Err(Error::Timeout { .. }) => {
                round_trips.missed();
                format!("pong {number}: none within {} s\n", args.wait.as_secs_f64())
            }
            // This ping does not count: after Ctrl-C the connection is closed.
            Err(error) => return Err(Ending::Failed(error.into())),
        };
        if !args.quiet {
            print(&[report.as_bytes()])?;
        }
        if Some(number) != args.count {
            line.pause(args.interval.saturating_sub(started.elapsed()));
        }
        if line.is_ending() {
            break;
        }
    }
    Ok(())
}
