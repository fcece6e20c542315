//! `openline check`: what a server agrees to, and whether it keeps to the protocol.
//!
//! [`facts`] are what one connection tells, with its [`certificate`]; [`trials`] make others, and say in [`finding`]s
//! how the server took what they did. What a connection would not send they make of [`frames`].

mod certificate;
mod facts;
mod finding;
mod frames;
mod trials;

use std::sync::Arc;

use openline::{CloseFrame, Error};
use serde_json::{Value, json};

use crate::args::{CheckArgs, Echo};
use crate::failure::{Failure, Outcome};
use crate::interrupt;
use crate::line::{Ending, Line};
use crate::output::{print, print_text};
use crate::target::Target;

use facts::Facts;
use finding::{Finding, Verdict};
use trials::Trials;

pub(crate) fn run(args: &CheckArgs) -> Outcome<()> {
    let target = Target::new(&args.target)?;
    let line = Arc::new(Line::new(CloseFrame::new(1000, "").map_err(Error::Protocol)?));
    let interrupted = line.clone();
    interrupt::on_signal(move |signal| interrupted.end(Ending::Interrupted(signal)))?;
    target.verbose.show_now_and_then()?;
    let mut report = Report { args, line: &line, target: &target, findings: Vec::new() };
    let outcome = report.check();
    target.verbose.show();
    match (line.take_ending(), outcome) {
        (Some(ending), _) => ending.into_outcome(),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(head)) => report.end(head),
    }
}

struct Report<'a> {
    args: &'a CheckArgs,
    line: &'a Arc<Line>,
    target: &'a Target,
    findings: Vec<Finding>,
}

impl Report<'_> {
    /// Makes all checks, and tells of each. What it gives is the head of the report in JSON.
    fn check(&mut self) -> openline::Result<Value> {
        let args = self.args;
        let mut trials = Trials::new(self.target, self.line, args.wait);
        let connection = trials.connect()?;
        self.target.verbose.opened(&connection);
        let facts = Facts::of(&connection);
        self.tell(&format!("{}\n\n{}", args.target.uri, facts.text()))?;

        match args.echo {
            _ if args.gentle => {}
            Echo::Auto => trials.look_for_echo()?,
            Echo::No => {}
            Echo::Yes => trials.echoes = true,
        }
        let echoes = match trials.echoes {
            _ if args.gentle => None,
            echoes => Some(echoes),
        };
        let word = match echoes {
            None => "not tried",
            Some(true) => "yes",
            Some(false) => "no: what it makes of messages is not seen",
        };
        self.tell(&format!("{:<12} {word}\n\n", "echo"))?;

        for ping in trials.pings(&connection)? {
            self.found(ping)?;
        }
        self.found(trials.closing(&connection)?)?;
        if !args.gentle {
            trials.allowed(|finding| self.found(finding))?;
            trials.forbidden(|finding| self.found(finding))?;
        }
        if let Some(bytes) = args.message_size {
            self.found(trials.message_size(bytes)?)?;
        }
        if let Some(time) = args.idle {
            self.found(trials.idle(time)?)?;
        }
        let mut head = facts.json();
        head["uri"] = args.target.uri.as_str().into();
        head["echoes"] = echoes.into();
        Ok(head)
    }

    fn found(&mut self, finding: Finding) -> openline::Result<()> {
        self.target.verbose.show();
        self.tell(&finding.line())?;
        self.findings.push(finding);
        Ok(())
    }

    /// Prints something for people, and ends when nobody reads it, or somebody interrupts.
    fn tell(&self, text: &str) -> openline::Result<()> {
        if !self.args.json
            && let Err(ending) = print(&[text.as_bytes()])
        {
            self.line.end(ending);
        }
        if self.line.is_ending() {
            return Err(Error::Interrupted { committed: false });
        }
        Ok(())
    }

    fn end(&self, mut head: Value) -> Outcome<()> {
        let count =
            |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let (ok, odd, failed) = (count(Verdict::Ok), count(Verdict::Odd), count(Verdict::Failed));
        if self.args.json {
            head["checks"] = self.findings.iter().map(Finding::json).collect();
            head["summary"] = json!({"ok": ok, "odd": odd, "failed": failed});
            print_text(&format!("{head}\n"))?;
        } else {
            let text =
                format!("\n{} checks: {ok} ok, {odd} odd, {failed} failed\n", self.findings.len());
            print_text(&text)?;
        }
        match failed {
            0 => Ok(()),
            1 => Err(Failure::Unmet("a check failed".to_owned())),
            _ => Err(Failure::Unmet(format!("{failed} checks failed"))),
        }
    }
}
