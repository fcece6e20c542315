//! Between a client and a server: what each sends is recorded, and passed on.
//!
//! Messages are passed on, not frames: each side has a connection of its own, with its own pings and compression.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use openline::handshake::server::ServerReply;
use openline::http::{Headers, Response};
use openline::transport::Opening;
use openline::{
    Arrival, Client, CloseCode, Closed, Connection, Deadline, Error, Incoming, Lobby, LobbyOptions,
};

use super::end;
use crate::args::RecordArgs;
use crate::failure::{Failure, Outcome};
use crate::line::{Ending, Line};
use crate::session::{Recorder, Side};
use crate::talk;
use crate::target::Target;

/// Records what the first client does.
pub(super) fn run(
    args: &RecordArgs,
    address: &str,
    target: &Target,
    line: &Arc<Line>,
    recorder: &Recorder,
) -> Outcome<()> {
    let deadline = Deadline::from(args.timeout);
    let fail = || Failure::system(format!("listen on {address}"));
    let listener = TcpListener::bind(address).map_err(fail())?;
    let local = listener.local_addr().map_err(fail())?;
    let lobby = Lobby::new(listener, LobbyOptions::default())?;
    talk::tell(format_args!("recording at ws://{local}/"));
    let Some((client, server)) = wait_for_client(args, lobby, target, line, deadline)? else {
        return match line.take_ending() {
            Some(Ending::Interrupted(_)) | None => Ok(()),
            Some(ending) => ending.into_outcome(),
        };
    };
    target.verbose.opened(&server);
    recorder.opened(&args.target.uri, &server)?;
    line.opened(&server);
    thread::scope(|scope| {
        scope.spawn(|| pass_on(Side::Client, &client, &server, line, recorder));
        scope.spawn(|| pass_on(Side::Server, &server, &client, line, recorder));
        // Not interruptible.
        if let Ok(false) = server.wait_closed(deadline) {
            line.end(Ending::TimedOut);
        }
    });
    let _ = client.wait_closed(Deadline::NEVER);
    end(&server, line, recorder)
}

/// The first client, and a connection to the server for it. Nobody else is let in after it.
fn wait_for_client(
    args: &RecordArgs,
    mut lobby: Lobby,
    target: &Target,
    line: &Arc<Line>,
    deadline: Deadline,
) -> Outcome<Option<(Connection, Connection)>> {
    loop {
        match lobby.next() {
            Some(Arrival::Request(incoming)) => {
                if let Some(pair) = connect(args, *incoming, target, line)? {
                    return Ok(Some(pair));
                }
            }
            Some(Arrival::Failed(error)) => talk::say(error),
            None if line.is_ending() || deadline.has_passed() => return Ok(None),
            None => lobby.turn(deadline.min(Deadline::from(SLICE)))?,
        }
    }
}

/// `None` if it is no client for a WebSocket, or has gone.
fn connect(
    args: &RecordArgs,
    incoming: Incoming,
    target: &Target,
    line: &Arc<Line>,
) -> Outcome<Option<(Connection, Connection)>> {
    let give_up = || line.is_ending();
    let opening = Opening::new(incoming.deadline(), &give_up);
    let refuse = |incoming: Incoming, response: &Response| {
        if let Err(error) = incoming.refuse(response, &opening) {
            talk::say(error);
        }
    };
    let request = match incoming.received().clone().check() {
        Ok(request) => request,
        Err(error) => {
            talk::say(format_args!("{}: {error}", incoming.remote_address()));
            refuse(incoming, &error.response());
            return Ok(None);
        }
    };
    let target = target.clone().try_with(|client| {
        like_the_client(
            client.subprotocols(request.subprotocols()),
            &incoming.request().headers,
            args,
        )
    })?;
    let server = match target.connect(line) {
        Ok(server) => server,
        Err(error) => {
            refuse(incoming, &Response::new(502, "Bad Gateway"));
            return match line.take_ending() {
                Some(Ending::Interrupted(_)) => Ok(None),
                _ => Err(error.into()),
            };
        }
    };
    let mut reply = ServerReply::default();
    reply.subprotocol = server.subprotocol().map(str::to_owned);
    let (_, open) = request.accept(reply).map_err(Error::Handshake)?;
    let like = Client::new().max_size(None);
    let accepted = incoming.accept(open.response, open.subprotocol, Vec::new(), &like, &opening);
    Ok(Some((accepted?, server)))
}

/// The client's headers go to the server, but for those that belong to its own connection, and those that the
/// arguments set.
fn like_the_client(
    mut client: Client,
    headers: &Headers,
    args: &RecordArgs,
) -> openline::Result<Client> {
    let target = &args.target;
    for (name, value) in headers {
        let is = |other: &&str| other.eq_ignore_ascii_case(name);
        let is_given = target.header.iter().any(|(given, _)| given.eq_ignore_ascii_case(name))
            || (is(&"Cookie") && !target.cookie.is_empty())
            || (is(&"Authorization") && target.user.is_some());
        if is_given || OF_THE_CONNECTION.iter().any(is) || is_of_handshake(name) {
            continue;
        }
        client = match name {
            _ if is(&"Origin") && target.origin.is_some() => client,
            _ if is(&"Origin") => client.origin(value),
            _ if is(&"User-Agent") && target.user_agent.is_some() => client,
            _ if is(&"User-Agent") => client.user_agent(Some(value)),
            _ => client.header(name, value)?,
        };
    }
    Ok(client)
}

fn is_of_handshake(name: &str) -> bool {
    let prefix = name.get(..OF_HANDSHAKE.len());
    prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(OF_HANDSHAKE))
}

fn pass_on(side: Side, from: &Connection, to: &Connection, line: &Line, recorder: &Recorder) {
    loop {
        match from.recv() {
            // What comes for one that has gone is not a part of the session.
            Ok(_) if to.is_closed() => {}
            Ok(message) => {
                let recorded = recorder.message(side, message.kind(), message.as_bytes());
                match recorded.and_then(|()| Ok(to.send(&message)?)) {
                    Ok(()) | Err(Failure::Openline(Error::Closed(_))) => {}
                    Err(failure) => line.end(Ending::Failed(failure)),
                }
            }
            Err(Error::Closed(closed)) => return close_alike(to, &closed),
            Err(error) => {
                line.end(Ending::Failed(error.into()));
                from.abort();
            }
        }
    }
}

/// Ends a connection as the other one has ended.
fn close_alike(connection: &Connection, other: &Closed) {
    match other.received() {
        Some(close) => {
            let code = match close.code() {
                // There was no code, and there has to be one here.
                CloseCode::NO_STATUS_RCVD => CloseCode::NORMAL_CLOSURE,
                code => code,
            };
            // A legal frame; and if it has ended already, that is what was wanted.
            let _ = connection.start_close(code.into(), close.reason());
        }
        None => connection.abort(),
    }
}

const OF_HANDSHAKE: &str = "Sec-WebSocket-";

/// RFC 9110 §7.6.1: what an intermediary does not forward; and Host, which is that of the URI.
const OF_THE_CONNECTION: [&str; 10] = [
    "Connection",
    "Content-Length",
    "Host",
    "Keep-Alive",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

/// How long nobody looks whether it is over.
const SLICE: Duration = Duration::from_millis(50);
