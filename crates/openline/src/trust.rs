//! TLS by rustls for clients: whom to trust by default, and the handshake.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::{Error, Result, TlsError};
use crate::fork::PerProcess;
use crate::opening::Opening;
use crate::transport::{Secure, Tls, Transport};

/// TLS by rustls: with the caller's configuration, or with the default one, which is looked up for
/// each connection since what it depends on can change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rustls(pub(crate) Option<Arc<ClientConfig>>);

impl Secure for Rustls {
    fn secure(
        &self,
        transport: Arc<dyn Transport>,
        server_name: &str,
        opening: &Opening<'_>,
    ) -> Result<Arc<dyn Transport>> {
        let fail = |error: rustls::Error| {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            Error::Tls(TlsError::new(server_name, error))
        };
        let config = match &self.0 {
            Some(config) => config.clone(),
            None => default_config().map_err(fail)?,
        };
        let name = ServerName::try_from(server_name.to_owned()).map_err(|_| {
            Error::Argument(format!(
                "the name for TLS, {server_name:?}, is neither a DNS name nor an address"
            ))
        })?;
        let session = rustls::ClientConnection::new(config, name).map_err(fail)?;
        Ok(Arc::new(Tls::open(transport, session.into(), server_name, opening)?))
    }
}

/// The default configuration, shared by all connections so that sessions are resumed. Loading the
/// certificates takes some 20 ms, so it is done once, and again when the variables change.
fn default_config() -> std::result::Result<Arc<ClientConfig>, rustls::Error> {
    static SHARED: PerProcess<Option<(Variables, Arc<ClientConfig>)>> = PerProcess::new(None);
    let variables = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(std::env::var_os);
    let mut shared = SHARED.lock();
    if let Some((loaded, config)) = &*shared
        && *loaded == variables
    {
        return Ok(config.clone());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    let config = Arc::new(config);
    *shared = Some((variables, config.clone()));
    Ok(config)
}

type Variables = [Option<OsString>; 2];
