//! `openline connect` at a terminal: a pseudo-terminal, whose screen is looked at.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use openline::testing::EchoServer;
use openline::{CloseFrame, Connection, Error, Kind, Message, Outgoing, RunningServer, Server};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::running::openline;

/// The command at a terminal of its own.
struct AtTerminal {
    child: Child,
    keyboard: File,
    /// The command's end, which shows what modes it has.
    terminal: OwnedFd,
    modes: Termios,
    written: Receiver<Vec<u8>>,
    /// Everything that it has written.
    bytes: Vec<u8>,
    screen: vt100::Parser,
}

impl AtTerminal {
    fn start(args: &[&str]) -> AtTerminal {
        AtTerminal::with(args, &[("TERM", "xterm")])
    }

    fn with(args: &[&str], environment: &[(&str, &str)]) -> AtTerminal {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let terminal = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        set_size(&terminal, 80);
        let modes = tcgetattr(&terminal).unwrap();
        let end = || Stdio::from(terminal.try_clone().unwrap());
        let mut command = openline(args);
        command.stdin(end()).stdout(end()).stderr(end()).envs(environment.iter().copied());
        let child = command.spawn().unwrap();
        let keyboard = File::from(keyboard);
        let mut screen = keyboard.try_clone().unwrap();
        let (writes, written) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // It fails once the command and the test have let go the other end.
            while let Ok(len @ 1..) = screen.read(&mut buffer) {
                if writes.send(buffer[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        let screen = vt100::Parser::new(ROWS, 80, 1000);
        AtTerminal { child, keyboard, terminal, modes, written, bytes: Vec::new(), screen }
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn resize(&mut self, columns: u16) {
        self.screen.screen_mut().set_size(ROWS, columns);
        set_size(&self.terminal, columns);
        // The terminal is not the one that controls the command, so that the system sends none.
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGWINCH).unwrap();
    }

    /// The rows that have something in them.
    fn rows(&self) -> Vec<String> {
        let screen = self.screen.screen();
        let rows = screen.rows(0, screen.size().1).map(|row| row.trim_end().to_owned());
        rows.filter(|row| !row.is_empty()).collect()
    }

    fn text(&self) -> String {
        self.rows().join("\n")
    }

    /// Waits until the screen is like that.
    #[track_caller]
    fn wait(&mut self, what: &str, is_met: impl Fn(&AtTerminal) -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        while !is_met(self) {
            let left = until.saturating_duration_since(Instant::now());
            match self.written.recv_timeout(left) {
                Ok(bytes) => {
                    self.screen.process(&bytes);
                    self.bytes.extend(bytes);
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {what:?} in:\n{}", self.text()),
                Err(RecvTimeoutError::Disconnected) => panic!("it has gone: {}", self.text()),
            }
        }
    }

    /// Waits until these are the last rows, and the cursor is behind them if the last one is a prompt.
    #[track_caller]
    fn wait_for(&mut self, last: &[&str]) {
        self.wait(&last.join("\n"), |terminal| {
            let rows = terminal.rows();
            rows.len() >= last.len() && rows[rows.len() - last.len()..] == *last
        });
    }

    #[track_caller]
    fn wait_for_text(&mut self, text: &str) {
        self.wait(text, |terminal| terminal.text().contains(text));
    }

    #[track_caller]
    fn wait_for_cursor(&mut self, column: u16) {
        let what = format!("cursor in column {column}");
        self.wait(&what, |terminal| terminal.screen.screen().cursor_position().1 == column);
    }

    /// Waits for the end: with this status, and with the terminal as it was.
    #[track_caller]
    fn ends_with(&mut self, status: i32) {
        let ended = self.child.wait().unwrap();
        assert_eq!(ended.code(), Some(status), "{}", self.text());
        let modes = tcgetattr(&self.terminal).unwrap();
        assert_eq!(format!("{modes:?}"), format!("{:?}", self.modes));
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        // It has most often ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set_size(terminal: &OwnedFd, columns: u16) {
    let size = Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

const ROWS: u16 = 30;
const PROMPT: &str = ">";
const UP: &str = "\x1b[A";
const LEFT: &str = "\x1b[D";

/// A server that tells what it receives, and does what it is told.
struct Peer {
    _server: RunningServer,
    uri: String,
    heard: Receiver<Heard>,
    tell: Sender<Tell>,
}

#[derive(Debug, PartialEq)]
enum Heard {
    Closed(Option<CloseFrame>),
    Message(Kind, Vec<u8>),
}

enum Tell {
    Close(u16, &'static str),
    Send(Kind, Vec<u8>),
}

impl Peer {
    fn start() -> Peer {
        let (hears, heard) = channel();
        let (tell, told) = channel::<Tell>();
        let told = std::sync::Arc::new(std::sync::Mutex::new(told));
        let serve = move |connection: Connection| {
            let (sender, told) = (connection.clone(), told.clone());
            // It has the orders until the test is over.
            thread::spawn(move || {
                for order in told.lock().unwrap().iter() {
                    let done = match order {
                        Tell::Close(code, reason) => sender.close(code, reason),
                        Tell::Send(kind, payload) => sender.send(Outgoing::new(kind, &payload)),
                    };
                    done.unwrap();
                }
            });
            loop {
                let (what, is_over) = match connection.recv() {
                    Ok(message) => (heard_message(message), false),
                    Err(Error::Closed(how)) => (Heard::Closed(how.received().cloned()), true),
                    Err(error) => panic!("{error}"),
                };
                // The test may be over.
                let _ = hears.send(what);
                if is_over {
                    return;
                }
            }
        };
        let server = Server::bind("127.0.0.1:0").unwrap().serve(serve).unwrap();
        let uri = format!("ws://{}/", server.address());
        Peer { _server: server, uri, heard, tell }
    }

    fn send(&self, text: &str) {
        self.tell.send(Tell::Send(Kind::Text, text.into())).unwrap();
    }

    #[track_caller]
    fn heard(&self) -> Heard {
        self.heard.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    #[track_caller]
    fn heard_text(&self, text: &str) {
        assert_eq!(self.heard(), Heard::Message(Kind::Text, text.into()));
    }

    #[track_caller]
    fn heard_close(&self, code: u16, reason: &str) {
        let close = CloseFrame::new(code, reason).unwrap();
        assert_eq!(self.heard(), Heard::Closed(Some(close)));
    }

    /// The command, connected to it.
    #[track_caller]
    fn connect(&self, args: &[&str]) -> AtTerminal {
        let mut terminal = AtTerminal::start(&[&["connect"], args, &[&self.uri]].concat());
        terminal.wait_for(&[&self.connected(), PROMPT]);
        terminal
    }

    fn connected(&self) -> String {
        format!("* connected to {}; /help lists commands, Ctrl-D closes", self.uri)
    }
}

fn heard_message(message: Message) -> Heard {
    Heard::Message(message.kind(), message.into_bytes())
}

#[test]
fn what_is_typed_is_sent_and_the_answer_shown() {
    let server = EchoServer::start().unwrap();
    let mut terminal = AtTerminal::start(&["connect", server.uri()]);
    terminal.wait_for(&[PROMPT]);
    terminal.type_in("hello wörld\r");
    terminal.wait_for(&["> hello wörld", "< hello wörld", PROMPT]);
    terminal.type_in("\x04");
    terminal.wait_for(&["* closed by this side: 1000 (OK)"]);
    terminal.ends_with(0);
}

#[test]
fn a_line_can_be_edited_and_an_old_one_recalled() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&[]);
    terminal.type_in(&format!("helo{LEFT}l\r"));
    peer.heard_text("hello");
    terminal.type_in("second\r");
    peer.heard_text("second");
    terminal.type_in(&format!("draft{UP}{UP}"));
    terminal.wait_for(&["> hello", "> second", "> hello"]);
    terminal.wait_for_cursor(7);
    terminal.type_in("!\r");
    peer.heard_text("hello!");
}

#[test]
fn a_message_leaves_alone_what_is_being_typed() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&[]);
    let long = "x".repeat(200);
    terminal.type_in(&format!("half {long}{LEFT}{LEFT}"));
    terminal.wait_for_cursor(45);
    peer.send("first");
    peer.send("second\nof two lines");
    let typed = format!("> half {long}");
    let rows = [&typed[..80], &typed[80..160], &typed[160..]];
    let shown = ["< first", "< second", "  of two lines"];
    terminal.wait_for(&[&shown[..], &rows].concat());
    terminal.wait_for_cursor(45);
    let connected = peer.connected();
    assert_eq!(terminal.rows()[0], connected);
    assert_eq!(terminal.rows().len(), 7);
    terminal.type_in("-\r");
    peer.heard_text(&format!("half {}-xx", &long[2..]));
}

#[test]
fn the_terminal_gets_another_size_while_one_types() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&[]);
    terminal.type_in("0123456789");
    terminal.wait_for(&["> 0123456789"]);
    terminal.resize(20);
    terminal.type_in("abcdefghijkl");
    terminal.wait_for(&["> 0123456789abcdefgh", "ijkl"]);
    peer.send("one");
    terminal.wait_for(&["< one", "> 0123456789abcdefgh", "ijkl"]);
    terminal.resize(80);
    terminal.type_in("\r");
    peer.heard_text("0123456789abcdefghijkl");
}

#[test]
fn ctrl_c_clears_the_line_and_then_ends() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&[]);
    terminal.type_in("nothing");
    terminal.wait_for(&["> nothing"]);
    terminal.type_in("\x03");
    terminal.wait_for(&[PROMPT]);
    terminal.type_in("\x03");
    peer.heard_close(1001, "");
    terminal.wait_for(&["* closed by this side: 1001 (going away)"]);
    terminal.ends_with(130);
}

