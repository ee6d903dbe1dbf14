//! Whether a tunnel works, end to end.
//!
//! The host's sshd is asked to connect to its own listener: that connection comes back through the tunnel and leads to the
//! gateway, which answers a request without the password with a refusal of its own. The password is not sent, for
//! something else might be listening there. An answer counts only when a connection to that port
//! came through the tunnel meanwhile: a service that imitates the gateway on the host is not taken for it.

use std::time::Duration;

use bytes::Bytes;
use russh::{ChannelMsg, ChannelOpenFailure};
use serde_json::Value;
use tokio::time::timeout;

use super::connection::{Connection, Disconnected, OwnChannel, printable};

/// For everything.
const DEADLINE: Duration = Duration::from_secs(10);

/// The gateway's answer takes a hundredth of it.
const ANSWER_LIMIT: usize = 16 * 1024;

/// Why a tunnel is not known to work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProbeError {
    /// Nothing is wrong with the tunnel as far as can be seen.
    #[error(
        "the host does not let this user connect to its ports (AllowTcpForwarding, PermitOpen), so the tunnel cannot be \
         verified"
    )]
    NotPermitted,
    #[error("the host no longer listens on 127.0.0.1:{0}")]
    NotListening(u16),
    #[error("the tunnel works, but the gateway behind it is not available")]
    GatewayAway,
    #[error("something else than this tunnel answers on the host's 127.0.0.1:{0}")]
    NotOurs(u16),
    #[error("what answers on the host's 127.0.0.1:{port} is not the gateway: {answer}")]
    NotGateway { port: u16, answer: String },
    #[error("no answer came through 127.0.0.1:{0} of the host")]
    NoAnswer(u16),
    #[error("the host would not open a connection for the probe: {0}")]
    Refused(String),
    #[error("the connection ended: {0}")]
    Disconnected(Disconnected),
}

pub(super) async fn probe(connection: &Connection, port: u16) -> Result<(), ProbeError> {
    let arrived = connection.arrived(port);
    let mut answer = Vec::new();
    let asked = timeout(DEADLINE, ask(connection, port, &mut answer)).await;
    if let Ok(Err(error)) = asked {
        return Err(error);
    }
    let answer = read(&answer);
    let came_back = connection.arrived(port) != arrived;
    match answer {
        Answer::Other(answer) => Err(ProbeError::NotGateway { port, answer }),
        _ if !came_back => Err(ProbeError::NotOurs(port)),
        Answer::None => Err(ProbeError::NoAnswer(port)),
        Answer::Away => Err(ProbeError::GatewayAway),
        Answer::Gateway => Ok(()),
    }
}

/// Sends the request and gathers the answer until its end.
async fn ask(connection: &Connection, port: u16, answer: &mut Vec<u8>) -> Result<(), ProbeError> {
    let mut channel: OwnChannel = match connection.open_loopback(port).await {
        Ok(channel) => channel,
        Err(russh::Error::ChannelOpenFailure(reason)) => return Err(refusal(port, reason)),
        Err(_) => return Err(ProbeError::Disconnected(connection.closed().await)),
    };
    let request = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    if channel.send(Bytes::from(request)).await.is_err() {
        return Err(ProbeError::Disconnected(connection.closed().await));
    }
    while let Some(message) = channel.next().await {
        match message {
            ChannelMsg::Data { data } => answer.extend_from_slice(&data),
            ChannelMsg::Eof => break,
            _ => {}
        }
        if answer.len() > ANSWER_LIMIT {
            break;
        }
    }
    Ok(())
}

fn refusal(port: u16, reason: ChannelOpenFailure) -> ProbeError {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited | ChannelOpenFailure::UnknownChannelType => {
            ProbeError::NotPermitted
        }
        ChannelOpenFailure::ConnectFailed => ProbeError::NotListening(port),
        other => ProbeError::Refused(printable(other.description())),
    }
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    None,
    Gateway,
    /// The supervisor's stand-in.
    Away,
    /// Its first line.
    Other(String),
}

fn read(answer: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(answer);
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Answer::None;
    }
    let is_http = line.starts_with("HTTP/1.");
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    match line.split_ascii_whitespace().nth(1) {
        Some("200" | "401") if is_http && is_of_gateway(body) => Answer::Gateway,
        Some("503") if is_http => Answer::Away,
        _ => Answer::Other(printable(line)),
    }
}

/// With a password it refuses, without one it says how it is (contract section 4).
fn is_of_gateway(body: &str) -> bool {
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        return false;
    };
    let text = |name| body.get(name).and_then(Value::as_str);
    let refuses = text("error").is_some_and(|error| error.contains("Latchkey gateway password"));
    refuses || text("status") == Some("ok") && text("version").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: &str, body: &str) -> Answer {
        read(
            format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n{body}").as_bytes(),
        )
    }

    #[test]
    fn the_gateways_refusal_and_its_greeting_are_recognised() {
        let refusal = r#"{"error":"Unauthorized: invalid or missing Latchkey gateway password."}"#;
        assert_eq!(answer("401 Unauthorized", refusal), Answer::Gateway);
        let greeting = r#"{"status":"ok","version":"0.1.0"}"#;
        assert_eq!(answer("200 OK", greeting), Answer::Gateway);
    }

    #[test]
    fn the_stand_in_means_that_the_gateway_is_away() {
        assert_eq!(answer("503 Service Unavailable", ""), Answer::Away);
    }

    #[test]
    fn other_services_are_told_by_their_first_line() {
        let page = answer("200 OK", "<h1>It works!</h1>");
        assert_eq!(page, Answer::Other("HTTP/1.1 200 OK".to_owned()));
        let other = answer("401 Unauthorized", r#"{"error":"who are you?"}"#);
        assert_eq!(other, Answer::Other("HTTP/1.1 401 Unauthorized".to_owned()));
        let banner = read(b"SSH-2.0-\x1b[31mOpenSSH\r\n");
        assert_eq!(banner, Answer::Other("SSH-2.0-[31mOpenSSH".to_owned()));
    }

    #[test]
    fn silence_is_no_answer() {
        assert_eq!(read(b""), Answer::None);
    }

    #[test]
    fn a_host_that_forbids_connections_is_no_broken_tunnel() {
        let refused = refusal(1989, ChannelOpenFailure::AdministrativelyProhibited);
        assert_eq!(refused, ProbeError::NotPermitted);
        let gone = refusal(1989, ChannelOpenFailure::ConnectFailed);
        assert_eq!(gone, ProbeError::NotListening(1989));
    }
}
