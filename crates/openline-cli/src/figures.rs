//! The figures of `--write-out`, in the manner of curl.

use std::str::FromStr;
use std::time::{Duration, Instant};

use openline::handshake::HandshakeError;
use openline::{Closed, Connection, Error, Timings};

/// A text with figures in it: `opened in %{time_open} s\n`.
#[derive(Clone, Debug)]
pub(crate) struct Format(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Figure(fn(&Figures) -> String),
    Text(String),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['%', '\\']) {
            plain.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(behind) = rest.strip_prefix("%{") {
                let (name, behind) = behind.split_once('}').ok_or("%{ without }")?;
                let find = NAMES.iter().find(|(known, _)| *known == name);
                let (_, figure) = find.ok_or_else(|| unknown(name))?;
                parts.push(Part::Text(std::mem::take(&mut plain)));
                parts.push(Part::Figure(*figure));
                rest = behind;
                continue;
            }
            let (escape, character) =
                ESCAPES.iter().find(|(escape, _)| rest.starts_with(escape)).unwrap_or(&OTHER);
            plain.push(character.unwrap_or(if rest.starts_with('%') { '%' } else { '\\' }));
            rest = &rest[escape.len()..];
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Format(parts))
    }
}

impl Format {
    pub(crate) fn fill(&self, figures: &Figures) -> String {
        let fill = |part: &Part| match part {
            Part::Figure(figure) => figure(figures),
            Part::Text(text) => text.clone(),
        };
        self.0.iter().map(fill).collect()
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    format!("unknown figure {name:?}; there are {}", names.join(", "))
}

/// What is measured from the start to the end of a command.
#[derive(Debug)]
pub(crate) struct Figures {
    started: Instant,
    connections: u64,
    timings: Timings,
    http_code: Option<u16>,
    remote_address: String,
    subprotocol: String,
    sent: Total,
    received: Total,
    latency: Option<Duration>,
    close_code: Option<u16>,
    close_reason: String,
}

#[derive(Debug, Default)]
struct Total {
    messages: u64,
    frames: u64,
    bytes: u64,
}

impl Figures {
    pub(crate) fn new() -> Figures {
        Figures {
            started: Instant::now(),
            connections: 0,
            timings: Timings::default(),
            http_code: None,
            remote_address: String::new(),
            subprotocol: String::new(),
            sent: Total::default(),
            received: Total::default(),
            latency: None,
            close_code: None,
            close_reason: String::new(),
        }
    }

    pub(crate) fn opened(&mut self, connection: &Connection) {
        self.connections += 1;
        self.timings = connection.timings();
        self.http_code = Some(connection.response().status_code);
        self.remote_address = connection.remote_address().to_string();
        self.subprotocol = connection.subprotocol().unwrap_or_default().to_owned();
    }

    /// Whether there was a connection.
    pub(crate) fn has_opened(&self) -> bool {
        self.connections > 0
    }

    /// No connection could be made.
    pub(crate) fn failed(&mut self, error: &Error) {
        if let Error::Handshake(HandshakeError::InvalidStatus(response)) = error {
            self.http_code = Some(response.status_code);
        }
    }

    pub(crate) fn closed(&mut self, closed: &Closed) {
        let report = closed.report();
        for (total, traffic) in
            [(&mut self.sent, report.outgoing), (&mut self.received, report.incoming)]
        {
            total.messages += traffic.messages;
            total.frames += traffic.frames;
            total.bytes += traffic.bytes;
        }
        self.latency = report.latency.or(self.latency);
        let close = closed.received().or(closed.sent());
        self.close_code = close.map(|close| close.code().into());
        self.close_reason = close.map(|close| close.reason().to_owned()).unwrap_or_default();
    }

    fn open(&self) -> Duration {
        let Timings { dns, tcp, proxy, tls, http, .. } = self.timings;
        [dns, tcp, proxy, tls, http].into_iter().flatten().sum()
    }
}

fn seconds(time: Option<Duration>) -> String {
    format!("{:.6}", time.unwrap_or_default().as_secs_f64())
}

fn code(code: Option<u16>) -> String {
    code.map(|code| code.to_string()).unwrap_or_default()
}

type Named = (&'static str, fn(&Figures) -> String);

/// `openline connect --help` lists them.
const NAMES: &[Named] = &[
    ("time_dns", |f| seconds(f.timings.dns)),
    ("time_tcp", |f| seconds(f.timings.tcp)),
    ("time_proxy", |f| seconds(f.timings.proxy)),
    ("time_tls", |f| seconds(f.timings.tls)),
    ("time_http", |f| seconds(f.timings.http)),
    ("time_open", |f| seconds(Some(f.open()))),
    ("time_total", |f| seconds(Some(f.started.elapsed()))),
    ("messages_sent", |f| f.sent.messages.to_string()),
    ("messages_received", |f| f.received.messages.to_string()),
    ("bytes_sent", |f| f.sent.bytes.to_string()),
    ("bytes_received", |f| f.received.bytes.to_string()),
    ("frames_sent", |f| f.sent.frames.to_string()),
    ("frames_received", |f| f.received.frames.to_string()),
    ("connections", |f| f.connections.to_string()),
    ("latency", |f| seconds(f.latency)),
    ("http_code", |f| code(f.http_code)),
    ("remote_address", |f| f.remote_address.clone()),
    ("subprotocol", |f| f.subprotocol.clone()),
    ("close_code", |f| code(f.close_code)),
    ("close_reason", |f| f.close_reason.clone()),
];

type Escape = (&'static str, Option<char>);

const ESCAPES: &[Escape] =
    &[("%%", Some('%')), ("\\n", Some('\n')), ("\\t", Some('\t')), ("\\\\", Some('\\'))];

/// One of the two characters by itself: as it is.
const OTHER: Escape = ("%", None);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn a_format_is_filled() {
        let mut figures = Figures::new();
        figures.http_code = Some(101);
        figures.timings.tcp = Some(Duration::from_micros(1500));
        let fill = |text: &str| text.parse::<Format>().unwrap().fill(&figures);
        assert_eq!(fill("%{http_code}\\t%{time_tcp}\\n"), "101\t0.001500\n");
        assert_eq!(fill("100 %% \\\\ \\x %d é"), "100 % \\ \\x %d é");
        assert_eq!(fill("%"), "%");
        assert_eq!(fill("%{close_code}"), "");
    }

    #[test]
    fn a_wrong_format_is_refused() {
        assert!("%{time}".parse::<Format>().unwrap_err().contains("there are time_dns, "));
        assert_eq!("%{time".parse::<Format>().unwrap_err(), "%{ without }");
    }
}
