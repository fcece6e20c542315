//! `openline replay`: a recorded session once more, as the [`client`] or as the [`server`].

mod client;
mod server;

use std::time::Duration;

use openline::Message;

use crate::args::ReplayArgs;
use crate::failure::Outcome;
use crate::session::Session;

pub(crate) fn run(args: &ReplayArgs) -> Outcome<()> {
    let session = Session::read(&args.file)?;
    let pace = Pace { speed: args.speed };
    match &args.listen {
        None => client::run(args, &session, pace),
        Some(address) => server::run(address, session, pace),
    }
}

/// How fast it is played.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// 0 for no pauses.
    speed: f64,
}

impl Pace {
    fn has_pauses(self) -> bool {
        self.speed > 0.0
    }

    /// How long what took so long takes now.
    fn of(self, time: Duration) -> Duration {
        if self.has_pauses() { time.div_f64(self.speed) } else { Duration::ZERO }
    }
}

/// A message for people, on one line: `"hello"`, or `3 bytes: 00 01 02`.
fn excerpt(message: &Message) -> String {
    let len = message.len();
    match message {
        Message::Text(text) => {
            let start: String = text.chars().take(SHOWN).collect();
            let rest = if start.len() < len { format!("… ({len} bytes)") } else { String::new() };
            format!("{start:?}{rest}")
        }
        Message::Binary(bytes) => {
            let start: Vec<String> =
                bytes.iter().take(SHOWN / 3).map(|byte| format!("{byte:02x}")).collect();
            let rest = if start.len() < len { " …" } else { "" };
            format!("{len} bytes: {}{rest}", start.join(" "))
        }
    }
}

/// How two messages differ, if they do.
fn difference(got: &Message, recorded: &Message) -> Option<String> {
    if got == recorded {
        return None;
    }
    let mut text = format!("{}, recorded: {}", excerpt(got), excerpt(recorded));
    let same = got.as_bytes().iter().zip(recorded.as_bytes()).take_while(|(a, b)| a == b).count();
    // Else it can be seen.
    if same >= SHOWN / 3 {
        text += &format!("; from byte {} on", same + 1);
    }
    Some(text)
}

/// Characters of a message.
const SHOWN: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_shown_on_a_line() {
        let text = |text: &str| Message::from(text);
        assert_eq!(difference(&text("a"), &text("a")), None);
        let shown = difference(&text("a\nb"), &Message::Binary(vec![0, 255]));
        assert_eq!(shown.as_deref(), Some("\"a\\nb\", recorded: 2 bytes: 00 ff"));
        let long = "x".repeat(100);
        let shown =
            difference(&text(&(long.clone() + "y")), &text(&(long + "z"))).unwrap_or_default();
        assert!(shown.contains("… (101 bytes), recorded: "), "{shown}");
        assert!(shown.ends_with("; from byte 101 on"), "{shown}");
    }

    #[test]
    fn a_pace_is_a_factor() {
        let second = Duration::from_secs(1);
        assert_eq!(Pace { speed: 4.0 }.of(second), Duration::from_millis(250));
        assert_eq!(Pace { speed: 0.0 }.of(second), Duration::ZERO);
    }
}
