//! Where the gateway listens: every address of the host that it is told.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::Listen;

/// The gateway cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("the listen host '{host}' has no address: {source}; name an address such as 127.0.0.1")]
    Resolve { host: String, source: io::Error },
    #[error("the listen host '{host}' has no address; name one such as 127.0.0.1")]
    NoAddress { host: String },
    #[error(
        "port {} of {} is in use: stop what listens there, or choose another port with --listen-port",
        address.port(), address.ip()
    )]
    InUse { address: SocketAddr },
    #[error("the socket that the supervisor passed cannot be used: {0}")]
    Inherited(#[source] io::Error),
    #[error("cannot listen on {address}: {source}")]
    Other {
        address: SocketAddr,
        source: io::Error,
    },
}

/// The sockets to accept from.
pub(super) async fn listen(listen: Listen) -> Result<Vec<TcpListener>, BindError> {
    match listen {
        Listen::On { host, port } => bind(&host, port).await,
        Listen::Socket(listener) => TcpListener::from_std(listener)
            .map(|listener| vec![listener])
            .map_err(BindError::Inherited),
    }
}

/// Binds every address of `host`, all on one port.
///
/// An address family that the machine does not have is passed over as long as another one works.
async fn bind(host: &str, port: u16) -> Result<Vec<TcpListener>, BindError> {
    let resolved = tokio::net::lookup_host((host, port))
        .await
        .map_err(|source| BindError::Resolve {
            host: host.to_owned(),
            source,
        })?;
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut unavailable = BindError::NoAddress {
        host: host.to_owned(),
    };
    for mut address in resolved {
        // With port 0 the first address finds a free port and the others follow.
        if let Some(first) = listeners
            .first()
            .and_then(|listener| listener.local_addr().ok())
        {
            address.set_port(first.port());
        }
        if listeners
            .iter()
            .any(|listener| listener.local_addr().is_ok_and(|taken| taken == address))
        {
            continue;
        }
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(BindError::InUse { address });
            }
            Err(source) => unavailable = BindError::Other { address, source },
        }
    }
    if listeners.is_empty() {
        Err(unavailable)
    } else {
        Ok(listeners)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named_with_the_remedy() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = bind("127.0.0.1", port).await.unwrap_err().to_string();
        assert!(
            error.contains(&port.to_string()) && error.contains("--listen-port"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn every_address_of_a_name_gets_the_same_port() {
        let listeners = bind("localhost", 0).await.unwrap();
        let ports: Vec<_> = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap().port())
            .collect();
        assert!(
            ports
                .iter()
                .all(|port| *port != 0 && Some(port) == ports.first()),
            "{ports:?}"
        );
    }
}
