//! The way to an open connection: network or given stream, proxy, TLS, handshake, redirects; all of
//! it under one deadline.

use std::io;
use std::path::Path;
use std::sync::Arc;

use openline_proto::extension;
use openline_proto::handshake::client::{ClientHandshake, ClientOffer, ClientOpen, ClientProgress};
use openline_proto::handshake::{ExtensionParams, HandshakeError};
use openline_proto::http::{Headers, Request, Response};
use openline_proto::redirect::{self, RedirectError};
use openline_proto::{Role, Uri};

use super::Client;
use crate::address;
use crate::connection::{Connection, Established};
use crate::deadline::Deadline;
use crate::dial::{self, Callee};
use crate::driver::Driver;
use crate::error::{Error, Result, TlsError};
use crate::journal::{CLIENT, Journal, SERVER, Way};
use crate::keys;
use crate::line::Settings;
use crate::opening::Opening;
use crate::proxy::{self, Tunnel};
use crate::timings::{Timings, timed};
use crate::transport::{Carried, Socket, Stream, Transport};

/// Where a connection starts from.
#[derive(Debug)]
pub(super) enum Start<'a> {
    Network,
    Stream(Stream),
    Unix(&'a Path),
    /// The stream was given, and has been used.
    Used,
}

impl Client {
    pub(super) fn open(
        &self,
        start: Start<'_>,
        uri: &str,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Connection> {
        self.check()?;
        let journal = self.settings.journal.clone().or_else(|| Journal::for_target(CLIENT));
        let outcome = self.open_noting(start, uri, give_up, journal.as_ref());
        if let Some(journal) = &journal {
            journal.report();
        }
        outcome
    }

    /// Opens a connection, following redirects. What happens on the way is noted in the journal, which is
    /// the connection's then.
    fn open_noting(
        &self,
        mut start: Start<'_>,
        uri: &str,
        give_up: &dyn Fn() -> bool,
        journal: Option<&Journal>,
    ) -> Result<Connection> {
        let mut uri = Uri::parse(uri)?;
        let mut headers = self.headers.clone();
        let opening = Opening::new(Deadline::from(self.open_timeout), give_up);
        let mut timings = Timings::default();
        for redirects in 0.. {
            let opened =
                self.open_once(&mut start, &uri, &headers, &opening, &mut timings, journal);
            let response = match opened {
                Err(Error::Handshake(HandshakeError::InvalidStatus(response))) => response,
                outcome => return outcome,
            };
            let Some(location) = redirect::location(&response) else {
                return Err(HandshakeError::InvalidStatus(response).into());
            };
            let target = self.follow(&start, &uri, location)?;
            if redirects == self.max_redirects {
                let text = format!("more than {redirects} redirects, the last one to {target}");
                return Err(HandshakeError::SecurityError(text).into());
            }
            if !target.is_same_origin(&uri) {
                redirect::strip_credentials(&mut headers);
            }
            uri = target;
        }
        unreachable!("bug: more redirects than a number can count")
    }

    fn open_once(
        &self,
        start: &mut Start<'_>,
        uri: &Uri,
        headers: &Headers,
        opening: &Opening<'_>,
        timings: &mut Timings,
        journal: Option<&Journal>,
    ) -> Result<Connection> {
        // What cannot be asked for fails before anything is opened.
        let extensions = self.extensions.list();
        let handshake = self.handshake(uri, headers, extension::offers(&extensions))?;
        let Carried { mut transport, addresses } = self.start(start, uri, opening, timings)?;
        let server_name = self.server_hostname.as_deref().unwrap_or(uri.host());
        if uri.is_secure() {
            transport =
                timed(&mut timings.tls, || self.tls.secure(transport, server_name, opening))?;
        }
        let shake_hands = || {
            let open = shake_hands(&*transport, handshake, server_name, opening, journal)?;
            let extensions = extension::accept(&extensions, &open.extensions)?;
            Ok((open, extensions))
        };
        let outcome: Result<_> = timed(&mut timings.http, shake_hands);
        if let Some(journal) = journal {
            match &outcome {
                Ok(_) => journal.state("OPEN"),
                Err(_) => {
                    journal.end_of_stream(Way::Sent);
                    journal.state("CLOSED");
                }
            }
        }
        let (open, extensions) = outcome?;
        let driver = Driver::shared().map_err(no_driver)?;
        let established = Established {
            addresses,
            request: open.request,
            response: open.response,
            subprotocol: open.subprotocol,
            extensions,
            timings: *timings,
        };
        let settings = Settings { journal: journal.cloned(), ..self.settings.clone() };
        Ok(Connection::new(transport, Role::Client, settings, &open.leftover, driver, established))
    }

    /// A connection without a handshake of ours.
    pub(super) fn take_over(
        &self,
        stream: Stream,
        role: Role,
        leftover: &[u8],
    ) -> Result<Connection> {
        self.check()?;
        let Carried { transport, addresses } = stream.carry()?;
        let driver = Driver::shared().map_err(no_driver)?;
        let established = Established {
            addresses,
            request: Request::new("", ""),
            response: Response::new(0, ""),
            subprotocol: None,
            extensions: Vec::new(),
            timings: Timings::default(),
        };
        let mut settings = self.settings.clone();
        let target = if role == Role::Client { CLIENT } else { SERVER };
        settings.journal = settings.journal.or_else(|| Journal::for_target(target));
        Ok(Connection::new(transport, role, settings, leftover, driver, established))
    }

    fn handshake(
        &self,
        uri: &Uri,
        headers: &Headers,
        extensions: Vec<ExtensionParams>,
    ) -> Result<ClientHandshake> {
        let mut offer = ClientOffer::default();
        offer.origin = self.origin.clone();
        offer.subprotocols = self.subprotocols.clone();
        offer.extensions = extensions;
        offer.additional_headers = headers.clone();
        offer.user_agent = self.user_agent.clone();
        Ok(ClientHandshake::new(uri, offer, keys::random())?)
    }

    /// A stream to the server, without its TLS.
    fn start(
        &self,
        start: &mut Start<'_>,
        uri: &Uri,
        opening: &Opening<'_>,
        timings: &mut Timings,
    ) -> Result<Carried> {
        match start {
            Start::Network => self.dial(uri, opening, timings),
            Start::Unix(path) => {
                let socket = dial::unix(path, opening, timings)?;
                let addresses = address::of(&socket, Some(path));
                Ok(Carried { transport: Arc::new(Socket::new(socket)), addresses })
            }
            Start::Stream(_) | Start::Used => match std::mem::replace(start, Start::Used) {
                Start::Stream(stream) => stream.carry(),
                _ => unreachable!("bug: a stream is used once"),
            },
        }
    }

    fn dial(&self, uri: &Uri, opening: &Opening<'_>, timings: &mut Timings) -> Result<Carried> {
        let (host, port) = match &self.address {
            Some((host, port)) => (host.as_str(), *port),
            None => (uri.host(), uri.port()),
        };
        let Some(proxy) = self.proxy.choose(uri)? else {
            let target = (host, port);
            let socket = dial::tcp(target, Callee::Server, &self.dialing, opening, timings)?;
            let addresses = address::of(&socket, None);
            return Ok(Carried { transport: Arc::new(Socket::new(socket)), addresses });
        };
        let tunnel = Tunnel {
            proxy: &proxy,
            tls: &*self.proxy_tls,
            server_name: self.proxy_server_hostname.as_deref().unwrap_or(proxy.host()),
            user_agent: self.user_agent.as_deref(),
            dialing: &self.dialing,
        };
        tunnel.open((host, port), opening, timings)
    }

    /// Where a redirect leads, if it may be followed.
    fn follow(&self, start: &Start<'_>, from: &Uri, location: &str) -> Result<Uri> {
        let refuse = |to: &dyn std::fmt::Display, why| {
            Err(Error::Argument(format!("cannot follow redirect to {to} {why}")))
        };
        if matches!(start, Start::Used) {
            return refuse(&location, "over a stream that was given; connect to that URI anew");
        }
        let target = redirect::follow(from, location).map_err(|error| match error {
            RedirectError::InvalidUri(error) => Error::InvalidUri(error),
            error => HandshakeError::SecurityError(error.to_string()).into(),
        })?;
        if target.is_same_origin(from) {
            return Ok(target);
        }
        match start {
            Start::Unix(_) => refuse(&target, "of another origin with a Unix socket"),
            _ if self.address.is_some() => {
                refuse(&target, "of another origin with an explicit host and port")
            }
            _ => Ok(target),
        }
    }
}

/// Sends the request and reads the response.
fn shake_hands(
    transport: &dyn Transport,
    mut handshake: ClientHandshake,
    server_name: &str,
    opening: &Opening<'_>,
    journal: Option<&Journal>,
) -> Result<ClientOpen> {
    if let Some(journal) = journal {
        journal.state("CONNECTING");
        journal.request(Way::Sent, handshake.request());
    }
    let mut response = Vec::new();
    let mut request = Vec::new();
    handshake.encode_request(&mut request);
    let mut sent = 0;
    let mut buffer = vec![0; RESPONSE_READ_LEN];
    loop {
        // A server may refuse, and close, before it has read the request.
        let interest = proxy::push(transport, &request, &mut sent);
        match transport.try_read(&mut buffer) {
            Ok(0) => return Err(refused(handshake.receive_eof(), &response, journal)),
            Ok(len) => {
                if journal.is_some() {
                    response.extend_from_slice(&buffer[..len]);
                }
                match handshake.receive(&buffer[..len]) {
                    Ok(ClientProgress::Open(open)) => {
                        if let Some(journal) = journal {
                            journal.response(Way::Received, &open.response);
                        }
                        return Ok(open);
                    }
                    Ok(ClientProgress::Pending(pending)) => handshake = pending,
                    Err(error) => return Err(refused(error, &response, journal)),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                opening.wait(transport, interest)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A server that wants a certificate of ours says so now, after the TLS handshake
            // (RFC 8446 §4.4.2.4).
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Error::Tls(TlsError::new(server_name, error)));
            }
            Err(_) => return Err(refused(handshake.receive_eof(), &response, journal)),
        }
        opening.check()?;
    }
}

/// The error of a handshake that failed. The response is noted, if there is one.
fn refused(error: HandshakeError, bytes: &[u8], journal: Option<&Journal>) -> Error {
    if let Some(journal) = journal {
        match &error {
            HandshakeError::InvalidStatus(response) => journal.response(Way::Received, response),
            _ => match Response::parse_head(bytes) {
                Some(response) if response.status_code == 101 => {
                    journal.response(Way::Received, &response);
                }
                _ => {}
            },
        }
    }
    error.into()
}

pub(crate) fn no_driver(error: io::Error) -> Error {
    Error::System { action: "start the driver's thread".to_owned(), error }
}

/// Read at once during the handshake; a response has some 200 bytes.
const RESPONSE_READ_LEN: usize = 4096;