#[test]
fn ctrl_d_closes_as_the_options_say() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&["--close-code", "4001", "--close-reason", "enough"]);
    terminal.type_in("last\rx\x01\x04\x04");
    peer.heard_text("last");
    peer.heard_close(4001, "enough");
    terminal.wait_for_text("* closed by this side: 4001 (private use) enough");
}

#[test]
fn the_server_closes_while_one_types() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&[]);
    terminal.type_in("half a li");
    terminal.wait_for(&["> half a li"]);
    peer.send("bye");
    peer.tell.send(Tell::Close(1000, "\x1b[2Jover")).unwrap();
    terminal.wait_for(&["< bye", "* closed by the server: 1000 (OK) \\x1b[2Jover", "> half a li"]);
    terminal.ends_with(0);

    let peer = Peer::start();
    let mut terminal = peer.connect(&[]);
    peer.tell.send(Tell::Close(4000, "\x1b[2Jfailed")).unwrap();
    terminal.wait_for_text("* closed by the server: 4000 (private use) \\x1b[2Jfailed");
    terminal.ends_with(1);
    terminal.wait("the error", |terminal| {
        let error = terminal.rows()[2..].concat();
        error.starts_with("openline: received 4000") && error.contains(r"\x1b[2Jfailed; then sent")
    });
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&[]);
    kill(Pid::from_raw(terminal.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    terminal.ends_with(143);

    // The second one ends it at once, while the server does not answer.
    let (_server, uri) = silent_server();
    let mut terminal = AtTerminal::start(&["connect", "--close-timeout", "600", "-vv", &uri]);
    terminal.wait_for(&[PROMPT]);
    kill(Pid::from_raw(terminal.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    terminal.wait_for_text("connection is CLOSING");
    kill(Pid::from_raw(terminal.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    terminal.ends_with(143);
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let (_server, uri) = silent_server();
    let mut terminal = AtTerminal::start(&["connect", "--close-timeout", "600", "-vv", &uri]);
    terminal.wait_for(&[PROMPT]);
    terminal.type_in("\x03");
    terminal.wait_for_text("connection is CLOSING");
    terminal.type_in("\x03");
    terminal.wait_for_text("* connection lost: aborted");
    terminal.ends_with(130);
}

/// It opens the connection, and takes nothing then.
fn silent_server() -> (thread::JoinHandle<()>, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    let serve = move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        let request = String::from_utf8(request).unwrap();
        let key =
            request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let accept = openline::handshake::accept_key(key);
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
        write!(socket, "{head}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").unwrap();
        // Until the other side has gone.
        let _ = socket.read_to_end(&mut Vec::new());
    };
    (thread::spawn(serve), uri)
}

#[test]
fn a_peer_cannot_reach_the_terminal() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&[]);
    let start = terminal.bytes.len();
    let attacks =
        ["\x1b]0;title\x07", "\x1b[2J\x1b[H", "\u{9b}2J", "a\rb", "\u{202e}evil", "x\x08\x7f"];
    for attack in attacks {
        peer.send(attack);
    }
    peer.send("[\"\u{9b}31m\"]");
    peer.send("a\n* closed by the server");
    terminal.wait_for(&[
        r"< \x1b]0;title\x07",
        r"< \x1b[2J\x1b[H",
        r"< \u{9b}2J",
        r"< a\rb",
        r"< \u{202e}evil",
        r"< x\x08\x7f",
        "< [",
        r#"    "\u{9b}31m""#,
        "  ]",
        "< a",
        "  * closed by the server",
        PROMPT,
    ]);
    let written = String::from_utf8_lossy(&terminal.bytes[start..]).into_owned();
    for attack in attacks {
        assert!(!written.contains(attack), "{attack:?}");
    }
    assert!(!written.contains('\u{9b}') && !written.contains('\x07'));
}

#[test]
fn bytes_are_dumped_and_json_is_laid_out() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&[]);
    peer.tell.send(Tell::Send(Kind::Binary, (0x40..0x53).collect())).unwrap();
    peer.send(r#"{"b":[1.50,true],"a":"x"}"#);
    terminal.wait_for(&[
        "< 19 bytes",
        "  00000000  40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO",
        "  00000010  50 51 52                                          PQR",
        "< {",
        "    \"b\": [",
        "      1.50,",
        "      true",
        "    ],",
        "    \"a\": \"x\"",
        "  }",
        PROMPT,
    ]);
    let written = String::from_utf8_lossy(&terminal.bytes).into_owned();
    assert!(written.contains("\x1b[34m\"b\"\x1b[0m: ["), "{written:?}");
    assert!(written.contains("\x1b[33m1.50\x1b[0m"), "{written:?}");
}

#[test]
fn long_messages_are_cut_and_shown_on_demand() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&[]);
    peer.send(&format!("{}end", "word ".repeat(420)));
    terminal.wait_for(&["  … 103 bytes more: /all 1", PROMPT]);
    peer.tell.send(Tell::Send(Kind::Binary, vec![7; 321])).unwrap();
    terminal.wait_for(&["  … 1 byte more: /all 2", PROMPT]);
    terminal.type_in("/all\r");
    let last = format!("  00000140  07{:48}.", "");
    terminal.wait_for(&[&last, PROMPT]);
    terminal.type_in("/all 1\r");
    terminal.wait("the end of it", |terminal| {
        let rows = terminal.rows();
        rows.len() > 1 && rows[rows.len() - 2].ends_with("word end")
    });
    terminal.type_in("/all 3\r");
    terminal.wait_for(&["* message 3 is not there; the last 8 that were cut are", PROMPT]);
}

