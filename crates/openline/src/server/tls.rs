//! TLS for servers, by rustls.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::error::{Error, Result, TlsError};
use crate::transport::{Interest, ServerTls, Tls, TlsHandshake, Transport};

/// A server's certificate, its key, and the rest of its settings.
#[derive(Debug)]
pub(super) struct Certified(pub(super) Arc<ServerConfig>);

impl ServerTls for Certified {
    fn begin(&self, transport: Arc<dyn Transport>) -> Result<Box<dyn TlsHandshake>> {
        let session = rustls::ServerConnection::new(self.0.clone())
            .map_err(|error| fail(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        Ok(Box::new(Handshake(Tls::new(transport, session.into(), CLIENT))))
    }
}

#[derive(Debug)]
struct Handshake(Tls);

impl TlsHandshake for Handshake {
    fn go_on(&mut self) -> Result<Option<Interest>> {
        loop {
            match self.0.handshake() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome.map_err(fail),
            }
        }
    }

    fn finish(self: Box<Self>) -> Arc<dyn Transport> {
        Arc::new(self.0)
    }
}

fn fail(error: io::Error) -> Error {
    Error::Tls(TlsError::new(CLIENT, error))
}

/// Whom a server speaks TLS with.
const CLIENT: &str = "a client";
