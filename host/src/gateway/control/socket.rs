//! Where control sockets are, and how they come and go.
//!
//! A socket is its process's alone: its name has the process id. That of a gateway which crashed stays behind, and is removed by the next
//! one: nobody listens there, and there is no such process (or the file is old: the number may have been given away).

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

use crate::store::durable::PRIVATE_FILE;
use crate::store::process::Process;

const PREFIX: &str = "control-";
const SUFFIX: &str = ".sock";
/// Waiting to be accepted.
const BACKLOG: u32 = 64;
/// Far longer than a gateway takes from the file of its socket to listening there.
const LEFTOVER_AGE: Duration = Duration::from_secs(60);

/// The name of a process's socket.
pub(super) fn name_of(pid: u32) -> String {
    format!("{PREFIX}{pid}{SUFFIX}")
}

/// The processes that have or had a socket in the directory, sorted. None in a directory that does not exist.
pub(super) fn processes(directory: &Path) -> io::Result<Vec<u32>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let pid = name.to_str().and_then(|name| {
            name.strip_prefix(PREFIX)?
                .strip_suffix(SUFFIX)?
                .parse()
                .ok()
        });
        // Of `control-7.sock` and `control-07.sock`, the first is somebody's.
        found.extend(pid.filter(|&pid| name == *name_of(pid)));
    }
    found.sort_unstable();
    Ok(found)
}

/// A socket's path, short enough for a socket's address.
struct Address {
    path: PathBuf,
    /// The path leads through it.
    #[cfg(target_os = "linux")]
    _directory: Option<std::os::fd::OwnedFd>,
}

impl Address {
    #[cfg(target_os = "linux")]
    fn of(directory: &Path, pid: u32) -> io::Result<Self> {
        use std::os::fd::AsRawFd;

        use rustix::fs::{Mode, OFlags, open};

        let path = directory.join(name_of(pid));
        if SocketAddr::from_pathname(&path).is_ok() {
            return Ok(Self {
                path,
                _directory: None,
            });
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open(directory, flags, Mode::empty())?;
        Ok(Self {
            path: Path::new("/proc/self/fd")
                .join(directory.as_raw_fd().to_string())
                .join(name_of(pid)),
            _directory: Some(directory),
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn of(directory: &Path, pid: u32) -> io::Result<Self> {
        let path = directory.join(name_of(pid));
        match SocketAddr::from_pathname(&path) {
            Ok(_) => Ok(Self { path }),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "its path is too long for a socket on this system: choose a shorter latchkey directory",
            )),
        }
    }
}

/// Connects to the gateway that is this process; none when none listens there.
pub(super) async fn connect(directory: &Path, pid: u32) -> io::Result<Option<UnixStream>> {
    let connected = match Address::of(directory, pid) {
        Ok(address) => UnixStream::connect(&address.path).await,
        Err(error) => Err(error),
    };
    match connected {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(None),
            _ => Err(error),
        },
    }
}

/// The file of a socket that this process listens on, removed when it is dropped.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The next gateway sweeps what cannot be removed now.
        let _ = fs::remove_file(&self.0);
    }
}

/// Listens on this process's own socket, which this user alone may open.
pub(super) async fn listen(directory: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let pid = std::process::id();
    sweep(directory, pid).await?;
    let path = directory.join(name_of(pid));
    let address = Address::of(directory, pid)?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(&address.path)?;
    let file = SocketFile(path);
    // Nobody can connect before it listens.
    fs::set_permissions(&file.0, Permissions::from_mode(PRIVATE_FILE))?;
    Ok((socket.listen(BACKLOG)?, file))
}

/// Removes the sockets of gateways that have crashed, one of this process's own number included. What cannot be told or
/// removed is left for the next time.
async fn sweep(directory: &Path, own: u32) -> io::Result<()> {
    for pid in processes(directory)? {
        let path = directory.join(name_of(pid));
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if !metadata.file_type().is_socket() || !matches!(connect(directory, pid).await, Ok(None)) {
            continue;
        }
        let is_old = || {
            let age = metadata
                .modified()
                .ok()
                .and_then(|modified| SystemTime::now().duration_since(modified).ok());
            age.is_some_and(|age| age > LEFTOVER_AGE)
        };
        if (pid == own || !is_running(pid) || is_old()) && fs::remove_file(&path).is_ok() {
            tracing::debug!("removed the control socket of a gateway that has crashed (pid {pid})");
        }
    }
    Ok(())
}

fn is_running(pid: u32) -> bool {
    i32::try_from(pid).is_ok_and(|pid| Process::look_up(pid).is_some())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener as Listener;

    use super::*;

    #[tokio::test]
    async fn a_socket_is_for_its_user_alone_and_is_removed_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let (listener, file) = listen(directory.path()).await.unwrap();
        let path = directory.path().join(name_of(std::process::id()));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(processes(directory.path()).unwrap(), [std::process::id()]);
        let connected = connect(directory.path(), std::process::id()).await.unwrap();
        assert!(connected.is_some());
        drop((listener, file));
        assert!(!path.exists());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_directory_may_be_too_long_for_an_address() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("d".repeat(120)).join("e".repeat(120));
        fs::create_dir_all(&directory).unwrap();
        let (_listener, file) = listen(&directory).await.unwrap();
        assert!(file.0.exists() && file.0.starts_with(&directory));
        let connected = connect(&directory, std::process::id()).await.unwrap();
        assert!(connected.is_some());
    }

    #[tokio::test]
    async fn sockets_of_the_dead_are_swept_and_those_of_the_living_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = |pid: u32| directory.path().join(name_of(pid));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        // The dead one's own, and one of this process from before, when another had its number.
        drop(Listener::bind(path(child.id())).unwrap());
        drop(Listener::bind(path(std::process::id())).unwrap());
        // It has not begun to listen, and one that listens whose process cannot be seen from here.
        drop(Listener::bind(path(1)).unwrap());
        let _living = Listener::bind(path(u32::MAX)).unwrap();
        fs::write(directory.path().join("control-7.sock"), b"no socket").unwrap();
        fs::write(directory.path().join("control-x.sock"), b"nobody's").unwrap();

        let (_listener, _file) = listen(directory.path()).await.unwrap();
        let mut left = processes(directory.path()).unwrap();
        left.sort_unstable();
        let mut expected = [1, 7, std::process::id(), u32::MAX];
        expected.sort_unstable();
        assert_eq!(left, expected);
        assert!(directory.path().join("control-x.sock").exists());
    }

    #[tokio::test]
    async fn nobody_listens_where_nothing_is() {
        let directory = tempfile::tempdir().unwrap();
        assert!(connect(directory.path(), 1).await.unwrap().is_none());
        assert!(
            processes(&directory.path().join("missing"))
                .unwrap()
                .is_empty()
        );
    }
}
