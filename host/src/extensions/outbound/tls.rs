//! TLS to upstreams: the platform's certificate authorities, HTTP/1.1 by ALPN.
//!
//! The authorities are read once, at the first https request, and on a thread that may block.

use std::io;
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};

use super::error::SendError;
use super::origin::HostPort;
use super::transport::Socket;

pub(super) struct Tls {
    connector: OnceCell<TlsConnector>,
}

impl Tls {
    pub(super) fn new() -> Self {
        Self {
            connector: OnceCell::new(),
        }
    }

    /// Trusts these authorities instead of the platform's.
    #[cfg(test)]
    pub(super) fn trusting(roots: RootCertStore) -> Self {
        Self {
            connector: OnceCell::new_with(connector(roots).ok()),
        }
    }

    /// # Errors
    /// When no authority can be loaded (which is tried again the next time), the certificate is not to be trusted, or the
    /// handshake fails.
    pub(super) async fn handshake(
        &self,
        target: &HostPort,
        stream: Socket,
    ) -> Result<TlsStream<Socket>, SendError> {
        let connector = self.connector.get_or_try_init(load).await?;
        let name = ServerName::try_from(String::from(target.host.clone())).map_err(|_| {
            SendError::InvalidRequest("its host cannot be the name on a certificate")
        })?;
        connector.connect(name, stream).await.map_err(|source| {
            let host = target.clone();
            match rustls_error(&source) {
                Some(Error::InvalidCertificate(_)) => SendError::Certificate { host, source },
                _ => SendError::Tls { host, source },
            }
        })
    }
}

fn rustls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

async fn load() -> Result<TlsConnector, SendError> {
    let loading = tokio::task::spawn_blocking(|| {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Stores hold certificates that no parser takes: one is no reason to trust none.
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
            return Err(SendError::Authorities(match reasons.is_empty() {
                true => "there are none".to_owned(),
                false => reasons.join("; "),
            }));
        }
        connector(roots).map_err(|error| SendError::Authorities(error.to_string()))
    });
    match loading.await {
        Ok(connector) => connector,
        Err(ended) => Err(SendError::Authorities(ended.to_string())),
    }
}

fn connector(roots: RootCertStore) -> Result<TlsConnector, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
