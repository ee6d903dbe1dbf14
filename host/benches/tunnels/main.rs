//! What our reverse tunnels cost, beside OpenSSH's `ssh -R` to the same sshd with the same cipher.
//!
//! `cargo bench -p mngr-latchkey --bench tunnels` measures for some minutes and prints one table. Arguments are words: only
//! scenarios with one of them in their name are measured (`requests`, `transfers`, `idle`). `-- --quick` is a smoke run
//! whose numbers mean little. The sshd is a real one, on loopback, with keys made for this run. Compared sides take turns,
//! so that a change of the machine's mood meets both; of the rounds of each the median counts. The exit code tells whether
//! the measurements succeeded, not what they showed.

mod idle;
#[path = "../gateway/limits.rs"]
#[allow(dead_code, reason = "the gateway's benchmark asks more")]
mod limits;
#[path = "../gateway/load.rs"]
#[allow(dead_code, reason = "the gateway's benchmark asks many at once")]
mod load;
mod own;
#[path = "../gateway/report.rs"]
#[allow(dead_code, reason = "the gateway's benchmark has more kinds of rows")]
mod report;
mod requests;
mod role;
#[path = "../gateway/serving.rs"]
mod serving;
mod sshd;
mod stage;
mod transfers;
#[path = "../gateway/upstream.rs"]
#[allow(dead_code, reason = "the gateway's benchmark looks at more answers")]
mod upstream;
#[path = "../gateway/usage.rs"]
#[allow(dead_code, reason = "the gateway's benchmark counts open files too")]
mod usage;
#[path = "../gateway/wire.rs"]
#[allow(dead_code, reason = "the gateway's benchmark follows streams too")]
mod wire;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::report::Table;
use self::stage::Stage;
use self::usage::load_average;

/// Nothing here is handled: what goes wrong ends the run with its message.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How often and how much to measure.
struct Effort {
    rounds: usize,
    /// Requests of a round, one after another.
    requests: usize,
    /// Bytes of a large body.
    transfer: u64,
    /// Connections that stand idle at once, where the machine holds so many.
    idle: usize,
    /// How long they are watched.
    watch: Duration,
}

const FULL: Effort = Effort {
    rounds: 5,
    requests: 10_000,
    transfer: 1_000_000_000,
    idle: 1_000,
    watch: Duration::from_secs(60),
};

const QUICK: Effort = Effort {
    rounds: 1,
    requests: 50,
    transfer: 10_000_000,
    idle: 3,
    watch: Duration::from_millis(500),
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let words: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_full = has("--bench") && !has("--quick");
    let outcome = match arguments.as_slice() {
        [role] if role == own::ARGUMENT => own::serve(),
        [role] if role == upstream::ARGUMENT => upstream::serve(),
        // `cargo test --benches` asks whether it runs, not how fast.
        _ if !is_full && sshd::program().is_none() => {
            eprintln!("SKIPPED: there is no sshd here; install the package openssh-server");
            Ok(())
        }
        _ => measure(if is_full { &FULL } else { &QUICK }, &words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(effort: &Effort, wanted: &[&str]) -> Outcome<()> {
    limits::raise_open_files()?;
    // One thread is enough for the client, and leaves the rest to the servers.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let started = Instant::now();
    let before = load_average()?;
    let rows = runtime.block_on(run(effort, wanted))?;
    println!(
        "{} processors, load average {before} before and {} after, {}, median of {} rounds, {:.0} s in all\n",
        std::thread::available_parallelism()?,
        load_average()?,
        sshd::CIPHER,
        effort.rounds,
        started.elapsed().as_secs_f64(),
    );
    print!("{}", Table(rows));
    Ok(())
}

async fn run(effort: &Effort, wanted: &[&str]) -> Outcome<Vec<report::Row>> {
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word));
    let mut rows = Vec::new();
    if is_wanted("requests") || is_wanted("transfers") {
        let stage = Stage::set().await?;
        if is_wanted("requests") {
            rows.extend(requests::measure(effort, &stage).await?);
        }
        if is_wanted("transfers") {
            rows.extend(transfers::measure(effort, &stage).await?);
        }
    }
    if is_wanted("idle") {
        rows.extend(idle::measure(effort).await?);
    }
    Ok(rows)
}

/// For whoever waits; the table alone goes to standard output.
fn progress(what: &str) {
    eprintln!("measuring {what}");
}