#[test]
fn each_command_does_what_help_says() {
    let peer = Peer::start();
    let file = crate::running::temporary("interactive.bin");
    std::fs::write(&file, [0, 1, 255]).unwrap();
    let path = file.to_str().unwrap();
    let mut terminal = peer.connect(&[]);

    terminal.type_in("/help\r");
    terminal.wait_for_text("/hex DIGITS");
    terminal.wait_for(&["//TEXT                  send a text that begins with /", PROMPT]);

    terminal.type_in("/ping\r");
    terminal.wait("pong", |terminal| {
        let rows = terminal.rows();
        rows.iter().any(|row| row.starts_with("* pong: ") && row.ends_with(" ms"))
    });
    for (line, payload) in [
        ("/hex 00 ff", vec![0, 255]),
        ("/base64 AP8=", vec![0, 255]),
        (&format!("/file {path}"), vec![0, 1, 255]),
    ] {
        terminal.type_in(&format!("{line}\r"));
        assert_eq!(peer.heard(), Heard::Message(Kind::Binary, payload), "{line}");
    }
    std::fs::remove_file(&file).unwrap();
    for (line, text) in [("//slash", "/slash"), ("/text /slash", "/slash"), ("/text", "")] {
        terminal.type_in(&format!("{line}\r"));
        peer.heard_text(text);
    }
    for (line, answer) in [
        ("/fly", "* no command /fly; /help lists them, //fly sends a text"),
        ("/hex 1", "* an odd number of hexadecimal digits"),
        (
            "/file /nonexistent",
            "* cannot read /nonexistent: No such file or directory (os error 2)",
        ),
        ("/all", "* no message was cut"),
    ] {
        terminal.type_in(&format!("{line}\r"));
        terminal.wait_for(&[&format!("> {line}"), answer, PROMPT]);
    }

    terminal.type_in("/time on\r/text asked\r");
    peer.heard_text("asked"); // so the command before it was done
    peer.send("when");
    let is_time = |row: &str| {
        let shape: String = row.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        shape == "00:00:00.000 < when"
    };
    terminal.wait("a time", |terminal| terminal.rows().iter().any(|row| is_time(row)));
    terminal.type_in("/time off\r/text asked\r");
    peer.heard_text("asked");
    peer.send("plain");
    terminal.wait_for(&["< plain", PROMPT]);

    terminal.type_in("/close 4002 see you\r");
    peer.heard_close(4002, "see you");
    terminal.wait_for_text("* closed by this side: 4002 (private use) see you");
    terminal.ends_with(0);
}

