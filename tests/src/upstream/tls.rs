//! Certificates for https, made by the `openssl` command.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority of the test's own.
pub struct Authority {
    directory: TempDir,
}

impl Authority {
    /// A new one, which nobody trusts yet.
    pub fn new() -> Self {
        let directory = TempDir::with_prefix("authority-").expect("a temporary directory");
        openssl(
            directory.path(),
            &[
                "-subj",
                "/CN=test authority",
                "-keyout",
                "ca.key",
                "-out",
                "ca.pem",
            ],
        );
        Self { directory }
    }

    /// What `SSL_CERT_FILE` is to name for it to be trusted.
    pub fn certificate_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Accepts TLS with a certificate for `name`, as in `IP:127.0.0.1` or `DNS:localhost`.
    pub(super) fn acceptor(&self, name: &str) -> TlsAcceptor {
        let directory = self.directory.path();
        openssl(
            directory,
            &[
                "-subj",
                "/CN=test server",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-addext",
                &format!("subjectAltName={name}"),
                "-keyout",
                "server.key",
                "-out",
                "server.pem",
            ],
        );
        let certificate = CertificateDer::from_pem_file(directory.join("server.pem"))
            .expect("openssl writes certificates");
        let key = PrivateKeyDer::from_pem_file(directory.join("server.key"))
            .expect("openssl writes keys");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_no_client_auth()
                    .with_single_cert(vec![certificate], key)
            })
            .expect("the certificate fits the key");
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn openssl(directory: &Path, arguments: &[&str]) {
    let outcome = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2"])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the openssl command is installed");
    assert!(
        outcome.status.success(),
        "openssl {arguments:?}: {}",
        String::from_utf8_lossy(&outcome.stderr)
    );
}
