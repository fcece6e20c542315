//! TLS for servers, by rustls.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::error::{Error, Result, TlsError};
use crate::transport::{Opening, Secure, Tls, Transport};

/// A server's certificate, its key, and the rest of its settings.
#[derive(Debug)]
pub(super) struct Certified(pub(super) Arc<ServerConfig>);

impl Secure for Certified {
    fn secure(
        &self,
        transport: Arc<dyn Transport>,
        client: &str,
        opening: &Opening<'_>,
    ) -> Result<Arc<dyn Transport>> {
        let fail = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let session = rustls::ServerConnection::new(self.0.clone())
            .map_err(|error| Error::Tls(TlsError::new(client, fail(error))))?;
        Ok(Arc::new(Tls::open(transport, session.into(), client, opening)?))
    }
}

/// Whom a server speaks TLS with.
pub(super) const CLIENT: &str = "a client";
