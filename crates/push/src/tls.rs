//! TLS to servers: their certificates are verified against the system's roots, and those that the
//! settings add. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// `[tls] ca` in the settings is not a certificate.
    #[error("`[tls] ca` holds no usable certificate")]
    Ca,
    /// No root certificate at all.
    #[error("no root certificates: install ca-certificates, or set `[tls] ca`")]
    NoRoots,
    /// The server's name cannot stand in a certificate.
    #[error("`{0}` cannot be the name in a certificate")]
    Name(String, #[source] InvalidDnsNameError),
    /// The library refused the set-up.
    #[error("tls cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// Makes connectors; the root certificates are read at the first use.
#[derive(Clone)]
pub struct Tls {
    extra: Option<String>,
    config: Arc<std::sync::OnceLock<Arc<ClientConfig>>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("extra", &self.extra.is_some()).finish_non_exhaustive()
    }
}

impl Tls {
    /// With the root certificates in `extra` (PEM) besides the system's.
    #[must_use]
    pub fn new(extra: Option<String>) -> Self {
        Self { extra, config: Arc::default() }
    }

    /// A connector.
    ///
    /// # Errors
    /// When there are no usable root certificates.
    pub fn connector(&self) -> Result<TlsConnector, TlsError> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone().into());
        }
        let config = Arc::new(self.build()?);
        Ok(self.config.get_or_init(|| config).clone().into())
    }

    fn build(&self) -> Result<ClientConfig, TlsError> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::debug!(%error, "a root certificate was not read");
        }
        roots.add_parsable_certificates(native.certs);
        if let Some(pem) = &self.extra {
            let extra: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).flatten().collect();
            let (added, _) = roots.add_parsable_certificates(extra);
            if added == 0 {
                return Err(TlsError::Ca);
            }
        }
        if roots.is_empty() {
            return Err(TlsError::NoRoots);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// The name that the server's certificate must carry.
///
/// # Errors
/// When it is neither a host name nor an address.
pub fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(bare.clone()).map_err(|error| TlsError::Name(bare, error))
}
