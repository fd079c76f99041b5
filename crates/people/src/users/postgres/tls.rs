//! TLS to PostgreSQL with rustls: the chain and the host name are always checked.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// The reason why TLS is not available.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of root certificates cannot be read, or contains none.
    #[error("the root certificates of {}: {reason}", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The system has no root certificates.
    #[error("the system has no root certificates")]
    NoSystemRoots,
    /// The TLS library refuses its own defaults.
    #[error("TLS: {0}")]
    Library(String),
}

/// Returns the connector. Root certificates are loaded only if they may be needed.
pub(super) fn connector(config: &Config, ca: Option<&Path>) -> Result<MakeRustlsConnect, TlsError> {
    let roots = match (config.get_ssl_mode(), ca) {
        (SslMode::Disable, _) => RootCertStore::empty(),
        (_, Some(path)) => roots_of(path)?,
        (mode, None) => {
            let roots = roots_of_system();
            // A server that offers no TLS needs no roots, so `prefer` continues without them.
            if roots.is_empty() && mode == SslMode::Require {
                return Err(TlsError::NoSystemRoots);
            }
            roots
        }
    };
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Library(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(tls))
}

fn roots_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let failed = |reason: String| TlsError::Roots {
        path: path.to_owned(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("there is none in it".to_owned()));
    }
    Ok(roots)
}

fn roots_of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // Some systems have certificates that cannot be parsed among the good ones.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
