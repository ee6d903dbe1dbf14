//! Being a supervisor's child: the listening socket is the standard input, a line on the standard output says that the
//! gateway accepts, and it does not outlive the process that started it.

use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::process::{Pid, getppid};

/// The line that a supervisor waits for.
pub const READY: &str = "ready";

/// How soon an orphan notices. A supervisor that is killed cannot say so.
const PARENT_CHECK: Duration = Duration::from_millis(500);

/// The process that started this one.
#[derive(Clone, Copy, Debug)]
pub struct Parent(Pid);

impl Parent {
    /// None when `pid` is not the parent: it has ended since it started this process.
    pub fn recognise(pid: i32) -> Option<Self> {
        let parent = getppid()?;
        (parent.as_raw_nonzero().get() == pid).then_some(Self(parent))
    }

    /// Completes when the parent has ended.
    pub(super) async fn gone(self) {
        let mut due = tokio::time::interval(PARENT_CHECK);
        while getppid() == Some(self.0) {
            due.tick().await;
        }
    }
}

/// The socket that the supervisor has bound.
///
/// # Errors
/// When the standard input is no listening socket.
pub fn inherited_socket() -> io::Result<TcpListener> {
    let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Fails for anything that has no address.
    listener.local_addr()?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

pub(super) fn report_ready() {
    let mut stdout = io::stdout().lock();
    // Whoever does not listen any more will end this process.
    let _ = writeln!(stdout, "{READY}");
    let _ = stdout.flush();
}
