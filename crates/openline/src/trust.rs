//! Whom TLS connections trust by default: the system's certificates, or those that `SSL_CERT_FILE` and
//! `SSL_CERT_DIR` name.

use std::ffi::OsString;
use std::sync::{Arc, Mutex};

use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;

/// The default configuration, shared by all connections so that sessions are resumed. Loading the
/// certificates takes some 20 ms, so it is done once, and again when the variables change.
pub(crate) fn client_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    static SHARED: Mutex<Option<(Variables, Arc<ClientConfig>)>> = Mutex::new(None);
    let variables = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(std::env::var_os);
    let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
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
