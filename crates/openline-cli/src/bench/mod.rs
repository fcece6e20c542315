//! `openline bench`: a load, and what it shows of a server.
//!
//! [`load`] makes it, in threads of each connection; [`report`] says what was measured, [`plot`] draws it.

mod load;
mod plot;
mod report;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use openline::{CloseFrame, Connection, Deadline, Error};

use crate::args::BenchArgs;
use crate::failure::{Failure, Outcome};
use crate::interrupt;
use crate::line::{Ending, Line};
use crate::output::print_text;
use crate::target::Target;

use load::{Load, Measured};
use plot::Plot;
use report::Report;

pub(crate) fn run(args: &BenchArgs) -> Outcome<()> {
    let target = Target::new(&args.target)?;
    let line = Arc::new(Line::new(CloseFrame::new(1000, "").map_err(Error::Protocol)?));
    let interrupted = line.clone();
    interrupt::on_signal(move |signal| interrupted.end(Ending::Interrupted(signal)))?;
    let plot = args.plot.as_deref().map(Plot::create).transpose()?;
    target.verbose.show_now_and_then()?;
    let connections = match open(args, &target, &line) {
        Ok(connections) => connections,
        Err(error) => return line.take_ending().map_or(Err(error.into()), Ending::into_outcome),
    };
    target.verbose.show();

    let load = Load::new(args);
    let started = Instant::now();
    let measured = measure(args, &load, &connections, &line, started);
    let elapsed = started.elapsed().min(args.duration);
    let code = if line.is_ending() { 1001 } else { 1000 };
    close(&connections, code);
    target.verbose.show();

    let measured = measured?;
    let report = Report::new(args, &measured, elapsed);
    print_text(&if args.json { report.json() } else { report.text() })?;
    if let Some(plot) = plot
        && !measured.latency.is_empty()
    {
        plot.write(&report.title(), &measured.latency)?;
    }
    report.outcome()
}

/// Opens the connections, many at a time.
fn open(args: &BenchArgs, target: &Target, line: &Arc<Line>) -> openline::Result<Vec<Connection>> {
    let mut connections = Vec::new();
    let wanted = args.connections as usize;
    while connections.len() < wanted {
        let at_once = OPENED_AT_ONCE.get().min(wanted - connections.len());
        let opened: Vec<_> = thread::scope(|scope| {
            let open = || target.connect(line);
            let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join()).collect()
        });
        for connection in opened {
            connections.push(connection.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
    }
    Ok(connections)
}

/// Loads all connections until the time is over, or somebody interrupts.
fn measure(
    args: &BenchArgs,
    load: &Load,
    connections: &[Connection],
    line: &Line,
    started: Instant,
) -> Outcome<Measured> {
    let progress = progress(args.duration);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, connection) in connections.iter().enumerate() {
            let work = move || load.run(connection, number, started);
            let spawned = thread::Builder::new().name("load".to_owned()).spawn_scoped(scope, work);
            match spawned {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    load.stop();
                    close(connections, 1001);
                    return Err(Failure::system("start a thread")(error));
                }
            }
        }
        let mut last = (Instant::now(), 0);
        let end = load.last_answer_by(started);
        while !threads.iter().all(|thread| thread.is_finished()) {
            line.pause(STEP.min(end.saturating_duration_since(Instant::now())));
            if line.is_ending() || Instant::now() >= end {
                load.stop();
                close(connections, if line.is_ending() { 1001 } else { 1000 });
                break;
            }
            let (now, answered) = (Instant::now(), load.answered());
            let rate = (answered - last.1) as f64 / (now - last.0).as_secs_f64();
            last = (now, answered);
            progress.set_position((now - started).as_millis().try_into().unwrap_or(u64::MAX));
            progress.set_message(format!("{rate:.0} messages/s"));
        }
        progress.finish_and_clear();
        let mut all = Measured::new();
        for thread in threads {
            all.add(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        Ok(all)
    })
}

fn close(connections: &[Connection], code: u16) {
    for connection in connections {
        // A legal code; and if the connection has ended already, that is what was wanted.
        let _ = connection.start_close(code, "");
    }
    for connection in connections {
        // Not interruptible; it ends with the time for closing.
        let _ = connection.wait_closed(Deadline::NEVER);
    }
}

/// A bar on standard error if that is a terminal; indicatif looks.
fn progress(duration: Duration) -> ProgressBar {
    let bar = ProgressBar::new(duration.as_millis().try_into().unwrap_or(u64::MAX));
    match ProgressStyle::with_template("{wide_bar} {percent:>3}% {msg:>24}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// So often the bar moves.
const STEP: Duration = Duration::from_millis(100);

/// Few enough for a server's queue of clients that have not been accepted.
const OPENED_AT_ONCE: NonZeroUsize = NonZeroUsize::new(64).unwrap();
