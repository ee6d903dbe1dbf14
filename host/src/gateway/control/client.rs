//! The side of `mngr-latchkey extension`: asking every gateway of a latchkey directory.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::{Reply, Request, Respondent, Response, line, socket};
use crate::store::durable::StorageError;
use crate::store::paths::LatchkeyDirectory;

/// Far above the report of thousands of extensions, in bytes.
const LONGEST: usize = 64 * 1024 * 1024;
/// For an answer that is there to be had.
const PATIENCE: Duration = Duration::from_secs(10);
/// For components to be compiled and started, too.
const PATIENCE_FOR_RELOADS: Duration = Duration::from_secs(300);

/// A gateway that was asked.
#[derive(Debug)]
pub struct Asked {
    pub pid: u32,
    pub answer: Result<(Respondent, Reply), AskError>,
}

/// Why there is no answer of a gateway that is there.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("its control socket cannot be used: {0}")]
    Socket(#[from] io::Error),
    #[error(
        "it has not answered within {} seconds; its log may say why, and a gateway that is stuck has to be started anew",
        .0.as_secs()
    )]
    Silent(Duration),
    #[error("its answer cannot be understood: {0}; it may be of another version of mngr-latchkey")]
    Malformed(#[from] serde_json::Error),
    #[error("it hung up without an answer; ask again")]
    HungUp,
    #[error("its answer is to another question; it may be of another version of mngr-latchkey")]
    BesideThePoint,
    /// In its own words.
    #[error("{0}")]
    Refused(String),
}

/// Asks every gateway of the directory that runs, all at once; by process id. None runs where the answer is empty.
///
/// # Errors
/// When the directory with the sockets cannot be read.
pub async fn ask(
    directory: &LatchkeyDirectory,
    request: &Request,
) -> Result<Vec<Asked>, StorageError> {
    let directory = directory.extensions_dir();
    let processes = socket::processes(&directory)
        .map_err(|source| StorageError::new("list", &directory, source))?;
    let asked = processes
        .into_iter()
        .map(|pid| ask_one(&directory, pid, request));
    let answers = futures::future::join_all(asked).await;
    Ok(answers.into_iter().flatten().collect())
}

/// None when no gateway listens there.
async fn ask_one(directory: &Path, pid: u32, request: &Request) -> Option<Asked> {
    let patience = match request {
        Request::List {} => PATIENCE,
        Request::Reload { .. } => PATIENCE_FOR_RELOADS,
    };
    let answer = match timeout(patience, converse(directory, pid, request)).await {
        Ok(Ok(None)) => return None,
        Ok(Ok(Some(answer))) => Ok(answer),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(AskError::Silent(patience)),
    };
    Some(Asked { pid, answer })
}

async fn converse(
    directory: &Path,
    pid: u32,
    request: &Request,
) -> Result<Option<(Respondent, Reply)>, AskError> {
    let Some(stream) = socket::connect(directory, pid).await? else {
        return Ok(None);
    };
    let mut stream = BufReader::new(stream);
    let mut question = serde_json::to_vec(request)?;
    question.push(b'\n');
    stream.write_all(&question).await?;
    let answer = line::read(&mut stream, LONGEST).await?;
    let response: Response = serde_json::from_slice(&answer.ok_or(AskError::HungUp)?)?;
    match response.reply {
        Reply::Error(detail) => Err(AskError::Refused(detail)),
        reply => Ok(Some((response.gateway, reply))),
    }
}
