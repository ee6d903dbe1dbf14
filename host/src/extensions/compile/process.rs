//! The compiling process as the gateway sees it: started, fed, watched, and told apart by how it ends.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{CLOCK_TIME, CompileError, MEMORY_MIB, PROCESSOR_TIME, subcommand};
use crate::extensions::component::one_line;

/// Of what the process says; the rest is read and forgotten.
const LONGEST_MESSAGE: u64 = 16 * 1024;
/// What the allocator, and what the operating system, says when the limit of memory is reached.
const OUT_OF_MEMORY: [&str; 2] = ["memory allocation of", "os error 12"];

/// A program whose `main` is that of [`crate::cli`].
#[derive(Clone, Debug)]
pub struct CompilerProgram(PathBuf);

impl CompilerProgram {
    /// The program that runs, even if another version stands in its place by now.
    ///
    /// # Errors
    /// When the operating system does not say which one it is.
    pub fn running() -> io::Result<Self> {
        // Only this name leads to a file that has been replaced.
        #[cfg(target_os = "linux")]
        let path = PathBuf::from("/proc/self/exe");
        #[cfg(not(target_os = "linux"))]
        let path = std::env::current_exe()?;
        path.try_exists()?;
        Ok(Self(path))
    }
}

/// One component to compile.
pub(super) struct Task {
    pub(super) component: Arc<[u8]>,
    /// Where the code is left; without it, compiling is only tried.
    pub(super) code: Option<PathBuf>,
    pub(super) has_priority: bool,
}

impl Task {
    /// Runs the process to its end, which comes at the latest when the time is up or the future is dropped.
    pub(super) async fn run(&self, program: &CompilerProgram) -> Result<(), CompileError> {
        let mut command = Command::new(&program.0);
        command
            .arg0(env!("CARGO_PKG_NAME"))
            .arg(subcommand::NAME)
            .arg("--length")
            .arg(self.component.len().to_string());
        if let Some(code) = &self.code {
            command.arg("--code").arg(code);
        }
        if self.has_priority {
            command.arg("--with-priority");
        }
        let mut child = command
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (mut input, output) = (child.stdin.take(), child.stderr.take());
        let feed = async {
            if let Some(input) = &mut input {
                // One that has ended already says why in another way. The pipe stays open: its end would end the process.
                let _ = input.write_all(&self.component).await;
            }
            std::future::pending().await
        };
        let watch = async { tokio::join!(message(output), child.wait()) };
        let ended = tokio::select! {
            biased;
            ended = watch => Some(ended),
            () = tokio::time::sleep(CLOCK_TIME) => None,
            () = feed => None,
        };
        match ended {
            Some((message, status)) => outcome(status?, &message),
            None => {
                child.kill().await?;
                Err(CompileError::TooLong(CLOCK_TIME))
            }
        }
    }
}

/// What the process says, up to a limit.
async fn message(output: Option<impl AsyncRead + Unpin>) -> String {
    let mut message = Vec::new();
    if let Some(mut output) = output {
        let mut start = (&mut output).take(LONGEST_MESSAGE);
        // Without it the exit status has to tell enough.
        let _ = start.read_to_end(&mut message).await;
        let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&message).into_owned()
}

fn outcome(status: ExitStatus, message: &str) -> Result<(), CompileError> {
    if status.success() {
        return Ok(());
    }
    if OUT_OF_MEMORY.iter().any(|sign| message.contains(sign)) {
        return Err(CompileError::TooMuch(MEMORY_MIB));
    }
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return Err(CompileError::TooLong(PROCESSOR_TIME));
    }
    let said = one_line(message);
    Err(match (status.code(), said.strip_prefix("Error: ")) {
        (Some(1), Some(reason)) => CompileError::Invalid(reason.to_owned()),
        _ if said.is_empty() => CompileError::BrokeDown(format!("it ended with {status}")),
        _ => CompileError::BrokeDown(said),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the operating system encodes them: the exit code in the second byte, or the signal in the first.
    fn ended(code: i32, signal: i32, message: &str) -> String {
        outcome(ExitStatus::from_raw(code << 8 | signal), message)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn each_end_has_its_name() {
        let too_long = ended(0, Signal::XCPU.as_raw(), "");
        assert!(too_long.contains("longer than 30 s"), "{too_long}");
        for (code, signal, message) in [
            (
                0,
                Signal::ABORT.as_raw(),
                "memory allocation of 64 bytes failed\n",
            ),
            (1, 0, "Error: Cannot allocate memory (os error 12)\n"),
        ] {
            let too_much = ended(code, signal, message);
            assert!(too_much.contains("more than 1024 MiB"), "{too_much}");
        }
        let invalid = ended(1, 0, "Error: bad magic\n\n  at\u{1b}[31m offset 0\n");
        assert!(invalid.ends_with(": bad magic at offset 0"), "{invalid:?}");
        let crashed = ended(0, Signal::SEGV.as_raw(), "");
        assert!(
            crashed.contains("broke down") && crashed.contains("11"),
            "{crashed}"
        );
        let panicked = ended(
            101,
            0,
            "thread 'compile' panicked at x.rs:1:\nno register\n",
        );
        assert!(
            panicked.contains("broke down") && panicked.contains("no register"),
            "{panicked}"
        );
    }

    #[tokio::test]
    async fn a_program_that_cannot_be_run_is_named_as_such() {
        let task = Task {
            component: Arc::from(*b"\0asm"),
            code: None,
            has_priority: false,
        };
        let nowhere = CompilerProgram(PathBuf::from("/nowhere/compiler"));
        let error = task.run(&nowhere).await.unwrap_err();
        assert!(matches!(error, CompileError::NotRun(_)), "{error}");
    }

    #[tokio::test]
    async fn what_a_process_says_beyond_the_limit_is_left_out_and_holds_nothing_up() {
        let endless = tokio::io::repeat(b'x').take(10 * LONGEST_MESSAGE);
        let message = message(Some(endless)).await;
        assert_eq!(message.len(), usize::try_from(LONGEST_MESSAGE).unwrap());
    }
}
