//! How a client's request is received, without waiting: TLS, then the head of an HTTP request, or the answer to
//! what is none.
//!
//! ```text
//! Securing ─▶ Asking ─▶ (the request: Incoming)
//!                └────▶ Refusing ─▶ (the fault)
//! ```

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use openline_proto::handshake::HandshakeError;
use openline_proto::handshake::server::{ReceivedRequest, ServerHandshake, ServerProgress};
use openline_proto::http::{Limits, Request, Response};

use super::incoming::Incoming;
use super::refusal::Refusal;
use crate::address::Address;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::journal::{Journal, SERVER};
use crate::sync;
use crate::timings::Timings;
use crate::transport::{Carried, Interest, ServerTls, Stream, TlsHandshake, Transport};

/// A client whose request has not come yet.
#[derive(Debug)]
pub(super) struct Reception {
    stage: Stage,
    addresses: (Address, Address),
    journal: Option<Journal>,
    timings: Timings,
}

#[derive(Debug)]
enum Stage {
    Securing { handshake: Box<dyn TlsHandshake>, below: Arc<dyn Transport>, since: Instant },
    Asking(Arc<dyn Transport>, ServerHandshake),
    Refusing(Refusal, Error),
    Over,
}

/// How far a reception is.
#[derive(Debug)]
pub(super) enum Step {
    /// It waits for the client.
    Wait(Interest),
    Arrived(Box<Incoming>),
    /// There will be no request; the client has its answer if it gets one.
    Failed(Error),
}

impl Reception {
    /// Of a client that is connected.
    ///
    /// # Errors
    ///
    /// It is not any more, or TLS cannot be begun.
    pub(super) fn new(
        stream: Stream,
        tls: Option<&dyn ServerTls>,
        journal: Option<Journal>,
    ) -> Result<Reception> {
        let Carried { transport, addresses } = stream.carry()?;
        let stage = match tls {
            None => ask(transport),
            Some(tls) => Stage::Securing {
                handshake: tls.begin(transport.clone())?,
                below: transport,
                since: sync::now(),
            },
        };
        let journal = journal.or_else(|| Journal::for_target(SERVER));
        if let Some(journal) = &journal {
            journal.state("CONNECTING");
        }
        Ok(Reception { stage, addresses, journal, timings: Timings::default() })
    }

    /// Of a client that has arrived, and is refused all the same.
    pub(super) fn refusing(
        refusal: Refusal,
        error: Error,
        addresses: (Address, Address),
    ) -> Reception {
        let stage = Stage::Refusing(refusal, error);
        Reception { stage, addresses, journal: None, timings: Timings::default() }
    }

    /// Refuses a client whatever it will ask for; whether it can be told so, which TLS may stand in the way of.
    pub(super) fn refuse_early(&mut self, response: Response) -> bool {
        let Stage::Asking(transport, _) = &self.stage else { return false };
        let error = HandshakeError::InvalidStatus(response.clone().into()).into();
        let bytes = ReceivedRequest::new(Request::new("GET", "/")).reject(response);
        self.stage = self.refuse(transport.clone(), bytes, error);
        true
    }

    /// Goes on as far as it can without waiting.
    pub(super) fn step(&mut self) -> Step {
        loop {
            let outcome = match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Securing { handshake, below, since } => self.secure(handshake, below, since),
                Stage::Asking(transport, handshake) => self.ask(transport, handshake),
                Stage::Refusing(mut refusal, error) => match refusal.step() {
                    Ok(Some(interest)) => {
                        self.stage = Stage::Refusing(refusal, error);
                        ControlFlow::Break(Step::Wait(interest))
                    }
                    // The fault of the request is what is to be told, also where the answer is lost.
                    Ok(None) | Err(_) => ControlFlow::Break(Step::Failed(error)),
                },
                Stage::Over => unreachable!("bug: a step after the last"),
            };
            match outcome {
                ControlFlow::Continue(stage) => self.stage = stage,
                ControlFlow::Break(step) => return step,
            }
        }
    }

    /// What to wait for, and with what.
    pub(super) fn transport(&self) -> Option<&Arc<dyn Transport>> {
        match &self.stage {
            Stage::Securing { below, .. } => Some(below),
            Stage::Asking(transport, _) => Some(transport),
            Stage::Refusing(refusal, _) => Some(refusal.transport()),
            Stage::Over => None,
        }
    }

    /// When to stop listening to a client that has its answer.
    pub(super) fn deadline(&self) -> Deadline {
        match &self.stage {
            Stage::Refusing(refusal, _) => refusal.deadline(),
            _ => Deadline::NEVER,
        }
    }

    /// The fault of what is being refused, if that is how far it is.
    pub(super) fn into_fault(self) -> Option<Error> {
        match self.stage {
            Stage::Refusing(_, error) => Some(error),
            _ => None,
        }
    }

    pub(super) fn remote_address(&self) -> &Address {
        &self.addresses.1
    }

    fn secure(
        &mut self,
        mut handshake: Box<dyn TlsHandshake>,
        below: Arc<dyn Transport>,
        since: Instant,
    ) -> ControlFlow<Step, Stage> {
        match handshake.go_on() {
            Ok(None) => {
                self.timings.tls = Some(sync::now().saturating_duration_since(since));
                ControlFlow::Continue(ask(handshake.finish()))
            }
            Ok(Some(interest)) => {
                self.stage = Stage::Securing { handshake, below, since };
                ControlFlow::Break(Step::Wait(interest))
            }
            Err(error) => ControlFlow::Break(Step::Failed(error)),
        }
    }

    fn ask(
        &mut self,
        transport: Arc<dyn Transport>,
        mut handshake: ServerHandshake,
    ) -> ControlFlow<Step, Stage> {
        let mut buffer = [0; 4096];
        loop {
            match transport.try_read(&mut buffer) {
                Ok(0) => return ControlFlow::Break(Step::Failed(handshake.receive_eof().into())),
                Ok(len) => match handshake.receive(&buffer[..len]) {
                    Ok(ServerProgress::Request(received)) => {
                        let Reception { addresses, journal, timings, .. } = self;
                        return ControlFlow::Break(Step::Arrived(Box::new(Incoming::new(
                            transport,
                            addresses.clone(),
                            received,
                            journal.take(),
                            *timings,
                        ))));
                    }
                    Ok(ServerProgress::Pending(pending)) => handshake = pending,
                    Err(error) => {
                        let mut bytes = Vec::new();
                        error.response().encode(&mut bytes);
                        return ControlFlow::Continue(self.refuse(transport, bytes, error.into()));
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stage = Stage::Asking(transport, handshake);
                    return ControlFlow::Break(Step::Wait(Interest::Read));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return ControlFlow::Break(Step::Failed(handshake.receive_eof().into())),
            }
        }
    }

    fn refuse(&self, transport: Arc<dyn Transport>, bytes: Vec<u8>, error: Error) -> Stage {
        Stage::Refusing(Refusal::new(transport, bytes, self.journal.clone()), error)
    }
}

fn ask(transport: Arc<dyn Transport>) -> Stage {
    Stage::Asking(transport, ServerHandshake::new(Limits::default()))
}
