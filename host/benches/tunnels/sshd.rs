//! A real sshd on loopback, with a host key and a user's key that were made for it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command as Blocking, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::Outcome;
use crate::role::Process;

/// The one cipher that it takes, from both sides alike.
pub const CIPHER: &str = "aes128-gcm@openssh.com";

const START_DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// It is on no ordinary user's PATH.
const PLACES: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"];

/// Runs until it is dropped.
pub struct Sshd {
    directory: TempDir,
    process: Process,
    address: SocketAddr,
    user: String,
}

/// Where it is installed; it insists on being called by its absolute path.
pub fn program() -> Option<PathBuf> {
    PLACES
        .iter()
        .map(|place| PathBuf::from(place).join("sshd"))
        .find(|path| path.exists())
}

impl Sshd {
    pub async fn start() -> Outcome<Self> {
        let program =
            program().ok_or("there is no sshd here; install the package openssh-server")?;
        // Not in `/tmp`: that may be memory, and the tunnels spill to this place.
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let file = |name: &str| directory.path().join(name);
        for key in ["host_key", "key"] {
            let mut command = Blocking::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", ""]);
            succeed(command.arg("-f").arg(file(key)))?;
        }
        let address = free_address()?;
        let host_key = fs::read_to_string(file("host_key.pub"))?;
        let known = format!("[{}]:{} {host_key}", address.ip(), address.port());
        fs::write(file("known_hosts"), known)?;
        let lines = [
            format!("ListenAddress {address}"),
            format!("HostKey {}", file("host_key").display()),
            format!("AuthorizedKeysFile {}", file("key.pub").display()),
            format!("Ciphers {CIPHER}"),
            "PidFile none".to_owned(),
            "StrictModes no".to_owned(),
            "UsePAM no".to_owned(),
            "PasswordAuthentication no".to_owned(),
            "PermitRootLogin prohibit-password".to_owned(),
            "MaxStartups 1000".to_owned(),
            "UseDNS no".to_owned(),
            "LogLevel ERROR".to_owned(),
            // An empty one: what the user's shell would do at its start is no cost of a tunnel.
            format!("SetEnv HOME={}", directory.path().display()),
        ];
        fs::write(file("sshd_config"), lines.join("\n") + "\n")?;
        if rustix::process::getuid().is_root() {
            // Where it drops its privileges; the system's own service would make it.
            fs::create_dir_all("/run/sshd")?;
        }
        let mut command = Command::new(program);
        command.arg("-D").arg("-f").arg(file("sshd_config"));
        command.arg("-E").arg(file("log"));
        let mut sshd = Self {
            process: Process::start(command)?,
            directory,
            address,
            user: succeed(Blocking::new("id").arg("-un"))?.trim().to_owned(),
        };
        sshd.wait_for_greeting().await?;
        Ok(sshd)
    }

    async fn wait_for_greeting(&mut self) -> Outcome<()> {
        let Self {
            process, address, ..
        } = self;
        let greeted = async {
            loop {
                process.expect_running()?;
                let mut greeting = [0; 4];
                if let Ok(mut stream) = TcpStream::connect(*address).await
                    && stream.read_exact(&mut greeting).await.is_ok()
                    && &greeting == b"SSH-"
                {
                    return Outcome::Ok(());
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(START_DEADLINE, greeted).await?
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whom it lets in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The private key, with the `known_hosts` beside it.
    pub fn key(&self) -> PathBuf {
        self.directory.path().join("key")
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.directory.path().join("known_hosts")
    }

    /// A directory for what tunnels cannot keep in memory.
    pub fn spill(&self) -> Outcome<PathBuf> {
        let directory = self.directory.path().join("spill");
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }
}

/// An address that nobody listens on.
pub fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn succeed(command: &mut Blocking) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} failed: {reason}").into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
