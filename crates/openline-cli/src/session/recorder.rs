//! Writing a session, as it happens.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openline::http::Headers;
use openline::{CloseFrame, Closed, Connection, Kind};
use serde_json::{Value, json};

use super::{Side, VERSION};
use crate::failure::{Failure, Outcome};
use crate::output;

/// Shared by the threads of a session. Each line is written by itself: what was recorded is in the file, whatever
/// happens next.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    started: Instant,
    messages: u64,
}

impl Recorder {
    /// Makes the file, or empties it.
    pub(crate) fn create(path: &Path) -> Outcome<Recorder> {
        let file =
            File::create(path).map_err(Failure::system(format!("write to {}", path.display())))?;
        let state = State { file, started: Instant::now(), messages: 0 };
        Ok(Recorder { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// The connection to the server is open: the time begins.
    pub(crate) fn opened(&self, uri: &str, connection: &Connection) -> Outcome<()> {
        let (request, response) = (connection.request(), connection.response());
        let line = format!(
            "{{\"openline_session\":{VERSION},\"time_ns\":{},\"uri\":{},\"request\":{},\"response\":{},\
             \"subprotocol\":{}}}\n",
            output::now(),
            json!(without_password(uri)),
            json!({"path": request.path, "headers": fields(&request.headers)}),
            json!({"status": response.status_code, "headers": fields(&response.headers)}),
            json!(connection.subprotocol()),
        );
        self.write(|state| {
            state.started = Instant::now();
            state.file.write_all(line.as_bytes())
        })
    }

    pub(crate) fn message(&self, from: Side, kind: Kind, payload: &[u8]) -> Outcome<()> {
        let content = match (kind, std::str::from_utf8(payload)) {
            (Kind::Text, Ok(text)) => format!("\"kind\":\"text\",\"data\":{}", json!(text)),
            _ => format!("\"kind\":\"binary\",\"base64\":\"{}\"", STANDARD.encode(payload)),
        };
        let from = from.name();
        self.write(|state| {
            state.messages += 1;
            let at = state.started.elapsed().as_nanos();
            let line = format!("{{\"at_ns\":{at},\"from\":\"{from}\",{content}}}\n");
            state.file.write_all(line.as_bytes())
        })
    }

    /// The client's end of the connection to the server is closed.
    pub(crate) fn ended(&self, closed: &Closed) -> Outcome<()> {
        let frame = |close: Option<&CloseFrame>| -> Value {
            close.map_or(
                Value::Null,
                |close| json!({"code": u16::from(close.code()), "reason": close.reason()}),
            )
        };
        let first = closed.received_first().map(|received_first| {
            if received_first { Side::Server.name() } else { Side::Client.name() }
        });
        let content = format!(
            "\"kind\":\"end\",\"first\":{},\"client\":{},\"server\":{},\"cause\":{}",
            json!(first),
            frame(closed.sent()),
            frame(closed.received()),
            json!(closed.cause().to_string()),
        );
        self.write(|state| {
            let at = state.started.elapsed().as_nanos();
            state.file.write_all(format!("{{\"at_ns\":{at},{content}}}\n").as_bytes())
        })
    }

    /// How many messages there are so far.
    pub(crate) fn messages(&self) -> u64 {
        self.state.lock().unwrap_or_else(|error| error.into_inner()).messages
    }

    /// Under the lock, so that times do not go back.
    fn write(&self, write: impl FnOnce(&mut State) -> io::Result<()>) -> Outcome<()> {
        let mut state = self.state.lock().unwrap_or_else(|error| error.into_inner());
        write(&mut state).map_err(Failure::system(format!("write to {}", self.path.display())))
    }
}

/// Headers as pairs, in their order. A recording is passed around: passwords and cookies do not belong there.
fn fields(headers: &Headers) -> Value {
    let field = |(name, value): (&str, &str)| {
        let is_secret = SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(name));
        json!([name, if is_secret { "(not recorded)" } else { value }])
    };
    headers.iter().map(field).collect()
}

/// A URI without the name and password that may stand before its host.
fn without_password(uri: &str) -> String {
    let start = uri.find("://").map_or(0, |scheme| scheme + 3);
    let end = uri[start..].find(['/', '?']).map_or(uri.len(), |len| start + len);
    let host = uri[start..end].rfind('@').map_or(start, |at| start + at + 1);
    format!("{}{}", &uri[..start], &uri[host..])
}

const SECRETS: [&str; 4] = ["Authorization", "Cookie", "Proxy-Authorization", "Set-Cookie"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_left_out_of_a_uri() {
        for (uri, recorded) in [
            ("ws://ann:secret@localhost:1/a@b", "ws://localhost:1/a@b"),
            ("wss://ann@localhost?x", "wss://localhost?x"),
            ("ws://localhost/", "ws://localhost/"),
        ] {
            assert_eq!(without_password(uri), recorded);
        }
    }
}
