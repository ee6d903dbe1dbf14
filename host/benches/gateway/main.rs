//! What the gateway costs, beside the least that the same answer can cost on this machine at this moment.
//!
//! `cargo bench -p mngr-latchkey` measures for some minutes and prints one table. Arguments are words: only scenarios with
//! one of them in their name are measured, such as `-- proxy` (`scenarios` has the names). `--bench gateway -- --quick` is
//! a smoke run whose numbers mean little. Compared sides take turns, so that a change of the machine's mood meets both; of the
//! rounds of each the median counts. The exit code tells whether the measurements succeeded, not what they showed.

mod crowd;
mod fsync;
mod limits;
mod load;
mod plain;
mod process;
mod report;
mod reverse_proxy;
mod scenarios;
mod serving;
mod upstream;
mod usage;
mod wire;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::report::Table;
use self::scenarios::Effort;
use self::usage::load_average;

/// Nothing here is handled: what goes wrong ends the run with its message.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const FULL: Effort = Effort {
    rounds: 3,
    round: Duration::from_secs(3),
    durable_round: Duration::from_millis(500),
    warm_up: Duration::from_secs(1),
    starts: 20,
    cold_starts: 3,
    commands: 50,
    transfers: 5,
    transfer: 1_000_000_000,
    streams: 1_000,
    crowd: 10_000,
    watch: Duration::from_secs(8),
};

const QUICK: Effort = Effort {
    rounds: 1,
    round: Duration::from_millis(200),
    durable_round: Duration::from_millis(100),
    warm_up: Duration::from_millis(100),
    starts: 2,
    cold_starts: 1,
    commands: 3,
    transfers: 1,
    transfer: 10_000_000,
    streams: 20,
    crowd: 20,
    watch: Duration::from_millis(500),
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let words: Vec<String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .cloned()
        .collect();
    let outcome = match arguments.as_slice() {
        [role] if role == plain::ARGUMENT => plain::serve(),
        [role] if role == upstream::ARGUMENT => upstream::serve(),
        [role, address] if role == reverse_proxy::ARGUMENT => reverse_proxy::serve(address),
        _ if has("--bench") && !has("--quick") => measure(&FULL, &words),
        // `cargo test --benches` asks whether it runs, not how fast.
        _ => measure(&QUICK, &words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(effort: &Effort, wanted: &[String]) -> Outcome<()> {
    limits::raise_open_files()?;
    // One thread is enough for the client, and leaves the rest to the servers.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let started = Instant::now();
    let before = load_average()?;
    let rows = runtime.block_on(scenarios::run(effort, wanted))?;
    println!(
        "{} processors, load average {before} before and {} after, {} clients, median of {} rounds of {:?}, {:.0} s in all\n",
        std::thread::available_parallelism()?,
        load_average()?,
        load::CLIENTS,
        effort.rounds,
        effort.round,
        started.elapsed().as_secs_f64(),
    );
    print!("{}", Table(rows));
    Ok(())
}
