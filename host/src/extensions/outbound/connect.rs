//! From an origin to a connected transport: resolve, choose, connect, shake hands. All of it within one limit.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::activity::Activity;
use super::error::SendError;
use super::origin::{HostPort, Origin};
use super::tls::Tls;
use super::transport::{Socket, Transport};

/// How long an address may take before the next one is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// # Errors
/// See [`SendError`]: everything up to the TLS handshake.
pub(super) async fn connect(
    origin: &Origin,
    tls: &Tls,
    limit: Duration,
) -> Result<Transport, SendError> {
    timeout(limit, within_any_time(origin, tls))
        .await
        .unwrap_or_else(|_| {
            Err(SendError::ConnectTimeout {
                host: origin.target.clone(),
                limit,
            })
        })
}

async fn within_any_time(origin: &Origin, tls: &Tls) -> Result<Transport, SendError> {
    let addresses = resolve(origin).await?;
    let stream = first_of(addresses)
        .await
        .map_err(|source| refusal(&origin.target, source))?;
    // Small requests must not wait for the acknowledgement of the one before.
    stream
        .set_nodelay(true)
        .map_err(|source| refusal(&origin.target, source))?;
    let socket = Socket::new(stream, Arc::new(Activity::new()));
    if origin.tls {
        let stream = tls.handshake(&origin.target, socket).await?;
        Ok(Transport::Tls(Box::new(stream)))
    } else {
        Ok(Transport::Plain(socket))
    }
}

fn refusal(target: &HostPort, source: io::Error) -> SendError {
    let host = target.clone();
    match source.kind() {
        io::ErrorKind::ConnectionRefused => SendError::Refused { host },
        _ => SendError::Unreachable { host, source },
    }
}

/// The addresses that may be connected to, in the order to try them; at least one.
async fn resolve(origin: &Origin) -> Result<VecDeque<SocketAddr>, SendError> {
    let HostPort { host, port } = &origin.target;
    let found: Vec<SocketAddr> = match origin.target.address() {
        Some(address) => vec![(address, *port).into()],
        None => {
            let found = tokio::net::lookup_host((&**host, *port)).await;
            found.map(Iterator::collect).unwrap_or_else(|_| Vec::new())
        }
    };
    if found.is_empty() {
        return Err(SendError::NotResolved {
            host: origin.target.clone(),
        });
    }
    let allowed = found
        .into_iter()
        .filter(|address| origin.reach.includes(address.ip()));
    let ordered = alternate(allowed);
    if ordered.is_empty() {
        return Err(SendError::Prohibited {
            host: origin.target.clone(),
        });
    }
    Ok(ordered)
}

/// The resolver's order, with the families taking turns: when one of them leads nowhere, the other comes second, not last.
fn alternate(addresses: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut addresses = addresses.peekable();
    let first_is_v6 = addresses.peek().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut ordered = VecDeque::new();
    for address in first {
        ordered.push_back(address);
        ordered.extend(second.next());
    }
    ordered.extend(second);
    ordered
}

/// The first of these that accepts; each is tried when the one before has failed or used up its head start.
async fn first_of(mut addresses: VecDeque<SocketAddr>) -> io::Result<TcpStream> {
    if let (Some(only), 1) = (addresses.front(), addresses.len()) {
        return TcpStream::connect(*only).await;
    }
    // Dropping the set ends the attempts that lost.
    let mut attempts = JoinSet::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = addresses.pop_front() {
            attempts.spawn(TcpStream::connect(address));
        }
        let more = !addresses.is_empty();
        tokio::select! {
            attempt = attempts.join_next() => match attempt {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => failure = error,
                Some(Err(ended)) => failure = io::Error::other(ended),
                None => return Err(failure),
            },
            () = sleep(HEAD_START), if more => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn families_take_turns_in_the_order_of_the_resolver() {
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"];
        let ordered = alternate(addresses.iter().map(|address| address.parse().unwrap()));
        let ordered: Vec<String> = ordered.iter().map(ToString::to_string).collect();
        assert_eq!(
            ordered,
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"]
        );
    }

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_to_the_next() {
        let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refused = refusing.local_addr().unwrap();
        drop(refusing);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listening = listener.local_addr().unwrap();
        let stream = first_of([refused, refused, listening].into())
            .await
            .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listening);
        let failure = first_of([refused, refused].into()).await.unwrap_err();
        assert_eq!(failure.kind(), io::ErrorKind::ConnectionRefused);
    }
}
