//! Reading a session, and telling what is wrong with it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openline::{CloseFrame, Message};
use serde_json::{Map, Value};

use super::{End, Recorded, Session, Side, VERSION};
use crate::failure::{Failure, Outcome};

impl Session {
    pub(crate) fn read(path: &Path) -> Outcome<Session> {
        let unreadable = || Failure::system(format!("read {}", path.display()));
        let file = File::open(path).map_err(unreadable())?;
        let mut lines = BufReader::new(file).split(b'\n').zip(1_u64..);
        let at = |number: u64, what: String| {
            Failure::Usage(format!("{}, line {number}: {what}", path.display()))
        };
        let Some((head, number)) = lines.next() else {
            return Err(at(1, "is not there: the file is empty".to_owned()));
        };
        let head = object(&head.map_err(unreadable())?).map_err(|what| at(number, what))?;
        let subprotocol = subprotocol(&head).map_err(|what| at(number, what))?;
        let mut session = Session { subprotocol, messages: Vec::new(), end: None };
        for (line, number) in lines {
            session.add(&line.map_err(unreadable())?).map_err(|what| at(number, what))?;
        }
        Ok(session)
    }

    fn add(&mut self, line: &[u8]) -> Result<(), String> {
        if self.end.is_some() {
            return Err("comes after the end of the session".to_owned());
        }
        let line = object(line)?;
        let at = Duration::from_nanos(number(&line, "at_ns")?);
        if self.messages.last().is_some_and(|last| last.at > at) {
            return Err("at_ns is less than in the line before".to_owned());
        }
        let message = match text(&line, "kind")? {
            "text" => Message::from(text(&line, "data")?),
            "binary" => {
                let bytes = STANDARD.decode(text(&line, "base64")?);
                Message::Binary(bytes.map_err(|error| format!("base64: {error}"))?)
            }
            "end" => {
                let first = match line.get("first") {
                    None | Some(Value::Null) => None,
                    Some(_) => Some(side(&line, "first")?),
                };
                let [client, server] = [close(&line, "client")?, close(&line, "server")?];
                self.end = Some(End { at, first, client, server });
                return Ok(());
            }
            other => return Err(format!("kind is {other:?}, not \"text\", \"binary\" or \"end\"")),
        };
        self.messages.push(Recorded { at, from: side(&line, "from")?, message });
        Ok(())
    }
}

fn object(line: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("is no JSON object".to_owned()),
        Err(error) => Err(format!("is no JSON: {error}")),
    }
}

/// The first line: what is a session, and one that can be understood.
fn subprotocol(head: &Map<String, Value>) -> Result<Option<String>, String> {
    match head.get("openline_session").map(Value::as_u64) {
        Some(Some(VERSION)) => {}
        Some(version) => {
            let version =
                version.map_or("something else".to_owned(), |version| version.to_string());
            return Err(format!(
                "openline_session is {version}; this openline understands {VERSION}"
            ));
        }
        None => {
            return Err("is not the head of a session: openline_session is not there".to_owned());
        }
    }
    match head.get("subprotocol") {
        None | Some(Value::Null) => Ok(None),
        Some(_) => text(head, "subprotocol").map(|name| Some(name.to_owned())),
    }
}

fn text<'l>(line: &'l Map<String, Value>, name: &str) -> Result<&'l str, String> {
    let value = line.get(name).ok_or_else(|| format!("{name} is not there"))?;
    value.as_str().ok_or_else(|| format!("{name} is no string"))
}

fn number(line: &Map<String, Value>, name: &str) -> Result<u64, String> {
    let value = line.get(name).ok_or_else(|| format!("{name} is not there"))?;
    value.as_u64().ok_or_else(|| format!("{name} is no whole number from 0"))
}

fn side(line: &Map<String, Value>, name: &str) -> Result<Side, String> {
    match text(line, name)? {
        "client" => Ok(Side::Client),
        "server" => Ok(Side::Server),
        other => Err(format!("{name} is {other:?}, not \"client\" or \"server\"")),
    }
}

