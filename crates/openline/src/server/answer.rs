//! Which answer a server gives to a request.

use std::os::fd::OwnedFd;
use std::time::SystemTime;

use openline_proto::extension::deflate::PerMessageDeflate;
use openline_proto::extension::{self, Agreed};
use openline_proto::handshake::HandshakeError;
use openline_proto::handshake::server::{ReceivedRequest, ServerOpen, ServerReply};
use openline_proto::http::{Headers, InvalidField, Response};

use super::incoming::Incoming;
use super::lobby::LobbyOptions;
use super::options::Options;
use crate::client::Client;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::extensions::Extensions;
use crate::opening::Opening;

/// What a request is answered with.
#[derive(Debug)]
pub(super) enum Answer {
    Accept(ServerOpen, Vec<Agreed>),
    Refuse(Response, HandshakeError),
}

impl Answer {
    /// For a request with a fault.
    fn of(error: HandshakeError) -> Answer {
        Answer::Refuse(error.response(), error)
    }
}

impl Options {
    /// The answer of a server with these options.
    pub(super) fn answer(&self, received: &ReceivedRequest) -> Answer {
        let refusal = self.on_request.as_ref().and_then(|look| look(received.request()));
        let mut answer = match refusal {
            Some(response) => {
                Answer::Refuse(response.clone(), HandshakeError::InvalidStatus(response.into()))
            }
            None => self.negotiate(received.clone()),
        };
        let response = match &mut answer {
            Answer::Accept(ServerOpen { response, .. }, _) | Answer::Refuse(response, _) => {
                response
            }
        };
        if let Err(fault) = self.sign(&mut response.headers) {
            return Answer::of(HandshakeError::InvalidField(fault));
        }
        answer
    }

    fn negotiate(&self, received: ReceivedRequest) -> Answer {
        let request = match received.check() {
            Ok(request) => request,
            Err(error) => return Answer::of(error),
        };
        let origin = request.origin();
        let is_allowed = self.is_origin_allowed.as_ref();
        if is_allowed.is_some_and(|is_allowed| !is_allowed(origin)) {
            return Answer::of(HandshakeError::InvalidOrigin(origin.map(str::to_owned)));
        }
        let offered = request.subprotocols();
        let mut reply = ServerReply::default();
        reply.subprotocol = match &self.select_subprotocol {
            Some(select) => select(request.request(), offered),
            None => self.subprotocols.iter().find(|name| offered.contains(name)).cloned(),
        };
        let agreed = extension::answer(&self.extensions.list(), request.extensions());
        reply.extensions = agreed.iter().map(|agreed| agreed.params.clone()).collect();
        match request.accept(reply) {
            Ok((_, open)) => Answer::Accept(open, agreed),
            // The client has done nothing wrong.
            Err(error) => Answer::Refuse(Response::new(500, "Internal Server Error"), error),
        }
    }

    /// Says when, and by whom, an answer was given.
    fn sign(&self, headers: &mut Headers) -> std::result::Result<(), InvalidField> {
        if headers.get("Date").is_none() {
            // RFC 9110 §6.6.1: an origin server with a clock MUST generate a Date header field.
            headers.append("Date", &httpdate::fmt_http_date(SystemTime::now()))?;
        }
        match &self.server_header {
            Some(name) if headers.get("Server").is_none() => headers.append("Server", name),
            _ => Ok(()),
        }
    }

    /// Answers a request.
    ///
    /// # Errors
    ///
    /// It is refused, or the answer could not be sent.
    pub(super) fn open(&self, incoming: Incoming, opening: &Opening<'_>) -> Result<Connection> {
        match self.answer(incoming.received()) {
            Answer::Accept(ServerOpen { response, subprotocol, .. }, agreed) => {
                incoming.open(response, subprotocol, agreed, &self.settings, opening)
            }
            Answer::Refuse(response, error) => {
                incoming.refuse(&response, opening)?;
                Err(error.into())
            }
        }
    }
}

/// Shakes hands over a socket with a client that has these settings: they hold for this side, too.
pub(crate) fn open_for(client: &Client, socket: OwnedFd) -> Result<Connection> {
    let options = Options {
        lobby: LobbyOptions { open_timeout: client.open_timeout, ..LobbyOptions::default() },
        subprotocols: client.subprotocols.clone(),
        extensions: Extensions::new(PerMessageDeflate::server()),
        settings: client.settings.clone(),
        ..Options::default()
    };
    let opening = Opening::new(Deadline::from(client.open_timeout), &|| false);
    options.open(Incoming::receive(socket, &opening, None)?, &opening)
}
