//! What goes to standard error: failures, and with `-v` what happens on the line.

use std::convert::Infallible;
use std::fmt::Display;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use openline::{Connection, Journal, Record};

use crate::failure::{Failure, Outcome};
use crate::interactive;

/// A line with the command's name before it. Whether anybody reads it is not our business.
pub(crate) fn say(text: impl Display) {
    tell_coloured("", format!("openline: {text}"));
}

/// A line of its own.
pub(crate) fn tell(text: impl Display) {
    tell_coloured("", text.to_string());
}

/// If somebody types at the terminal that it goes to, it goes above that.
fn tell_coloured(colour: &str, text: String) {
    if let Err(text) = interactive::tell(colour, text) {
        let reset = if colour.is_empty() { "" } else { RESET };
        let _ = writeln!(anstream::stderr(), "{colour}{text}{reset}");
    }
}

/// Has the pauses between attempts to reconnect told, which the crate logs.
pub(crate) fn tell_pauses() {
    struct Pauses;

    impl log::Log for Pauses {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.level() <= log::Level::Info && metadata.target().starts_with("openline")
        }

        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                say(record.args());
            }
        }

        fn flush(&self) {}
    }

    if log::set_logger(&Pauses).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
}

/// What `-v` shows: the handshakes and how connections end; with `-vv` also each frame.
#[derive(Clone, Debug)]
pub(crate) struct Verbose {
    journal: Option<Journal>,
    has_frames: bool,
    /// Who shows records lets others wait: the last one must not leave before all of them are out.
    turn: Arc<Mutex<()>>,
}

impl Verbose {
    pub(crate) fn new(level: u8) -> Verbose {
        let journal = (level > 0).then(|| Journal::new(None));
        Verbose { journal, has_frames: level > 1, turn: Arc::default() }
    }

    /// For the client, if anything is to be shown.
    pub(crate) fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Shows what happened since the last time.
    pub(crate) fn show(&self) {
        let Some(journal) = &self.journal else { return };
        let show = |record: &Record| {
            if self.has_frames || !is_frame(record) {
                tell_coloured(colour(record), record.to_string());
            }
            Ok::<(), Infallible>(())
        };
        let _turn = self.turn.lock().unwrap_or_else(|error| error.into_inner());
        match journal.give_out(show) {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }

    /// Shows also what happens while nobody calls: pings.
    pub(crate) fn show_now_and_then(&self) -> Outcome<()> {
        if self.has_frames {
            let verbose = self.clone();
            let show = move || {
                loop {
                    thread::sleep(SHOWN_EVERY);
                    verbose.show();
                }
            };
            let spawned = thread::Builder::new().name("verbose".to_owned()).spawn(show);
            spawned.map_err(Failure::system("start a thread"))?;
        }
        Ok(())
    }

    /// Shows what a connection goes over, and what it took to open it.
    pub(crate) fn opened(&self, connection: &Connection) {
        self.show();
        if self.journal.is_none() {
            return;
        }
        let (local, remote) = (connection.local_address(), connection.remote_address());
        tell(format_args!("* {local} to {remote}"));
        if let Some(tls) = connection.transport().and_then(|transport| transport.tls()) {
            let version = tls.version.map(|version| format!("{version:?}")).unwrap_or_default();
            let suite = tls.cipher_suite.map(|suite| format!("{suite:?}")).unwrap_or_default();
            tell(format_args!("* {version}, {suite}, with {}", tls.server_name));
        }
        tell(format_args!("* opened in {}", took(connection)));
    }
}

/// What it took to open a connection: `1.2 ms (tcp 0.1, http 1.1)`.
pub(crate) fn took(connection: &Connection) -> String {
    let timings = connection.timings();
    let steps = [
        ("dns", timings.dns),
        ("tcp", timings.tcp),
        ("proxy", timings.proxy),
        ("tls", timings.tls),
        ("http", timings.http),
    ];
    let steps = || steps.iter().filter_map(|(name, time)| time.map(|time| (name, time)));
    let total: f64 = steps().map(|(_, time)| 1e3 * time.as_secs_f64()).sum();
    let parts: Vec<String> =
        steps().map(|(name, time)| format!("{name} {:.1}", 1e3 * time.as_secs_f64())).collect();
    format!("{total:.1} ms ({})", parts.join(", "))
}

/// Whether a record is about one frame, or a ping that keeps the line alive.
fn is_frame(record: &Record) -> bool {
    let template = record.template();
    matches!(template, "> %s" | "< %s") || template.starts_with('%')
}

/// One colour for each way. `anstream` takes it out where it does not belong: in files, with `NO_COLOR`.
fn colour(record: &Record) -> &'static str {
    match record.template().as_bytes().first() {
        Some(b'>') => "\x1b[36m",
        Some(b'<') => "\x1b[32m",
        Some(b'!') => "\x1b[31m",
        _ => "\x1b[2m",
    }
}

const RESET: &str = "\x1b[0m";

/// Much less than what a journal holds comes in that time while nobody calls.
const SHOWN_EVERY: Duration = Duration::from_millis(50);
