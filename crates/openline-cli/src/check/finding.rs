//! What one check found.

use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use serde_json::{Value, json};

use super::facts::{nanoseconds, printable};

#[derive(Debug)]
pub(super) struct Finding {
    pub(super) name: &'static str,
    /// The section of RFC 6455 that it is about.
    pub(super) section: &'static str,
    pub(super) verdict: Verdict,
    pub(super) text: String,
    pub(super) time: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    /// Not against the letter of the protocol, and not what others do.
    Odd,
    Failed,
}

impl Finding {
    /// `ok      ping                answered in 0.2 ms`, as a line.
    pub(super) fn line(&self) -> String {
        let Finding { name, section, verdict, text, .. } = self;
        let (word, colour) = match verdict {
            Verdict::Ok => ("ok", "\x1b[32m"),
            Verdict::Odd => ("odd", "\x1b[33m"),
            Verdict::Failed => ("FAILED", "\x1b[31m"),
        };
        let (colour, reset) = match AutoStream::choice(&std::io::stdout()) {
            ColorChoice::Never => ("", ""),
            _ => (colour, "\x1b[0m"),
        };
        let rule = if *verdict == Verdict::Ok { String::new() } else { format!(" (§{section})") };
        format!("{colour}{word:<6}{reset} {name:<27} {}{rule}\n", printable(text))
    }

    pub(super) fn json(&self) -> Value {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Odd => "odd",
            Verdict::Failed => "failed",
        };
        json!({
            "name": self.name,
            "section": self.section,
            "verdict": verdict,
            "text": self.text,
            "took_ns": nanoseconds(self.time),
        })
    }
}
