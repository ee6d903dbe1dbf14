//! Freeing a remote port that a dead session of ours still holds.
//!
//! A host that did not see us go (a cut cable, a suspended machine) keeps our old session, and with it the port, for
//! hours. So each connection asks the host for the identity of the sshd process that serves it, and the next one may have
//! that process ended: only while boot, process number and start time are the recorded ones, the process is sshd's, and
//! it holds the very port. Anything less certain is left alone, and said.
//!
//! Text in, text out: running the commands is the connection's affair. They are one line of POSIX shell each, without
//! characters that csh or fish would take otherwise, and need nothing but `cat`, `grep`, `id`, `ls`, `sleep` and Linux's
//! `/proc`. Of an answer only known words are used, so that nothing a host prints reaches a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Tells our lines from what a login shell's profile prints.
const MARK: &str = "mngr-latchkey:";

/// Prints the nearest sshd process above the shell.
const IDENTIFY: &str = r#"p=$PPID; while [ "$p" -gt 1 ] && s=$(cat "/proc/$p/stat" 2>/dev/null); do c=${s#*" ("}; c=${c%") "*}; set -- ${s##*") "}; case "$c" in (sshd|sshd-session) echo "mngr-latchkey: session $p ${20} $(cat /proc/sys/kernel/random/boot_id)"; exit 0;; esac; p=$2; done; echo "mngr-latchkey: none""#;

/// Ends process `$1`, started at `$2` in boot `$3`, which listens on port `$4` (four hexadecimal digits).
///
/// What a process holds is readable for itself and root alone once it has changed its user, as sshd's sessions have;
/// where it is not, the port has to be held by a process of this user.
const END: &str = r#"pid=$1 start=$2 boot=$3 port=$4; say() { echo "mngr-latchkey: $1"; exit 0; }; look() { s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; c=${s#*" ("}; c=${c%") "*}; set -- ${s##*") "}; [ "$1" = Z ] && return 1; up=$2; born=${20}; }; [ "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" = "$boot" ] || say rebooted; look "$pid" || say absent; [ "$born" = "$start" ] || say recycled; case "$c" in (sshd|sshd-session) ;; (*) say foreign;; esac; p=$PPID; while [ "$p" -gt 1 ] && look "$p"; do [ "$p" = "$pid" ] && say own; p=$up; done; me=$(id -u); f=$(ls -l "/proc/$pid/fd" 2>/dev/null); held=; for m in $(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep ":$port .* 0A " | while read -r n l r s q t w u o i z; do echo "$l.$u.$i"; done); do l=${m%%.*}; m=${m#*.}; [ "${l##*:}" = "$port" ] || continue; if [ "$f" ]; then case "$f" in (*"socket:[${m#*.}]"*) held=1;; esac; else [ "${m%.*}" = "$me" ] && held=1; fi; done; [ "$held" ] || say unheld; kill -TERM "$pid" 2>/dev/null || say refused; n=0; while [ $n -lt 20 ]; do look "$pid" && [ "$born" = "$start" ] || say ended; [ $n = 10 ] && kill -KILL "$pid" 2>/dev/null; sleep 0.1 2>/dev/null || sleep 1; n=$((n + 1)); done; say survives"#;

/// Which sshd process serves a connection. A process number alone is used again; with the start time and the boot it
/// stands for one process for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Recorded")]
pub struct SessionIdentity {
    pid: u32,
    /// In clock ticks since the boot.
    start_time: u64,
    boot_id: String,
}

/// As it was written down, not yet believed: it becomes part of a command.
#[derive(Deserialize)]
struct Recorded {
    pid: u32,
    start_time: u64,
    boot_id: String,
}

/// What became of the process that was to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is no more, and its port is free.
    Ended,
    /// It was gone already; whoever holds the port is somebody else.
    Absent,
    /// It was left alone, or could not be ended.
    Kept(Reason),
}

