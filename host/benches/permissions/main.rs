//! What a permission check costs: how it grows with the rules, what remembering saves, and where hostile input is stopped.
//!
//! `cargo bench -p mngr-latchkey --bench permissions` measures for about a minute and prints one table. Arguments are words:
//! only scenarios with one of them in their name are measured (`rules`, `cached`, `compile`, `request`, `hostile`).
//! `-- --quick` is a smoke run whose numbers mean little. Compared sides take turns, so that a change of the machine's mood
//! meets both. The exit code tells whether the measurements succeeded, not what they showed.

mod policies;
mod report;
mod scenarios;
mod turns;
#[path = "../gateway/usage.rs"]
#[allow(dead_code, reason = "the gateway's benchmark looks at processes")]
mod usage;

use std::process::ExitCode;
use std::time::Instant;

use self::report::Table;
use self::turns::Effort;
use self::usage::load_average;

/// Nothing here is handled: what goes wrong ends the run with its message.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const FULL: Effort = Effort {
    samples: 400,
    calls: 200,
    slow_samples: 40,
};

const QUICK: Effort = Effort {
    samples: 5,
    calls: 5,
    slow_samples: 2,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let words: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    // `cargo test --benches` asks whether it runs, not how fast.
    let is_full = has("--bench") && !has("--quick");
    match measure(if is_full { &FULL } else { &QUICK }, &words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(effort: &Effort, wanted: &[&str]) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let started = Instant::now();
    let before = load_average()?;
    let rows = scenarios::run(&runtime, effort, wanted)?;
    println!(
        "{} processors, load average {before} before and {} after, {} samples of {} calls each, {:.0} s in all\n",
        std::thread::available_parallelism()?,
        load_average()?,
        effort.samples,
        effort.calls,
        started.elapsed().as_secs_f64(),
    );
    print!("{}", Table(rows));
    Ok(())
}
