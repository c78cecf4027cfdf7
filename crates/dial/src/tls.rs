//! TLS to servers: their certificates are verified against the system's roots and those that the settings add (`[tls] ca`).
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's. Every connection of robocast uses this one policy.

use crate::error::DialError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A handshake that is not complete by then will not complete.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// `[tls] ca` in the settings is not a certificate.
    #[error("`[tls] ca` holds no usable certificate")]
    Ca,
    /// No root certificate at all.
    #[error("no root certificates: install ca-certificates, or set `[tls] ca`")]
    NoRoots,
    /// The server's name cannot be the name in a certificate.
    #[error("`{0}` cannot be the name in a certificate")]
    Name(String, #[source] InvalidDnsNameError),
    /// The library rejected the configuration.
    #[error("cannot set up TLS")]
    Setup(#[source] rustls::Error),
}

/// The trusted certificates. The system's are read at the first use; clones share them.
#[derive(Clone, Default)]
pub struct Roots {
    extra: Option<String>,
    config: Arc<std::sync::OnceLock<Arc<ClientConfig>>>,
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roots").field("extra", &self.extra.is_some()).finish_non_exhaustive()
    }
}

impl Roots {
    /// Trusts the root certificates in `extra` (PEM) in addition to the system's.
    #[must_use]
    pub fn new(extra: Option<String>) -> Self {
        Self { extra, config: Arc::default() }
    }

    /// Opens a TLS session with the server `host` over a connection to it.
    ///
    /// # Errors
    /// When there is no trusted certificate, the server's is not trusted, or the server does not answer within 5 s.
    pub async fn handshake<S>(&self, host: &str, stream: S) -> Result<TlsStream<S>, DialError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = TlsConnector::from(self.config()?);
        let handshake = connector.connect(server_name(host)?, stream);
        match tokio::time::timeout(HANDSHAKE, handshake).await {
            Ok(done) => done.map_err(DialError::Handshake),
            Err(_) => Err(DialError::Late("TLS handshake")),
        }
    }

    /// All trusted certificates in PEM, for a library that has its own TLS.
    ///
    /// # Errors
    /// When `[tls] ca` is unusable, or there is no certificate at all.
    pub fn to_pem(&self) -> Result<Vec<u8>, TlsError> {
        let mut pem = Vec::new();
        for certificate in self.certificates()? {
            let body = pem_body(&certificate);
            // Writing to memory cannot fail.
            let _ = write!(pem, "-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n");
        }
        Ok(pem)
    }

    fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone());
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.certificates()?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?;
        let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        Ok(self.config.get_or_init(|| config).clone())
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::debug!(%error, "a root certificate was not read");
        }
        let mut all = native.certs;
        if let Some(pem) = &self.extra {
            let extra: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).flatten().collect();
            if RootCertStore::empty().add_parsable_certificates(extra.iter().cloned()).0 == 0 {
                return Err(TlsError::Ca);
            }
            all.extend(extra);
        }
        if all.is_empty() { Err(TlsError::NoRoots) } else { Ok(all) }
    }
}

fn pem_body(certificate: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect()
}

/// The name that the server's certificate must carry.
fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    let bare = host.trim_matches(['[', ']']).to_owned();
    ServerName::try_from(bare.clone()).map_err(|error| TlsError::Name(bare, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::DialErrorKind;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::TlsAcceptor;

    /// Makes a handshake in memory with a server that presents `certificate`. Returns whether the client, which trusts `ca`
    /// in addition to the system's certificates, accepted it.
    async fn handshake(
        certificate: &CertifiedKey<rcgen::KeyPair>,
        ca: Option<String>,
        host: &str,
    ) -> Result<(), DialError> {
        let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.cert.der().clone()], key)
            .unwrap();
        let (ours, theirs) = tokio::io::duplex(16 << 10);
        let serve = TlsAcceptor::from(Arc::new(server)).accept(theirs);
        let roots = Roots::new(ca);
        let (done, _) = tokio::join!(roots.handshake(host, ours), serve);
        done.map(drop)
    }

    #[tokio::test]
    async fn a_server_is_trusted_by_the_roots_of_the_settings_and_only_under_its_own_name() {
        let own = generate_simple_self_signed(["media.lab".to_owned()]).unwrap();
        let other = generate_simple_self_signed(["other.lab".to_owned()]).unwrap();
        assert!(handshake(&own, Some(own.cert.pem()), "media.lab").await.is_ok());
        for (ca, host) in [(other.cert.pem(), "media.lab"), (own.cert.pem(), "other.lab")] {
            let error = handshake(&own, Some(ca), host).await.unwrap_err();
            assert_eq!(error.kind(), DialErrorKind::Tls, "{error:?}");
        }
    }

    #[tokio::test]
    async fn an_unusable_ca_is_an_error_of_the_settings() {
        let own = generate_simple_self_signed(["media.lab".to_owned()]).unwrap();
        let error = handshake(
            &own,
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into()),
            "media.lab",
        )
        .await
        .unwrap_err();
        assert!(matches!(error, DialError::Tls(TlsError::Ca)), "{error:?}");
        let name = handshake(&own, Some(own.cert.pem()), "not a name").await.unwrap_err();
        assert!(matches!(name, DialError::Tls(TlsError::Name(..))), "{name:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_a_timeout() {
        let (ours, _theirs) = tokio::io::duplex(1024);
        let own = generate_simple_self_signed(["media.lab".to_owned()]).unwrap();
        let error = Roots::new(Some(own.cert.pem())).handshake("media.lab", ours).await.unwrap_err();
        assert!(matches!(error, DialError::Late(_)), "{error:?}");
    }

    #[test]
    fn the_trusted_certificates_can_be_given_to_another_library() {
        let own = generate_simple_self_signed(["media.lab".to_owned()]).unwrap();
        let pem = Roots::new(Some(own.cert.pem())).to_pem().unwrap();
        let read: Vec<_> = CertificateDer::pem_slice_iter(&pem).flatten().collect();
        assert!(read.contains(own.cert.der()));
    }
}
