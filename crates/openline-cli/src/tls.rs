//! TLS as the arguments want it, of PEM files.

use std::path::Path;
use std::sync::Arc;

use openline::rustls::client::WebPkiServerVerifier;
use openline::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use openline::rustls::crypto::{CryptoProvider, ring};
use openline::rustls::pki_types::pem::{self, PemObject};
use openline::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use openline::rustls::{self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::args::TargetArgs;
use crate::failure::{Failure, Outcome};

/// The client's configuration; `None` if the default one does.
pub(crate) fn client(args: &TargetArgs) -> Outcome<Option<Arc<ClientConfig>>> {
    let identity = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => Some((certificates(cert)?, private_key(key)?)),
        _ => None,
    };
    if identity.is_none() && args.ca_file.is_none() && !args.insecure {
        return Ok(None);
    }
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match &args.ca_file {
        _ if args.insecure => Arc::new(Unverified(provider.clone())),
        Some(file) => trusting(file, provider.clone())?,
        None => Arc::new(Verifier::new(provider.clone()).map_err(fail)?),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(fail)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(fail)?,
        None => builder.with_no_client_auth(),
    };
    Ok(Some(Arc::new(config)))
}

/// Trusts the certificates in a file, and no others.
fn trusting(file: &Path, provider: Arc<CryptoProvider>) -> Outcome<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| unusable(file, &error))?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| unusable(file, &error))
}

pub(crate) fn certificates(file: &Path) -> Outcome<Vec<CertificateDer<'static>>> {
    let read = |error| unusable(file, &error);
    let certificates = CertificateDer::pem_file_iter(file).map_err(read)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, pem::Error>>().map_err(read)?;
    match certificates.is_empty() {
        true => Err(Failure::Usage(format!("{} has no certificate in PEM", file.display()))),
        false => Ok(certificates),
    }
}

pub(crate) fn private_key(file: &Path) -> Outcome<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            Failure::Usage(format!("{} has no private key in PEM", file.display()))
        }
        error => unusable(file, &error),
    })
}

pub(crate) fn fail(error: rustls::Error) -> Failure {
    Failure::Usage(format!("cannot set up TLS: {error}"))
}

fn unusable(file: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::Usage(format!("cannot use {}: {error}", file.display()))
}

/// Takes any certificate. The signatures are checked: that costs nobody anything.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
