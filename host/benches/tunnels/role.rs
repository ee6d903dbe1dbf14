//! Processes of the benchmark: each says on its standard error when it is ready, and ends with the value that stands for it.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::Outcome;
use crate::usage::Usage;

/// Longer than a thousand connections take to stand, also on a busy machine.
const START_DEADLINE: Duration = Duration::from_secs(300);

/// A process that is killed when dropped.
pub struct Process(Child);

impl Process {
    /// This executable in another of its roles; the rest of the line that starts with `ready`.
    pub async fn in_role(role: &str, input: &[u8], ready: &str) -> Outcome<(Self, String)> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(role)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input).await?;
        }
        let stderr = child.stderr.take().ok_or("the child has no stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let said = async {
            while let Some(line) = lines.next_line().await? {
                match line.strip_prefix(ready) {
                    Some(rest) => return Ok(rest.to_owned()),
                    None => eprintln!("  {role}: {line}"),
                }
            }
            Outcome::Err(format!("{role} ended before it was ready").into())
        };
        let said = tokio::time::timeout(START_DEADLINE, said).await??;
        // Read to the end, since a full pipe would stop it.
        let role = role.to_owned();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                eprintln!("  {role}: {line}");
            }
        });
        Ok((Self(child), said))
    }

    /// A program that does not say when it is ready. Its standard input ends with it.
    pub fn start(mut command: Command) -> Outcome<Self> {
        command.stdin(Stdio::piped()).kill_on_drop(true);
        Ok(Self(command.spawn()?))
    }

    pub fn usage(&self) -> Outcome<Usage> {
        let id = self.0.id().ok_or("the process has ended")?;
        Ok(Usage::of(id))
    }

    /// Fails when it has ended.
    pub fn expect_running(&mut self) -> Outcome<()> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("the process ended with {status}").into()),
        }
    }

    pub async fn stop(mut self) -> Outcome<()> {
        Ok(self.0.kill().await?)
    }
}
