//! `openline connect` for somebody at a terminal: a line to type in, and above it what comes.
//!
//! - [`console`]: who writes to the terminal, and when. [`terminal`]: what is asked of the system.
//! - [`keys`], [`editor`], [`drawing`]: from bytes to keys, to a line, to what is drawn. None of them does I/O.
//! - [`view`]: what a message looks like. [`json`], [`width`]: parts of that.
//! - [`commands`]: lines that begin with `/`.
//!
//! The editor is our own since the libraries there are do not fit: `rustyline` cannot tell whether a text has been shown
//! above the line, and nothing ends its call when the connection closes; `reedline` brings `mio`, and is wrong about
//! where the line is after a message that takes several rows.

mod commands;
mod console;
mod drawing;
mod editor;
mod json;
mod keys;
mod terminal;
mod view;
mod width;

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use openline::{Closed, Connection, Error, Kind, Message, Outgoing};

use crate::args::ConnectArgs;
use crate::failure::{Failure, Outcome};
use crate::line::{Ending, Line};
use crate::output;
use commands::Command;
use console::Console;
pub(crate) use console::block_resize;
pub(crate) use terminal::restore;
use view::View;
use width::{Lines, harmless};

/// Whether somebody is at a terminal, and asked for nothing that is meant for scripts.
pub(crate) fn is_wanted(args: &ConnectArgs) -> bool {
    let is_scripted = args.no_input
        || args.one
        || args.expect.is_some()
        || args.linger.is_some()
        || args.json
        || args.binary
        || args.base64;
    let is_able = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    !is_scripted && is_able && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Shows a line of standard error, if that goes to the terminal that is ours; otherwise gives it back, made harmless
/// if it goes to another.
pub(crate) fn tell(colour: &str, text: String) -> Result<(), String> {
    if !io::stderr().is_terminal() {
        return Err(text);
    }
    let text = harmless(&text, Lines::Escape);
    let Some(desk) = DESK.get() else { return Err(text) };
    let has_colour = desk.is_coloured && !colour.is_empty();
    let shown = if has_colour { format!("{colour}{text}\x1b[0m") } else { text.clone() };
    desk.console.print_soon(shown).map_err(|_| text)
}

/// The terminal while it is ours.
#[derive(Debug)]
pub(crate) struct Interactive {
    desk: Arc<Desk>,
    editor: Option<JoinHandle<()>>,
}

/// What the threads share.
#[derive(Debug)]
struct Desk {
    console: Arc<Console>,
    view: View,
    line: Arc<Line>,
    is_coloured: bool,
}

impl Interactive {
    /// When there is the first connection.
    pub(crate) fn start(line: &Arc<Line>) -> Outcome<Interactive> {
        let choice = anstream::AutoStream::choice(&io::stdout());
        let is_coloured = choice != anstream::ColorChoice::Never;
        let (sender, lines) = channel();
        let (console, editor) = Console::start(line.clone(), sender, is_coloured)?;
        let view = View::new(is_coloured);
        let desk = Arc::new(Desk { console, view, line: line.clone(), is_coloured });
        // There is one in a process.
        DESK.get_or_init(|| desk.clone());
        let served = desk.clone();
        let spawned = thread::Builder::new().name("input".to_owned());
        let spawned = spawned.spawn(move || served.serve(&lines));
        let interactive = Interactive { desk, editor: Some(editor) };
        spawned.map_err(Failure::system("start a thread"))?;
        Ok(interactive)
    }

    pub(crate) fn opened(
        &self,
        connection: &Connection,
        uri: &str,
        is_first: bool,
    ) -> Result<(), Ending> {
        let subprotocol = connection.subprotocol();
        let subprotocol =
            subprotocol.map(|name| format!(", subprotocol {name}")).unwrap_or_default();
        let text = if is_first {
            format!("connected to {uri}{subprotocol}; /help lists commands, Ctrl-D closes")
        } else {
            format!("connected again{subprotocol}")
        };
        self.desk.show(self.desk.view.note(&text))
    }

    pub(crate) fn received(&self, message: &Message) -> Result<(), Ending> {
        self.desk.show(self.desk.view.message(message))
    }

    pub(crate) fn closed(&self, closed: &Closed) -> Result<(), Ending> {
        self.desk.show(self.desk.view.closed(closed))
    }
}

impl Drop for Interactive {
    /// Gives the terminal back, once everything has been shown.
    fn drop(&mut self) {
        self.desk.console.finish();
        if let Some(editor) = self.editor.take() {
            // Had it panicked, that was told, and the terminal was given back.
            let _ = editor.join();
        }
    }
}

impl Desk {
    /// Does what is typed, line after line, and closes at the end.
    fn serve(self: &Arc<Desk>, lines: &Receiver<String>) {
        for line in lines {
            let outcome = match Command::parse(&line) {
                Ok(command) => self.execute(command),
                Err(text) => self.show(self.view.note(&text)),
            };
            if let Err(ending) = outcome {
                return self.line.end(ending);
            }
        }
        self.line.end(Ending::InputOver);
    }

    fn execute(self: &Arc<Desk>, command: Command) -> Result<(), Ending> {
        match command {
            Command::All(number) => match self.view.whole(number) {
                Ok(text) => self.show(text),
                Err(text) => self.show(self.view.note(&text)),
            },
            Command::Binary(bytes) => self.send(Kind::Binary, &bytes),
            Command::Close(None) => Err(Ending::InputOver),
            Command::Close(Some(close)) => Err(Ending::Asked(close)),
            Command::File(path) => match std::fs::read(&path) {
                Ok(bytes) => {
                    self.send(Kind::Binary, &bytes)?;
                    self.show(self.view.note(&format!("sent {path}, {} bytes", bytes.len())))
                }
                Err(error) => self.show(self.view.note(&format!("cannot read {path}: {error}"))),
            },
            Command::Help => self.show(self.view.paragraph(&commands::help())),
            Command::Ping => self.ping(),
            Command::Text(text) => self.send(Kind::Text, text.as_bytes()),
            Command::Times(yes) => {
                self.view.show_times(yes);
                Ok(())
            }
        }
    }

    /// If it returns without having sent, it ends.
    fn send(&self, kind: Kind, payload: &[u8]) -> Result<(), Ending> {
        self.line.send(Outgoing::new(kind, payload));
        Ok(())
    }

    /// Others may be sent, and lines typed, before it is answered.
    fn ping(self: &Arc<Desk>) -> Result<(), Ending> {
        let Some(connection) = self.line.connection() else {
            return self.show(self.view.note("no ping: there is no connection"));
        };
        let desk = self.clone();
        let ping = move || {
            let text = match connection.ping(None, PING_TIMEOUT) {
                Ok(time) => format!("pong: {:.3} ms", 1e3 * time.as_secs_f64()),
                Err(Error::Timeout { .. }) => {
                    format!("no pong within {} s", PING_TIMEOUT.as_secs())
                }
                Err(error) => format!("no pong: {error}"),
            };
            if let Err(ending) = desk.show(desk.view.note(&text)) {
                desk.line.end(ending);
            }
        };
        let spawned = thread::Builder::new().name("ping".to_owned()).spawn(ping);
        spawned.map_err(|error| Ending::Failed(Failure::system("start a thread")(error)))?;
        Ok(())
    }

    fn show(&self, text: String) -> Result<(), Ending> {
        match self.console.print(text) {
            Ok(()) => Ok(()),
            Err(text) => output::print(&[text.as_bytes(), b"\n"]),
        }
    }
}

/// For what goes to standard error from anywhere.
static DESK: OnceLock<Arc<Desk>> = OnceLock::new();

/// How long a ping of somebody who looks at it may take.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
