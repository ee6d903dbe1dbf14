//! The processes under measurement: gateways, plain servers and short-lived commands, each in a home of its own.
//!
//! A process ends with the value that stands for it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::Outcome;
use crate::usage::{Resident, Usage};

/// Longer than any of them takes to start, also where components are compiled on a busy machine.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// How lines begin, after the time, that whoever measures should see.
const COMPLAINTS: [&str; 3] = ["WARN", "ERROR", "cannot "];

/// A latchkey directory that nobody has used before.
pub struct Home(TempDir);

impl Home {
    /// In the build directory, not in `/tmp`: that may be memory, where nothing is durable and a sync costs nothing.
    pub fn new() -> Outcome<Self> {
        Ok(Self(TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?))
    }

    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(below)
    }

    /// The program under measurement, untouched by the caller's environment.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mngr-latchkey"));
        command
            .env_clear()
            .env("HOME", self.0.path())
            .arg("--latchkey-directory")
            .arg(self.0.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a subcommand to its end: what it printed, and how long the whole process took.
    pub async fn run(&self, arguments: &[&str]) -> Outcome<(String, Duration)> {
        let mut command = self.command();
        let started = Instant::now();
        let output = command.args(arguments).output().await?;
        let elapsed = started.elapsed();
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{arguments:?} failed: {reason}").into());
        }
        Ok((String::from_utf8(output.stdout)?, elapsed))
    }

    /// A new agent's environment, and its permissions file.
    pub async fn agent(&self) -> Outcome<Agent> {
        let created: Value = serde_json::from_str(&self.run(&["create-agent-env"]).await?.0)?;
        let text = |pointer: &str| {
            let value = created.pointer(pointer).and_then(Value::as_str);
            value
                .map(str::to_owned)
                .ok_or_else(|| format!("create-agent-env prints no {pointer}"))
        };
        Ok(Agent {
            password: text("/env/LATCHKEY_GATEWAY_PASSWORD")?,
            token: text("/env/LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE")?,
            permissions: text("/opaque_permissions_path")?.into(),
        })
    }

    /// Gives the agent an identity, and with it a part of the Minds API: its id.
    pub async fn register(&self, agent: &Agent) -> Outcome<String> {
        let host_id = format!("host-{}", "0123456789abcdef".repeat(2));
        let agent_id = format!("agent-{}", "fedcba9876543210".repeat(2));
        let handle = agent.permissions.to_string_lossy();
        self.run(&[
            "link-permissions",
            "--host-id",
            &host_id,
            "--opaque-path",
            &handle,
        ])
        .await?;
        self.run(&[
            "register-agent",
            "--host-id",
            &host_id,
            "--agent-id",
            &agent_id,
        ])
        .await?;
        Ok(agent_id)
    }

    pub async fn start_gateway(&self) -> Outcome<Server> {
        Server::start(self.gateway(), &[]).await
    }

    /// A gateway with a Minds API, and a key for it.
    pub async fn start_gateway_before(&self, upstream: &Server) -> Outcome<Server> {
        let mut command = self.gateway();
        command
            .env(
                "LATCHKEY_EXTENSION_MINDS_API_URL",
                format!("http://{}", upstream.address),
            )
            .env(
                "LATCHKEY_EXTENSION_MINDS_API_KEY",
                "the-key-of-the-benchmark",
            );
        Server::start(command, &[]).await
    }

    fn gateway(&self) -> Command {
        let mut command = self.command();
        command.args([
            "gateway",
            "--listen-host",
            "127.0.0.1",
            "--listen-port",
            "0",
        ]);
        command
    }
}

/// What an agent needs in order to call the gateway.
pub struct Agent {
    pub password: String,
    pub token: String,
    pub permissions: PathBuf,
}

/// A server that listens.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// A plain server that answers everything with `response`.
    pub async fn start_plain(response: &crate::wire::Response) -> Outcome<Self> {
        let input = crate::plain::encode(response);
        Self::start_self(&[crate::plain::ARGUMENT], &input).await
    }

    /// The service that the proxies stand before.
    pub async fn start_upstream() -> Outcome<Self> {
        Self::start_self(&[crate::upstream::ARGUMENT], &[]).await
    }

    /// What the gateway's proxy is compared with.
    pub async fn start_reverse_proxy_before(upstream: &Self) -> Outcome<Self> {
        let address = upstream.address.to_string();
        Self::start_self(&[crate::reverse_proxy::ARGUMENT, &address], &[]).await
    }

    /// This executable, as one of the servers that it can be.
    async fn start_self(arguments: &[&str], input: &[u8]) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .kill_on_drop(true);
        Self::start(command, input).await
    }

    async fn start(mut command: Command, input: &[u8]) -> Outcome<Self> {
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input).await?;
        }
        let stderr = child.stderr.take().ok_or("the child has no stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let address = async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, address)) = line.split_once("http://") {
                    return Ok(address.trim().parse()?);
                }
            }
            Outcome::<SocketAddr>::Err("the server ended before it listened".into())
        };
        let address = tokio::time::timeout(START_DEADLINE, address).await??;
        // Read to the end, since a full pipe would stop the server; the first complaint of each kind tells enough.
        tokio::spawn(async move {
            let mut shown = HashSet::new();
            while let Ok(Some(line)) = lines.next_line().await {
                let complaint = COMPLAINTS.iter().find_map(|mark| line.find(mark));
                let complaint = complaint.and_then(|start| line.get(start..));
                if complaint.is_some_and(|complaint| shown.insert(complaint.to_owned())) {
                    eprintln!("  the server at {address} says: {line}");
                }
            }
        });
        Ok(Self { child, address })
    }

    fn usage(&self) -> Outcome<Usage> {
        let id = self.child.id().ok_or("the server has ended")?;
        Ok(Usage::of(id))
    }

    /// Processor time of all of its threads so far.
    pub fn cpu_time(&self) -> Outcome<Duration> {
        self.usage()?.cpu_time()
    }

    pub fn resident(&self) -> Outcome<Resident> {
        self.usage()?.resident()
    }

    /// How many files it has open now.
    pub fn open_files(&self) -> Outcome<u64> {
        self.usage()?.open_files()
    }

    pub async fn stop(mut self) -> Outcome<()> {
        self.child.kill().await?;
        Ok(())
    }
}
