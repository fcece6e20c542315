//! What is shown above the line that is typed, and the thread that has the terminal.
//!
//! ```text
//!  main, pings, log ── print ──▶ ┌─────────┐          ┌────────┐ ── lines ──▶ input
//!                                │ Console │ ── wake ─▶│ editor │ ◀── keys ── terminal
//!  Line ends ───────── finish ─▶ └─────────┘          └────────┘ ── texts ─▶ terminal
//! ```
//!
//! Only the editor's thread writes, until it has given back the terminal; so nothing is drawn into something else, and
//! nothing is lost at the end.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{SigSet, Signal};

use super::drawing::Drawing;
use super::editor::{Editor, Effect};
use super::keys::{Key, Keys};
use super::terminal::{Terminal, restore};
use crate::failure::{Failure, Outcome};
use crate::line::{Ending, Line};

#[derive(Debug)]
pub(crate) struct Console {
    state: Mutex<State>,
    changed: Condvar,
    wake: UnixStream,
}

#[derive(Debug, Default)]
struct State {
    texts: VecDeque<String>,
    /// Whether the terminal shall be given back.
    is_finishing: bool,
    /// Whether it has been.
    is_over: bool,
}

impl Console {
    /// Takes the terminal, and gives each line that is typed to `lines`.
    pub(super) fn start(
        line: Arc<Line>,
        lines: Sender<String>,
        is_coloured: bool,
    ) -> Outcome<(Arc<Console>, JoinHandle<()>)> {
        let (wake, woken) =
            UnixStream::pair().map_err(Failure::system("make a pair of sockets"))?;
        // A socket full of wakes wakes, too.
        for end in [&wake, &woken] {
            end.set_nonblocking(true).map_err(Failure::system("make a pair of sockets"))?;
        }
        let console = Console { state: Mutex::default(), changed: Condvar::new(), wake };
        let console = Arc::new(console);
        let resized = console.clone();
        on_resize(move || resized.wake())?;
        let terminal = Terminal::enter().map_err(Failure::system("set up the terminal"))?;
        let mut typing = Typing {
            drawing: Drawing::new(terminal.size(), is_coloured),
            terminal,
            woken,
            console: console.clone(),
            line: line.clone(),
            lines: Some(lines),
            editor: Editor::default(),
            keys: Keys::default(),
        };
        let edit = move || {
            if let Err(error) = typing.run() {
                line.end(Ending::Failed(Failure::system("use the terminal")(error)));
            }
        };
        let editor = thread::Builder::new().name("editor".to_owned()).spawn(edit);
        Ok((console, editor.map_err(Failure::system("start a thread"))?))
    }

    /// Shows a text above the line that is typed; gives it back if the terminal is nobody's any more.
    ///
    /// It waits while too much is to be shown, so that whoever sends it has to wait as well.
    pub(super) fn print(&self, text: String) -> Result<(), String> {
        let is_full = |state: &mut State| state.texts.len() >= MAX_TEXTS && !state.is_over;
        let waited = self.changed.wait_while(self.lock(), is_full);
        self.push(waited.unwrap_or_else(|error| error.into_inner()), text)
    }

    /// As [`print`](Console::print), for any thread and with any lock held: it does not wait.
    pub(super) fn print_soon(&self, text: String) -> Result<(), String> {
        self.push(self.lock(), text)
    }

    /// Has the terminal given back, once everything has been shown.
    pub(super) fn finish(&self) {
        self.lock().is_finishing = true;
        self.wake();
    }

    fn push(&self, mut state: MutexGuard<'_, State>, text: String) -> Result<(), String> {
        if state.is_over {
            return Err(text);
        }
        state.texts.push_back(text);
        drop(state);
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        // If it takes no more, there are enough in it.
        let _ = (&self.wake).write(&[0]);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|error| error.into_inner())
    }
}

/// The editor's thread.
#[derive(Debug)]
struct Typing {
    terminal: Terminal,
    woken: UnixStream,
    console: Arc<Console>,
    line: Arc<Line>,
    /// `None` once there will be no more: nothing can be typed then, but Ctrl-C is heard.
    lines: Option<Sender<String>>,
    editor: Editor,
    keys: Keys,
    drawing: Drawing,
}

