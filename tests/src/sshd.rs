//! A real OpenSSH server, in a network namespace or on 127.0.0.1: started, killed and started again at the same address.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::namespace::Namespace;
use crate::process_list::{self, descendants};
use crate::ssh_keys::{KeyKind, SshKey};
use crate::system::{attempt, run};
use crate::{PATIENCE, eventually_within};

/// A server that lets in whose key it was told to [`Sshd::admit`]. Killed when dropped, with its sessions.
pub struct Sshd {
    directory: TempDir,
    namespace: Option<String>,
    address: SocketAddr,
    listener: Option<Child>,
    /// Sessions whose listener was killed.
    orphans: Vec<u32>,
}

/// How a server is to be started.
pub struct SshdOptions {
    namespace: Option<String>,
    address: SocketAddr,
    host_key: KeyKind,
    lines: Vec<String>,
}

impl Sshd {
    /// One at the address of a namespace, on the usual port.
    pub fn inside(namespace: &Namespace) -> SshdOptions {
        let address = (namespace.address(), 22).into();
        SshdOptions::new(Some(namespace.name().to_owned()), address)
    }

    /// One on 127.0.0.1 and a port that is free.
    pub fn on_loopback() -> SshdOptions {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback address can be bound");
        let address = listener.local_addr().expect("a listener has an address");
        SshdOptions::new(None, address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets in whoever has this key, from the next connection on.
    pub fn admit(&self, key: &SshKey) {
        let mut file = OpenOptions::new()
            .append(true)
            .open(self.authorized_keys())
            .expect("authorized_keys can be written");
        writeln!(file, "{}", key.public()).expect("authorized_keys can be written");
    }

    /// Lets in nobody any more, from the next connection on.
    pub fn admit_nobody(&self) {
        fs::write(self.authorized_keys(), "").expect("authorized_keys can be written");
    }

    /// Its public host key: type and content.
    pub fn host_key(&self) -> String {
        SshKey::at(self.file("host_key")).public()
    }

    /// What people compare: `SHA256:` and the digest of its public host key.
    pub fn host_key_fingerprint(&self) -> String {
        SshKey::at(self.file("host_key")).fingerprint()
    }

    /// A new host key, with which it shows itself from its next start on.
    pub fn change_host_key(&self, kind: KeyKind) {
        SshKey::generate_at(&self.directory.path().join("host_key"), kind, "");
    }

    /// A second host key, of another kind, that it offers too from its next start on.
    pub fn add_host_key(&self, kind: KeyKind) {
        let path = self.file("second_host_key");
        SshKey::generate_at(&path, kind, "");
        let mut file = OpenOptions::new()
            .append(true)
            .open(self.file("sshd_config"))
            .expect("the configuration can be written");
        writeln!(file, "HostKey {}", path.display()).expect("the configuration can be written");
    }

    /// Makes a client with this key known here, and this server known to it.
    pub fn befriend(&self, key: &SshKey) {
        self.admit(key);
        key.know(self.address, &self.host_key());
    }

    /// How discovery tells of it to a client with this key.
    pub fn ssh_info(&self, key: &SshKey) -> Value {
        let (user, host, port) = (user(), self.address.ip(), self.address.port());
        let key = key.path().to_str().expect("the path is text");
        json!({
            "user": user,
            "host": host,
            "port": port,
            "key_path": key,
            "command": format!("ssh -i {key} -p {port} {user}@{host}"),
        })
    }

    /// Kills the listener; the sessions that it has let in go on.
    pub fn kill_listener(&mut self) {
        if let Some(mut listener) = self.listener.take() {
            self.orphans
                .extend(descendants(listener.id()).iter().map(|session| session.id));
            let _ = listener.kill();
            let _ = listener.wait();
        }
    }

    /// Kills the sessions; the listener goes on.
    pub fn kill_sessions(&mut self) {
        let listener = self.listener.as_ref().map(Child::id);
        let sessions = listener.map(descendants).unwrap_or_default();
        let sessions = sessions.iter().map(|session| session.id);
        for session in self.orphans.drain(..).chain(sessions) {
            process_list::send(session, Signal::KILL);
        }
    }

    /// Kills all of it, as when the host loses power but for the connections' ends being told.
    pub fn kill(&mut self) {
        self.kill_listener();
        self.kill_sessions();
    }

    /// How many connections it serves.
    pub fn sessions(&self) -> usize {
        let listener = self.listener.as_ref().map(Child::id);
        listener.map_or(0, |listener| {
            let processes = descendants(listener);
            processes
                .iter()
                .filter(|process| process.parent == listener)
                .count()
        })
    }

    /// Starts the listener again after it was killed.
    ///
    /// # Panics
    /// When it does not listen.
    pub async fn start_again(&mut self) {
        let configuration = self.file("sshd_config");
        let (configuration, log) = (configuration.as_os_str(), self.file("log"));
        let mut command = match &self.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(program());
                command
            }
            None => Command::new(program()),
        };
        let listener = command
            .arg("-D")
            .arg("-f")
            .arg(configuration)
            .arg("-E")
            .arg(log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("sshd cannot be started: {error}"));
        let listener = self.listener.insert(listener);
        let address = self.address;
        let mut ended = None;
        eventually_within(PATIENCE, "sshd listens", async || {
            ended = listener.try_wait().expect("a child can be looked at");
            ended.is_some() || greets(address).await
        })
        .await;
        assert!(
            ended.is_none(),
            "sshd has ended with {ended:?}:\n{}",
            self.log()
        );
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    fn authorized_keys(&self) -> PathBuf {
        self.file("authorized_keys")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl SshdOptions {
    fn new(namespace: Option<String>, address: SocketAddr) -> Self {
        Self {
            namespace,
            address,
            host_key: KeyKind::Ed25519,
            lines: Vec::new(),
        }
    }

    /// Another kind of host key than ed25519.
    #[must_use]
    pub fn host_key(mut self, kind: KeyKind) -> Self {
        self.host_key = kind;
        self
    }

    /// Another port than the usual one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// A line of its configuration, which wins over what the harness writes.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Starts it and awaits that it listens.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(self) -> Sshd {
        let mut sshd = Sshd {
            directory: TempDir::with_prefix("mngr-latchkey-sshd-").expect("a temporary directory"),
            namespace: self.namespace,
            address: self.address,
            listener: None,
            orphans: Vec::new(),
        };
        sshd.change_host_key(self.host_key);
        sshd.admit_nobody();
        let mut lines = self.lines;
        let path = |name| sshd.file(name).display().to_string();
        lines.extend([
            format!("ListenAddress {}", sshd.address),
            format!("HostKey {}", path("host_key")),
            format!("AuthorizedKeysFile {}", path("authorized_keys")),
            "PidFile none".to_owned(),
            "StrictModes no".to_owned(),
            "UsePAM no".to_owned(),
            "PasswordAuthentication no".to_owned(),
            "KbdInteractiveAuthentication no".to_owned(),
            "PermitRootLogin prohibit-password".to_owned(),
            "AllowTcpForwarding yes".to_owned(),
            "MaxStartups 1000".to_owned(),
            "UseDNS no".to_owned(),
            // bash, run by sshd, would read the user's own .bashrc, whatever that does and however long it takes.
            "SetEnv SHLVL=1".to_owned(),
            "LogLevel DEBUG".to_owned(),
        ]);
        let configuration = sshd.file("sshd_config");
        fs::write(&configuration, lines.join("\n") + "\n").expect("a configuration can be written");
        if rustix::process::getuid().is_root() {
            // Where it drops its privileges; the system's own service would make it.
            let _ = fs::create_dir_all("/run/sshd");
        }
        // From 9.8 on it turns away for a while who has failed before; until then it does not know the word.
        let forgiving = "PerSourcePenalties no";
        let option = format!("-o{}", forgiving.replace(' ', "="));
        let file = configuration.to_str().expect("the path is text");
        if attempt(program(), ["-t", "-f", file, &option]).is_ok() {
            lines.push(forgiving.to_owned());
            fs::write(&configuration, lines.join("\n") + "\n")
                .expect("a configuration can be written");
        }
        sshd.start_again().await;
        sshd
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.len().saturating_sub(60);
            eprintln!(
                "-- the last lines of the log of sshd at {} --",
                self.address
            );
            eprintln!("{}\n-- end of the log --", lines[last..].join("\n"));
        }
    }
}

/// sshd insists on an absolute path, and is on no ordinary user's PATH.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let found = attempt(
            "sh",
            ["-c", "PATH=$PATH:/usr/local/sbin:/usr/sbin command -v sshd"],
        );
        let found = found.unwrap_or_else(|reason| {
            panic!("sshd is not installed; tests/run says how to get it ({reason})")
        });
        found.trim().to_owned()
    })
}

/// Whose sessions it opens.
fn user() -> &'static str {
    static USER: OnceLock<String> = OnceLock::new();
    USER.get_or_init(|| run("id", ["-un"]).trim().to_owned())
}

async fn greets(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting).await.is_ok() && &greeting == b"SSH-"
}
