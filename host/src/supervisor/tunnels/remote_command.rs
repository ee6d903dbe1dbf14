//! Runs a small command on an agent host, by the shell of its user.
//!
//! Made for commands that answer a question in a line or two: what they print is limited, and so is their time. Their input is
//! empty. What the host says is its own word, to be parsed with care.

use std::time::Duration;

use russh::{ChannelMsg, ChannelOpenFailure};
use tokio::time::timeout;

use super::connection::{Connection, Disconnected, printable};

/// The most that a command may print.
const OUTPUT_LIMIT: usize = 16 * 1024;

/// How much of its complaints is kept.
const COMPLAINT_LIMIT: usize = 1024;

/// For everything, the opening of the session included.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why there is no output.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum RemoteCommandError {
    #[error("the connection ended: {0}")]
    Disconnected(Disconnected),
    #[error("the host does not let this user run commands")]
    Refused,
    #[error("the command on the host did not end within {} seconds", DEADLINE.as_secs())]
    TimedOut,
    #[error("the command on the host printed more than {OUTPUT_LIMIT} bytes")]
    TooLong,
    #[error("what the command on the host printed is not text")]
    NotText,
    #[error("the command on the host failed ({ended}){complaint}")]
    Failed { ended: String, complaint: String },
}

pub(super) async fn run(
    connection: &Connection,
    command: &str,
) -> Result<String, RemoteCommandError> {
    timeout(DEADLINE, run_to_end(connection, command))
        .await
        .map_err(|_| RemoteCommandError::TimedOut)?
}

async fn run_to_end(connection: &Connection, command: &str) -> Result<String, RemoteCommandError> {
    let mut channel = match connection.open_session().await {
        Ok(channel) => channel,
        Err(error) => return Err(failure(connection, error).await),
    };
    let started = async {
        channel.exec(command).await?;
        channel.finish().await
    };
    if let Err(error) = started.await {
        return Err(failure(connection, error).await);
    }
    let mut transcript = Transcript::default();
    while let Some(message) = channel.next().await {
        transcript.read(message)?;
    }
    match transcript.outcome() {
        Some(outcome) => outcome,
        // Closed without a status, most likely with the connection.
        None => match timeout(Duration::from_secs(1), connection.closed()).await {
            Ok(reason) => Err(RemoteCommandError::Disconnected(reason)),
            Err(_) => Err(RemoteCommandError::Refused),
        },
    }
}

async fn failure(connection: &Connection, error: russh::Error) -> RemoteCommandError {
    match error {
        russh::Error::ChannelOpenFailure(ChannelOpenFailure::ResourceShortage) => {
            RemoteCommandError::Failed {
                ended: "not started".to_owned(),
                complaint: ": the host has no room for another session".to_owned(),
            }
        }
        russh::Error::ChannelOpenFailure(_) => RemoteCommandError::Refused,
        _ => RemoteCommandError::Disconnected(connection.closed().await),
    }
}

/// What a command has printed, and how it ended.
#[derive(Debug, Default)]
struct Transcript {
    output: Vec<u8>,
    complaint: Vec<u8>,
    /// `Ok` with the status, or what ended it.
    ended: Option<Result<u32, String>>,
}

impl Transcript {
    fn read(&mut self, message: ChannelMsg) -> Result<(), RemoteCommandError> {
        match message {
            ChannelMsg::Data { data } => {
                if self.output.len() + data.len() > OUTPUT_LIMIT {
                    return Err(RemoteCommandError::TooLong);
                }
                self.output.extend_from_slice(&data);
            }
            ChannelMsg::ExtendedData { data, .. } => {
                let room = COMPLAINT_LIMIT.saturating_sub(self.complaint.len());
                self.complaint.extend(data.iter().take(room));
            }
            ChannelMsg::ExitStatus { exit_status } => self.ended = Some(Ok(exit_status)),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                let name = format!("signal {signal_name:?}");
                self.ended = Some(Err(printable(&name)));
            }
            ChannelMsg::Failure => return Err(RemoteCommandError::Refused),
            _ => {}
        }
        Ok(())
    }

    fn outcome(self) -> Option<Result<String, RemoteCommandError>> {
        let ended = match self.ended? {
            Ok(0) => {
                let text = String::from_utf8(self.output);
                return Some(text.map_err(|_| RemoteCommandError::NotText));
            }
            Ok(status) => format!("exit status {status}"),
            Err(ended) => ended,
        };
        let complaint = printable(&String::from_utf8_lossy(&self.complaint));
        let complaint = if complaint.is_empty() {
            complaint
        } else {
            format!(": {complaint}")
        };
        Some(Err(RemoteCommandError::Failed { ended, complaint }))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn data(text: &'static str) -> ChannelMsg {
        ChannelMsg::Data {
            data: Bytes::from_static(text.as_bytes()),
        }
    }

    fn outcome(messages: Vec<ChannelMsg>) -> Option<Result<String, String>> {
        let mut transcript = Transcript::default();
        for message in messages {
            if let Err(error) = transcript.read(message) {
                return Some(Err(error.to_string()));
            }
        }
        let outcome = transcript.outcome()?;
        Some(outcome.map_err(|error| error.to_string()))
    }

    #[test]
    fn the_output_of_a_command_that_succeeds_is_put_together() {
        let messages = vec![
            data("one "),
            data("two\n"),
            ChannelMsg::ExitStatus { exit_status: 0 },
        ];
        assert_eq!(outcome(messages), Some(Ok("one two\n".to_owned())));
    }

    #[test]
    fn a_failure_is_told_with_the_complaint_on_one_line() {
        let complaint = ChannelMsg::ExtendedData {
            data: Bytes::from_static(b"\x1b[31msh: nosuch:\nnot found\n"),
            ext: 1,
        };
        let told = outcome(vec![complaint, ChannelMsg::ExitStatus { exit_status: 127 }]);
        let expected =
            "the command on the host failed (exit status 127): [31msh: nosuch: not found";
        assert_eq!(told, Some(Err(expected.to_owned())));
    }

    #[test]
    fn endless_output_is_an_error_and_endless_complaints_are_cut() {
        let long = Bytes::from(vec![b'x'; OUTPUT_LIMIT]);
        let mut transcript = Transcript::default();
        let complaint = ChannelMsg::ExtendedData {
            data: long.clone(),
            ext: 1,
        };
        transcript.read(complaint).unwrap();
        assert_eq!(transcript.complaint.len(), COMPLAINT_LIMIT);
        transcript.read(ChannelMsg::Data { data: long }).unwrap();
        let more = transcript.read(data("x"));
        assert!(matches!(more, Err(RemoteCommandError::TooLong)), "{more:?}");
    }

    #[test]
    fn a_close_without_a_status_has_no_outcome() {
        assert_eq!(outcome(vec![data("half")]), None);
    }

    #[test]
    fn a_host_that_refuses_the_command_is_understood() {
        let refused = RemoteCommandError::Refused.to_string();
        assert_eq!(outcome(vec![ChannelMsg::Failure]), Some(Err(refused)));
    }
}