impl Typing {
    fn run(&mut self) -> io::Result<()> {
        let mut out = String::new();
        self.draw(&mut out);
        loop {
            self.terminal.write(&out)?;
            out.clear();
            let came = self.terminal.wait(&self.woken)?;
            if came.woken {
                self.drain()?;
                self.drawing.resize(self.terminal.size());
                let (texts, is_finishing) = self.take();
                self.drawing.erase(&mut out);
                for text in texts {
                    out.push_str(&text);
                    out.push('\n');
                }
                if is_finishing {
                    // What was being typed stays to be seen.
                    if !self.editor.line().is_empty() {
                        self.drawing.draw_finished(self.editor.line(), &mut out);
                    }
                    return self.terminal.write(&out);
                }
                self.draw(&mut out);
            }
            if came.keys {
                self.read(&mut out)?;
            }
        }
    }

    fn read(&mut self, out: &mut String) -> io::Result<()> {
        let bytes = self.terminal.read()?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Where no signal tells of another size, the next key finds it.
        self.drawing.resize(self.terminal.size());
        self.drawing.erase(out);
        for key in self.keys.feed(&bytes) {
            if self.lines.is_none() {
                if key == Key::Interrupt {
                    self.line.end(Ending::Interrupted(Signal::SIGINT));
                }
                continue;
            }
            match self.editor.press(key) {
                Effect::Candidates(candidates) => {
                    out.push_str(&candidates.join("  "));
                    out.push('\n');
                }
                Effect::ClearScreen => out.push_str("\x1b[H\x1b[2J"),
                Effect::End => self.lines = None,
                Effect::Interrupt => {
                    // In this order: the first reason counts, and with the lines the input is over.
                    self.line.end(Ending::Interrupted(Signal::SIGINT));
                    self.lines = None;
                }
                Effect::None => {}
                Effect::Submit(text) => self.submit(text, out),
            }
        }
        self.draw(out);
        Ok(())
    }

    /// The line stays where it was typed.
    fn submit(&mut self, text: String, out: &mut String) {
        let line: Vec<char> = text.chars().collect();
        self.drawing.draw_finished(&line, out);
        // Whoever takes them is gone only if it ends.
        if self.lines.as_ref().is_some_and(|lines| lines.send(text).is_err()) {
            self.lines = None;
        }
    }

    fn draw(&mut self, out: &mut String) {
        if self.lines.is_some() {
            self.drawing.draw(&self.editor, out);
        }
    }

    fn drain(&self) -> io::Result<()> {
        let mut bytes = [0; 256];
        loop {
            match (&self.woken).read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&self) -> (VecDeque<String>, bool) {
        let mut state = self.console.lock();
        let taken = (std::mem::take(&mut state.texts), state.is_finishing);
        drop(state);
        self.console.changed.notify_all();
        taken
    }
}

impl Drop for Typing {
    /// Also after a panic: whoever waits to print must not wait for ever.
    fn drop(&mut self) {
        restore();
        let mut state = self.console.lock();
        state.is_over = true;
        // They came since the last ones were taken.
        let texts = std::mem::take(&mut state.texts);
        drop(state);
        self.console.changed.notify_all();
        let rest: String = texts.iter().flat_map(|text| [text.as_str(), "\n"]).collect();
        // Nobody is left to tell that it failed.
        let _ = self.terminal.write(&rest);
    }
}

/// Blocks SIGWINCH. Before other threads are started: one that does not block it would swallow it.
pub(crate) fn block_resize() -> Outcome<()> {
    resize().thread_block().map_err(|errno| Failure::system("block signals")(errno.into()))
}

/// Calls `tell` at each SIGWINCH, which is blocked.
fn on_resize(tell: impl Fn() + Send + 'static) -> Outcome<()> {
    let signals = resize();
    let wait = move || {
        while signals.wait().is_ok() {
            tell();
        }
    };
    let spawned = thread::Builder::new().name("resize".to_owned()).spawn(wait);
    spawned.map_err(Failure::system("start a thread"))?;
    Ok(())
}

fn resize() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGWINCH);
    signals
}

/// Texts that wait to be shown, before whoever brings more has to wait.
const MAX_TEXTS: usize = 256;
