//! Lines that begin with `/`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openline::CloseFrame;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// The whole of a message that was cut: of this one, or of the last one.
    All(Option<u64>),
    Binary(Vec<u8>),
    /// With a code and a reason, or those of the command line.
    Close(Option<CloseFrame>),
    File(String),
    Help,
    Ping,
    Text(String),
    Times(bool),
}

impl Command {
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn parse(line: &str) -> Result<Command, String> {
        let Some(rest) = line.strip_prefix('/') else { return Ok(Command::Text(line.to_owned())) };
        if rest.starts_with('/') {
            return Ok(Command::Text(rest.to_owned()));
        }
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let text = rest.trim();
        match (name, text) {
            ("all", "") => Ok(Command::All(None)),
            ("all", number) => match number.parse() {
                Ok(number) => Ok(Command::All(Some(number))),
                Err(_) => Err("/all takes the number of a message".to_owned()),
            },
            ("base64", _) => match STANDARD.decode(text) {
                Ok(bytes) => Ok(Command::Binary(bytes)),
                Err(error) => Err(format!("not base64: {error}")),
            },
            ("close", "") => Ok(Command::Close(None)),
            ("close", _) => close(text).map(|close| Command::Close(Some(close))),
            ("file", "") => Err("/file takes a path".to_owned()),
            ("file", path) => Ok(Command::File(path.to_owned())),
            ("help", "") => Ok(Command::Help),
            ("hex", _) => hex(text).map(Command::Binary),
            ("ping", "") => Ok(Command::Ping),
            ("text", _) => Ok(Command::Text(rest.to_owned())),
            ("time", "on") => Ok(Command::Times(true)),
            ("time", "off") => Ok(Command::Times(false)),
            ("time", _) => Err("/time takes on or off".to_owned()),
            ("help" | "ping", _) => Err(format!("/{name} takes nothing")),
            _ => Err(format!("no command /{name}; /help lists them, //{name} sends a text")),
        }
    }
}

/// What `/help` says.
pub(super) fn help() -> String {
    let width = COMMANDS.iter().map(|(usage, _)| usage.len()).max().unwrap_or(0);
    let rows = COMMANDS.iter().map(|(usage, what)| format!("{usage:width$}  {what}"));
    rows.collect::<Vec<_>>().join("\n")
}

/// The part of the line that is being completed, and what it could be.
pub(super) fn completions(before: &str) -> (&str, Vec<String>) {
    if let Some(stem) = before.strip_prefix("/time ") {
        let values = ["off", "on"].iter().filter(|value| value.starts_with(stem));
        return (stem, values.map(|value| (*value).to_owned()).collect());
    }
    let names = COMMANDS.iter().filter_map(|(usage, _)| usage.split(' ').next());
    let fits = |name: &&str| name.starts_with(before) && !name.starts_with("//");
    (before, names.filter(fits).map(str::to_owned).collect())
}

fn close(text: &str) -> Result<CloseFrame, String> {
    let (code, reason) = text.split_once(' ').unwrap_or((text, ""));
    let code: u16 = code.parse().map_err(|_| format!("{code} is no close code"))?;
    CloseFrame::new(code, reason.trim_start()).map_err(|error| error.to_string())
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digit = |char: char| char.to_digit(16).ok_or_else(|| format!("not hexadecimal: {char:?}"));
    let digits = text.chars().filter(|char| !char.is_whitespace()).map(digit);
    let digits = digits.collect::<Result<Vec<u32>, String>>()?;
    let byte = |pair: &[u32]| match pair {
        [high, low] => u8::try_from(high << 4 | low).map_err(|error| error.to_string()),
        _ => Err("an odd number of hexadecimal digits".to_owned()),
    };
    digits.chunks(2).map(byte).collect()
}

const COMMANDS: &[(&str, &str)] = &[
    ("/all [NUMBER]", "show the whole of a message that was cut"),
    ("/base64 BASE64", "send these bytes as a binary message"),
    ("/close [CODE [REASON]]", "close the connection"),
    ("/file PATH", "send the bytes of a file as a binary message"),
    ("/help", "list the commands"),
    ("/hex DIGITS", "send these bytes as a binary message"),
    ("/ping", "send a ping, and tell the round trip"),
    ("/text TEXT", "send a text as it is; without one, an empty message"),
    ("/time on|off", "show with each message when it came, in UTC"),
    ("//TEXT", "send a text that begins with /"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line)
    }

    #[test]
    fn lines_become_commands() {
        let close = |code, reason| Command::Close(Some(CloseFrame::new(code, reason).unwrap()));
        let text = |text: &str| Command::Text(text.to_owned());
        for (line, command) in [
            ("hello /x", text("hello /x")),
            (" /ping", text(" /ping")),
            ("//ping", text("/ping")),
            ("/text  /x ", text(" /x ")),
            ("/text", text("")),
            ("/ping ", Command::Ping),
            ("/close", Command::Close(None)),
            ("/close 4000 see  you", close(4000, "see  you")),
            ("/close 1000", close(1000, "")),
            ("/hex 00 fF1b", Command::Binary(vec![0, 255, 27])),
            ("/hex", Command::Binary(vec![])),
            ("/base64 AP8b", Command::Binary(vec![0, 255, 27])),
            ("/file a b", Command::File("a b".to_owned())),
            ("/time on", Command::Times(true)),
            ("/time off", Command::Times(false)),
            ("/all", Command::All(None)),
            ("/all 7", Command::All(Some(7))),
            ("/help", Command::Help),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, text) in [
            ("/fly", "no command /fly; /help lists them, //fly sends a text"),
            ("/ping 1", "/ping takes nothing"),
            ("/time", "/time takes on or off"),
            ("/hex 123", "an odd number of hexadecimal digits"),
            ("/hex xy", "not hexadecimal: 'x'"),
            ("/file", "/file takes a path"),
            ("/all x", "/all takes the number of a message"),
            ("/close now", "now is no close code"),
        ] {
            assert_eq!(parse(line), Err(text.to_owned()), "{line}");
        }
        assert!(parse("/base64 ?").is_err_and(|text| text.starts_with("not base64: ")));
        assert!(parse("/close 1006").is_err_and(|text| text.contains("1006")));
    }

    #[test]
    fn help_names_what_there_is() {
        for (usage, _) in COMMANDS {
            assert!(help().contains(usage));
            let name = usage.split(' ').next().unwrap();
            let refused = parse(name).is_err_and(|text| text.starts_with("no command"));
            assert!(!refused, "{name}");
        }
    }
}
