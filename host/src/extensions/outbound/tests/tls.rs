//! https upstreams. The certificates were made with openssl for these tests, are valid for a century and guard nothing.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::super::pool::Bounds;
use super::*;

const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("certificates/upstream.pem");
const KEY: &[u8] = include_bytes!("certificates/upstream.key");

const BOUNDS: Bounds = Bounds {
    per_origin: 1,
    total: 1,
    lifetime: Duration::from_secs(60),
};

fn client() -> Client {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(AUTHORITY).unwrap())
        .unwrap();
    Client::with(roots, BOUNDS)
}

async fn accept(upstream: &Upstream, protocols: &[&str]) -> io::Result<Peer<TlsStream<TcpStream>>> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()],
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let stream = upstream.0.accept().await.unwrap().0;
    TlsAcceptor::from(Arc::new(config))
        .accept(stream)
        .await
        .map(Peer::new)
}

fn https(upstream: &Upstream, host: &str) -> String {
    format!(
        "https://{host}:{}/",
        upstream.0.local_addr().unwrap().port()
    )
}

#[tokio::test]
async fn an_upstream_with_a_trusted_certificate_is_spoken_to_and_kept() {
    for host in ["localhost", "127.0.0.1"] {
        for protocols in [&["h2", "http/1.1"][..], &[]] {
            let (client, upstream) = (client(), Upstream::start().await);
            let uri = https(&upstream, host);
            let (response, peer) = tokio::join!(send(&client, get(uri.clone())), async {
                let mut peer = accept(&upstream, protocols).await.unwrap();
                peer.answer(OK).await;
                peer
            });
            assert_eq!(text(response.unwrap()).await.unwrap(), "ok");
            let mut peer = peer;
            let chosen = peer.stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            assert_eq!(
                chosen,
                protocols.last().map(|name| name.as_bytes().to_vec())
            );
            exchange(&client, uri, &mut peer).await;
        }
    }
}

#[tokio::test]
async fn an_upstream_with_another_certificate_is_refused() {
    let distrustful = Client::with(RootCertStore::empty(), BOUNDS);
    for (client, host) in [(client(), "127.0.0.2"), (distrustful, "127.0.0.1")] {
        let upstream = Upstream(TcpListener::bind((host, 0)).await.unwrap());
        let uri = https(&upstream, host);
        let (response, accepted) = tokio::join!(send(&client, get(uri)), accept(&upstream, &[]));
        let failure = response.err();
        assert!(
            matches!(failure, Some(SendError::Certificate { .. })),
            "{host}: {failure:?}"
        );
        assert!(accepted.is_err(), "{host}");
    }
}

#[tokio::test]
async fn an_upstream_that_speaks_no_tls_or_no_http_1_is_refused() {
    let (client, upstream) = (client(), Upstream::start().await);
    let uri = https(&upstream, "localhost");
    let (response, ()) = tokio::join!(send(&client, get(uri.clone())), async {
        upstream
            .accept()
            .await
            .send("HTTP/1.1 400 Bad Request\r\n\r\n")
            .await;
    });
    let failure = response.err();
    assert!(
        matches!(failure, Some(SendError::Tls { .. })),
        "{failure:?}"
    );
    let (response, accepted) = tokio::join!(send(&client, get(uri)), accept(&upstream, &["h2"]));
    let failure = response.err();
    assert!(
        matches!(failure, Some(SendError::Tls { .. })),
        "{failure:?}"
    );
    assert!(accepted.is_err());
}

#[tokio::test]
async fn a_body_that_ends_without_the_end_of_tls_is_cut_short() {
    let (client, upstream) = (client(), Upstream::start().await);
    let (response, ()) = tokio::join!(send(&client, get(https(&upstream, "localhost"))), async {
        let mut peer = accept(&upstream, &[]).await.unwrap();
        peer.answer("HTTP/1.1 200 OK\r\n\r\npart").await;
        // Anybody on the way could end the TCP connection.
        drop(peer);
    });
    let ended = text(response.unwrap()).await;
    assert!(matches!(ended, Err(SendError::Cut(_))), "{ended:?}");
}