#[test]
fn tab_completes_commands() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&[]);
    terminal.type_in("/t\t");
    terminal.wait_for(&["/text  /time", "> /t"]);
    terminal.type_in("i\to\t");
    terminal.wait_for(&["off  on", "> /time o"]);
    terminal.type_in("\x15a\tb\r");
    peer.heard_text("a\tb");
}

#[test]
fn a_lost_connection_is_told_and_its_return() {
    let peer = Peer::start();
    let mut terminal = peer.connect(&["--reconnect"]);
    terminal.type_in("half");
    terminal.wait_for(&["> half"]);
    peer.tell.send(Tell::Close(1012, "again")).unwrap();
    terminal.wait_for(&["* connected again", "> half"]);
    terminal.wait_for_text("* closed by the server: 1012 (service restart) again");
    assert!(terminal.text().contains("openline: connection lost, reconnecting"));
    assert_eq!(peer.heard(), Heard::Closed(Some(CloseFrame::new(1012, "again").unwrap())));
    terminal.type_in(" and half\r");
    peer.heard_text("half and half");
}

#[test]
fn frames_are_shown_above_the_line() {
    let peer = Peer::start();
    let mut terminal = AtTerminal::start(&["connect", "-vv", &peer.uri]);
    terminal.wait_for(&[PROMPT]);
    terminal.type_in("typed");
    terminal.wait_for(&["> typed"]);
    peer.send("hello");
    terminal.wait_for_text("< TEXT 'hello'");
    terminal.wait_for(&["> typed"]);
}