/// A Close frame; one without a code has 1005 here.
fn close(line: &Map<String, Value>, name: &str) -> Result<Option<CloseFrame>, String> {
    let Some(Value::Object(frame)) = line.get(name) else { return Ok(None) };
    let code = number(frame, "code")?;
    if code == 1005 {
        return Ok(Some(CloseFrame::without_code()));
    }
    let code = u16::try_from(code).map_err(|_| format!("{code} is no close code"))?;
    CloseFrame::new(code, text(frame, "reason")?).map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn session(lines: &[&str]) -> Result<Session, String> {
        let mut session = Session { subprotocol: None, messages: Vec::new(), end: None };
        for line in lines {
            session.add(line.as_bytes())?;
        }
        Ok(session)
    }

    #[test]
    fn lines_become_messages_and_an_end() {
        let session = session(&[
            r#"{"at_ns":1,"from":"client","kind":"text","data":"hällo"}"#,
            r#"{"at_ns":1,"from":"server","kind":"binary","base64":"AAE="}"#,
            r#"{"at_ns":9,"kind":"end","first":"server","client":{"code":1000,"reason":""},"server":{"code":1005,"reason":""},"cause":"x"}"#,
        ])
        .unwrap();
        let sent: Vec<_> = session.messages_from(Side::Client).collect();
        assert_eq!(sent, [&Message::from("hällo")]);
        let received: Vec<_> = session.messages_from(Side::Server).collect();
        assert_eq!(received, [&Message::Binary(vec![0, 1])]);
        let end = session.end.as_ref().unwrap();
        assert_eq!((end.at, end.first), (Duration::from_nanos(9), Some(Side::Server)));
        assert_eq!(session.close_by(Side::Server), Some(&CloseFrame::without_code()));
        assert_eq!(session.close_by(Side::Client), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, what) in [
            ("", "is no JSON: "),
            ("[]", "is no JSON object"),
            ("{}", "at_ns is not there"),
            (r#"{"at_ns":-1}"#, "at_ns is no whole number from 0"),
            (r#"{"at_ns":1,"kind":"ping"}"#, "kind is \"ping\""),
            (r#"{"at_ns":1,"kind":"text","data":1}"#, "data is no string"),
            (r#"{"at_ns":1,"kind":"binary","base64":"?"}"#, "base64: "),
            (r#"{"at_ns":1,"kind":"text","data":"","from":"me"}"#, "from is \"me\""),
            (r#"{"at_ns":1,"kind":"end","client":{"code":1006,"reason":""}}"#, "1006"),
            (r#"{"at_ns":1,"kind":"end","client":{"code":99999,"reason":""}}"#, "99999"),
        ] {
            let error = session(&[line]).unwrap_err();
            assert!(error.contains(what), "{error:?} for {line}");
        }
        let message = r#"{"at_ns":5,"from":"client","kind":"text","data":""}"#;
        let earlier = r#"{"at_ns":4,"from":"client","kind":"text","data":""}"#;
        assert!(session(&[message, earlier]).unwrap_err().contains("less than"));
        let end = r#"{"at_ns":6,"kind":"end"}"#;
        assert!(session(&[message, end, message]).unwrap_err().contains("after the end"));
    }

    #[test]
    fn the_head_says_what_it_is() {
        let head = |text: &str| subprotocol(&object(text.as_bytes()).unwrap());
        assert_eq!(head(r#"{"openline_session":1}"#), Ok(None));
        let with = r#"{"openline_session":1,"subprotocol":"chat"}"#;
        assert_eq!(head(with), Ok(Some("chat".to_owned())));
        assert!(head("{}").unwrap_err().contains("not the head of a session"));
        assert!(head(r#"{"openline_session":2}"#).unwrap_err().contains("understands 1"));
        assert!(head(r#"{"openline_session":"x"}"#).unwrap_err().contains("something else"));
    }
}
