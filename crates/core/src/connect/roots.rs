//! The root certificates to trust for AWS.

use std::path::Path;

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::TargetError;

/// Reads a bundle of root certificates in PEM format, which replace those of the system.
///
/// # Errors
///
/// [`TargetError::Bundle`], which names `origin`.
pub(super) fn of_bundle(origin: &str, path: &Path) -> Result<TlsContext, TargetError> {
    let refused = |reason: String| TargetError::Bundle {
        origin: origin.to_owned(),
        path: path.to_owned(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    // Check the certificates first: the client does not, and panics if one is invalid.
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refused("it contains no certificate".to_owned()));
    }
    TlsContext::builder()
        .with_trust_store(TrustStore::empty().with_pem_certificate(pem))
        .build()
        .map_err(|error| refused(error.to_string()))
}