/// Why a process was not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The number belongs to another process now.
    Recycled,
    /// It is not sshd's.
    Foreign,
    /// It serves the connection that asks.
    Own,
    /// It does not listen on the port.
    Unheld,
    /// The host did not let this user end it.
    Refused,
    /// It did not end in time.
    Survives,
}

/// An answer that tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error(
        "the host did not answer the question for the connection's own process; it may have no POSIX shell"
    )]
    Silent,
    #[error("the host does not show which of its processes serves the connection")]
    Hidden,
    #[error(
        "the host's answer to the question for the connection's own process could not be understood"
    )]
    Malformed,
}

/// Why something is no identity of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("no session has a process number below 2")]
    Pid,
    #[error("a boot is identified by a UUID")]
    BootId,
}

/// The command whose output [`SessionIdentity::parse`] takes.
pub fn identify_command() -> String {
    format!("exec sh -c '{IDENTIFY}'")
}

/// The command whose output [`Ending::parse`] takes: ends the session `identity` if it holds the host's `port`.
pub fn end_command(identity: &SessionIdentity, port: u16) -> String {
    let SessionIdentity {
        pid,
        start_time,
        boot_id,
    } = identity;
    format!("exec sh -c '{END}' sh {pid} {start_time} {boot_id} {port:04X}")
}

impl SessionIdentity {
    fn new(pid: u32, start_time: u64, boot_id: String) -> Result<Self, IdentityError> {
        if pid < 2 {
            return Err(IdentityError::Pid);
        }
        if !is_uuid(&boot_id) {
            return Err(IdentityError::BootId);
        }
        Ok(Self {
            pid,
            start_time,
            boot_id,
        })
    }

    /// The identity in the output of [`identify_command`].
    pub fn parse(output: &str) -> Result<Self, AnswerError> {
        let mut words = answer(output)?;
        match words.next() {
            Some("session") => {}
            Some("none") => return Err(AnswerError::Hidden),
            _ => return Err(AnswerError::Malformed),
        }
        let identity = (|| {
            let pid = words.next()?.parse().ok()?;
            let start_time = words.next()?.parse().ok()?;
            let boot_id = words.next()?.to_owned();
            Self::new(pid, start_time, boot_id).ok()
        })();
        identity.ok_or(AnswerError::Malformed)
    }
}

impl TryFrom<Recorded> for SessionIdentity {
    type Error = IdentityError;

    fn try_from(recorded: Recorded) -> Result<Self, IdentityError> {
        Self::new(recorded.pid, recorded.start_time, recorded.boot_id)
    }
}

impl Ending {
    /// What the output of [`end_command`] says.
    pub fn parse(output: &str) -> Result<Self, AnswerError> {
        Ok(match answer(output)?.next() {
            Some("ended") => Self::Ended,
            // The process went with its boot.
            Some("absent" | "rebooted") => Self::Absent,
            Some("recycled") => Self::Kept(Reason::Recycled),
            Some("foreign") => Self::Kept(Reason::Foreign),
            Some("own") => Self::Kept(Reason::Own),
            Some("unheld") => Self::Kept(Reason::Unheld),
            Some("refused") => Self::Kept(Reason::Refused),
            Some("survives") => Self::Kept(Reason::Survives),
            _ => return Err(AnswerError::Malformed),
        })
    }
}

/// Completes "the process was not ended: ".
impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Recycled => "its number belongs to another process now",
            Self::Foreign => "it is not sshd's",
            Self::Own => "it serves this very connection",
            Self::Unheld => "it does not listen on the port",
            Self::Refused => "the host does not let this user end it",
            Self::Survives => "it does not end",
        })
    }
}

/// The words of our line.
fn answer(output: &str) -> Result<impl Iterator<Item = &str>, AnswerError> {
    output
        .lines()
        .find_map(|line| line.strip_prefix(MARK))
        .map(str::split_ascii_whitespace)
        .ok_or(AnswerError::Silent)
}

fn is_uuid(text: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    text.split('-').map(str::len).eq(GROUPS)
        && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
