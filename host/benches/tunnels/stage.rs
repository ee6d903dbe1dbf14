//! The sides under comparison: our tunnel and `ssh -R`, from one sshd to one HTTP server.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::Command;

use crate::Outcome;
use crate::own;
use crate::role::Process;
use crate::sshd::{CIPHER, Sshd, free_address};
use crate::upstream;
use crate::usage::Usage;
use crate::wire::{Connection, Outline};

const START_DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Everything runs, and a small answer was seen through each side.
pub struct Stage {
    pub own: Tunnel,
    pub openssh: Tunnel,
    /// The server itself, for what the machine can do without any tunnel.
    pub upstream: SocketAddr,
    _upstream: Process,
    _sshd: Sshd,
}

/// One way from a port of the agent's side to the server.
pub struct Tunnel {
    process: Process,
    /// Where the agent connects.
    pub remote: SocketAddr,
}

impl Stage {
    pub async fn set() -> Outcome<Self> {
        let (upstream, address) = start_upstream().await?;
        let sshd = Sshd::start().await?;
        let stage = Self {
            own: Tunnel::own(&sshd, address).await?,
            openssh: Tunnel::openssh(&sshd, address).await?,
            upstream: address,
            _upstream: upstream,
            _sshd: sshd,
        };
        for address in [stage.own.remote, stage.openssh.remote, address] {
            let mut connection = Connection::open(address).await?;
            expect_small(connection.exchange(SMALL_REQUEST).await?)?;
        }
        Ok(stage)
    }
}

impl Tunnel {
    async fn own(sshd: &Sshd, target: SocketAddr) -> Outcome<Self> {
        let remote = free_address()?;
        let process = own::start(sshd, target, vec![remote.port()]).await?;
        Ok(Self { process, remote })
    }

    pub async fn openssh(sshd: &Sshd, target: SocketAddr) -> Outcome<Self> {
        let remote = free_address()?;
        let mut command = Command::new("ssh");
        command
            .args(["-T", "-F", "none", "-R"])
            .arg(format!("{remote}:{target}"))
            .args(["-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes"])
            .args([
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "StrictHostKeyChecking=yes",
            ])
            .args(["-o", &format!("Ciphers={CIPHER}")])
            .arg("-o")
            .arg(format!(
                "UserKnownHostsFile={}",
                sshd.known_hosts().display()
            ))
            .arg("-i")
            .arg(sshd.key())
            .args(["-p", &sshd.address().port().to_string()])
            .arg(format!("{}@{}", sshd.user(), sshd.address().ip()))
            // With `-N` instead, sshd leaves Nagle's algorithm on, and new connections take 40 ms each.
            .arg("cat");
        let mut process = Process::start(command)?;
        let listens = async {
            while TcpStream::connect(remote).await.is_err() {
                process.expect_running()?;
                tokio::time::sleep(POLL).await;
            }
            Outcome::Ok(())
        };
        tokio::time::timeout(START_DEADLINE, listens).await??;
        Ok(Self { process, remote })
    }

    pub fn usage(&self) -> Outcome<Usage> {
        self.process.usage()
    }
}

pub const SMALL_REQUEST: &[u8] = b"GET /small HTTP/1.1\r\nhost: upstream\r\n\r\n";

/// A rate of wrong answers is no measurement.
pub fn expect_small(outline: Outline) -> Outcome<()> {
    let expected = Outline {
        status: 200,
        body_length: upstream::SMALL,
    };
    if outline == expected {
        return Ok(());
    }
    Err(format!("got {outline:?}, expected {expected:?}").into())
}

pub async fn start_upstream() -> Outcome<(Process, SocketAddr)> {
    let (process, address) = Process::in_role(upstream::ARGUMENT, &[], "http://").await?;
    Ok((process, address.trim().parse()?))
}