#[test]
fn colours_can_be_switched_off() {
    let peer = Peer::start();
    let environment = [("TERM", "xterm"), ("NO_COLOR", "1")];
    let mut terminal = AtTerminal::with(&["connect", &peer.uri], &environment);
    terminal.wait_for(&[PROMPT]);
    peer.send(r#"{"a":1}"#);
    terminal.wait_for(&["< {", "    \"a\": 1", "  }", PROMPT]);
    let written = String::from_utf8_lossy(&terminal.bytes).into_owned();
    let is_colour = |part: &str| {
        part.split_once('m').is_some_and(|(n, _)| n.chars().all(|c| c.is_ascii_digit() || c == ';'))
    };
    assert!(!written.split("\x1b[").skip(1).any(is_colour), "{written:?}");
}

#[test]
fn a_dumb_terminal_and_scripts_have_lines() {
    let server = EchoServer::start().unwrap();
    for (args, term) in [(&["connect"][..], "dumb"), (&["connect", "-e", "^x$"], "xterm")] {
        let args = [args, &[server.uri()]].concat();
        let mut terminal = AtTerminal::with(&args, &[("TERM", term)]);
        terminal.type_in("hello\n");
        // The terminal's own echo, and the message.
        terminal.wait_for(&["hello", "hello"]);
        assert!(!terminal.bytes.contains(&0x1b));
        terminal.type_in("x\n");
        terminal.wait_for(&["x", "x"]);
        if term == "dumb" {
            terminal.type_in("\x04");
        }
        terminal.ends_with(0);
    }
}

#[test]
fn a_peer_cannot_reach_the_terminal_through_what_is_told() {
    let peer = Peer::start();
    let args = ["connect", "-v", "-e", "^x$", &peer.uri];
    let mut terminal = AtTerminal::with(&args, &[("TERM", "xterm"), ("NO_COLOR", "1")]);
    peer.tell.send(Tell::Close(4000, "\x1b[2Jover")).unwrap();
    terminal.ends_with(1);
    // From -v, and as the error.
    terminal.wait("both", |terminal| terminal.text().matches(r"\x1b[2Jover").count() >= 2);
    assert!(!terminal.bytes.contains(&0x1b));
}

#[test]
fn the_page_shows_what_is_seen() {
    let page = include_str!("../../../../docs/command.md");
    let (_, section) = page.split_once("### At a terminal").unwrap();
    let (_, block) = section.split_once("```text\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let server = EchoServer::start().unwrap();
    let mut terminal = AtTerminal::start(&["connect", server.uri()]);
    let uri = server.uri().trim_end_matches('/');
    let seen = |terminal: &AtTerminal| {
        let text = terminal.text().replace(uri, "ws://localhost:8765");
        // The time is another one each time.
        text.lines()
            .map(|row| row.split_inclusive("pong: ").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let mut expected: Vec<String> = Vec::new();
    for row in block.lines().filter(|row| !row.starts_with('$')) {
        if let Some(line) = row.strip_prefix("> ") {
            let until = [&expected[..], &[PROMPT.to_owned()]].concat();
            terminal.wait(row, |terminal| seen(terminal) == until);
            terminal.type_in(&if line == "^D" { "\x04".to_owned() } else { format!("{line}\r") });
        }
        if row != "> ^D" {
            expected.push(row.split_inclusive("pong: ").next().unwrap().to_owned());
        }
    }
    terminal.wait("the end", |terminal| seen(terminal) == expected);
    terminal.ends_with(0);
}
