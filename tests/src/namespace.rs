//! A network namespace that stands for an agent host: a loopback interface of its own, and a cable to this machine that can
//! be cut, or made to swallow what it carries.
//!
//! It takes root and iproute2. Names carry the number of the process that made them: what a killed run left behind is found by
//! it, and removed by the next. Addresses are of 198.18.0.0/15, which is set aside for tests.

use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;

use crate::process_list;
use crate::system::{attempt, attempt_with, run};

const PREFIX: &str = "mngr-latchkey-";
/// Networks of four addresses in 198.18.0.0/15.
const NETWORKS: u32 = 1 << 15;
/// An address of no card: what is sent to it arrives, and is dropped without an answer.
const NOBODY: &str = "02:00:00:00:00:01";

/// The namespace, removed when dropped with all that runs in it.
pub struct Namespace {
    name: String,
    /// This machine's end of the cable.
    device: String,
    near: Ipv4Addr,
    far: Ipv4Addr,
}

impl Namespace {
    /// A new one; none, with the reason on stderr, where the test may not make any.
    ///
    /// # Panics
    /// When there is a namespace, but it cannot be joined to this one.
    pub fn new() -> Option<Self> {
        static SWEPT: OnceLock<()> = OnceLock::new();
        static MADE: AtomicU32 = AtomicU32::new(0);
        SWEPT.get_or_init(sweep);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{made}", std::process::id());
        if let Err(reason) = attempt("ip", ["netns", "add", &name]) {
            eprintln!(
                "SKIPPED: a network namespace cannot be made here (it takes root and iproute2): {reason}"
            );
            return None;
        }
        let mut namespace = Self {
            name,
            device: String::new(),
            near: Ipv4Addr::UNSPECIFIED,
            far: Ipv4Addr::UNSPECIFIED,
        };
        namespace.lay_cable();
        Some(namespace)
    }

    /// The first free network becomes ours: that its device can be made decides between tests that run at once.
    fn lay_cable(&mut self) {
        let first = std::process::id().wrapping_mul(61);
        for attempted in 0..NETWORKS {
            let network = first.wrapping_add(attempted) % NETWORKS;
            let device = format!("mlk{network}");
            let add = [
                "link", "add", &device, "type", "veth", "peer", "name", "eth0", "netns",
            ];
            match attempt("ip", add.into_iter().chain([self.name.as_str()])) {
                Ok(_) => {
                    let base = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + 4 * network;
                    (self.near, self.far) = ((base + 1).into(), (base + 2).into());
                    self.device = device;
                    break;
                }
                Err(reason) if reason.contains("File exists") => {}
                Err(reason) => panic!("a namespace can be joined to this one: {reason}"),
            }
        }
        let (near, far, device) = (self.near, self.far, &self.device);
        self.configure(
            &[],
            &format!("addr add {near}/30 dev {device}\nlink set {device} up\n"),
        );
        self.configure(
            &["-netns", &self.name],
            &format!("addr add {far}/30 dev eth0\nlink set lo up\nlink set eth0 up\n"),
        );
    }

    /// Its name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address at its end of the cable.
    pub fn address(&self) -> Ipv4Addr {
        self.far
    }

    /// This machine's address at the other end.
    pub fn outside(&self) -> Ipv4Addr {
        self.near
    }

    /// A program that is to run in it, with the environment and the working directory of the test.
    pub fn command<A: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name, program])
            .args(arguments);
        command
    }

    /// Pulls the plug at its end: both ends see that there is no carrier.
    pub fn cut(&self) {
        run("ip", ["-netns", &self.name, "link", "set", "eth0", "down"]);
    }

    /// Undoes [`Namespace::cut`].
    pub fn mend(&self) {
        run("ip", ["-netns", &self.name, "link", "set", "eth0", "up"]);
    }

    /// Lets everything vanish that either side sends from now on; nobody is told.
    pub fn black_hole(&self) {
        let (near, far, device) = (self.near, self.far, &self.device);
        let towards = |address: Ipv4Addr, device: &str| {
            format!("neigh replace {address} lladdr {NOBODY} dev {device} nud permanent\n")
        };
        self.configure(&[], &towards(far, device));
        self.configure(&["-netns", &self.name], &towards(near, "eth0"));
    }

    /// Undoes [`Namespace::black_hole`].
    pub fn let_through(&self) {
        let (near, far, device) = (self.near, self.far, &self.device);
        self.configure(&[], &format!("neigh del {far} dev {device}\n"));
        self.configure(
            &["-netns", &self.name],
            &format!("neigh del {near} dev eth0\n"),
        );
    }

    /// Makes this machine forget its connections to it, without a word to the other side.
    ///
    /// # Errors
    /// When the kernel cannot.
    pub fn forget_connections(&self) -> Result<(), String> {
        let far = self.far.to_string();
        let left = || attempt("ss", ["-Htan", "dst", &far]);
        // It complains of one that is not to be found any more, as well as of not being able to.
        let complaint = attempt("ss", ["-HKtan", "dst", &far]).err();
        let lines = left()?;
        match lines
            .lines()
            .filter(|line| !line.starts_with("TIME-WAIT"))
            .count()
        {
            0 => Ok(()),
            _ => Err(complaint.unwrap_or(lines)),
        }
    }

    /// Whether all that was sent over TCP, from here or to here, has been received and read.
    pub fn is_quiet(&self) -> bool {
        let connections = run("ip", ["netns", "exec", &self.name, "ss", "-Htn"]);
        connections.lines().all(|line| {
            let queues = line.split_whitespace().skip(1).take(2);
            queues.eq(["0", "0"])
        })
    }

    /// The TCP ports of its 127.0.0.1 on which somebody listens.
    pub fn loopback_listeners(&self) -> Vec<u16> {
        let table = run("ip", ["netns", "exec", &self.name, "cat", "/proc/net/tcp"]);
        let sockets = table.lines().skip(1).filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (address, port) = fields.next()?.split_once(':')?;
            let state = fields.nth(1)?;
            let listens = address == "0100007F" && state == "0A";
            listens.then(|| u16::from_str_radix(port, 16).ok())?
        });
        sockets.collect()
    }

    fn configure(&self, namespace: &[&str], lines: &str) {
        let arguments = namespace.iter().chain(&["-batch", "-"]);
        if let Err(complaint) = attempt_with("ip", arguments, lines) {
            panic!("{} takes {lines:?}: {complaint}", self.name);
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = attempt("ip", ["link", "del", &self.device]);
        remove(&self.name);
    }
}

/// Removes what runs of before left behind that were killed.
fn sweep() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let maker = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'))
            .and_then(|(id, _)| id.parse().ok());
        if maker.is_some_and(|id| id == std::process::id() || !process_list::is_running(id)) {
            remove(&name);
        }
    }
}

/// Ends what runs in a namespace, and removes it; its cable goes with it.
fn remove(name: &str) {
    let inhabitants = attempt("ip", ["netns", "pids", name]).unwrap_or_default();
    for id in inhabitants
        .lines()
        .filter_map(|line| line.trim().parse().ok())
    {
        process_list::send(id, Signal::KILL);
    }
    let _ = attempt("ip", ["netns", "del", name]);
}
