//! What extensions cost those beside them: neighbours of hostile ones, and everybody while extensions are swapped.
//!
//! `cargo bench -p mngr-latchkey --bench extensions` measures for some minutes and prints one table. Arguments are words: only
//! scenarios with one of them in their name are measured (`neighbours`, an attack by name, `swaps`). `-- --quick` is a smoke
//! run whose numbers mean little. The components are those of the tests: `tests/run` builds them, and `$TEST_COMPONENTS` names
//! their directory. Compared sides take turns in one gateway, so that a change of the machine's mood meets both; of the rounds
//! of each the median counts. The exit code tells whether the measurements succeeded, not what they showed.

mod attacks;
#[path = "../gateway/scenarios/callers.rs"]
#[allow(dead_code, reason = "the gateway's benchmark asks for more")]
mod callers;
mod components;
#[path = "../../../tests/src/graft.rs"]
#[allow(
    dead_code,
    clippy::expect_used,
    reason = "the tests graft more, and fail by panicking"
)]
mod graft;
#[path = "../gateway/limits.rs"]
#[allow(dead_code, reason = "the gateway's benchmark asks more")]
mod limits;
#[path = "../gateway/load.rs"]
#[allow(dead_code, reason = "the gateway's benchmark has more kinds of load")]
mod load;
mod neighbours;
#[path = "../gateway/plain.rs"]
#[allow(dead_code, reason = "the gateway's benchmark is a plain server too")]
mod plain;
#[path = "../gateway/process.rs"]
#[allow(dead_code, reason = "the gateway's benchmark has more processes")]
mod process;
#[path = "../gateway/report.rs"]
#[allow(dead_code, reason = "the gateway's benchmark has more kinds of rows")]
mod report;
#[path = "../gateway/reverse_proxy.rs"]
#[allow(dead_code, reason = "the gateway's benchmark is a reverse proxy too")]
mod reverse_proxy;
#[path = "../gateway/serving.rs"]
#[allow(dead_code, reason = "the gateway's benchmark serves by itself")]
mod serving;
mod swaps;
#[path = "../gateway/upstream.rs"]
#[allow(dead_code, reason = "the gateway's benchmark is an upstream too")]
mod upstream;
#[path = "../gateway/usage.rs"]
#[allow(dead_code, reason = "the gateway's benchmark looks at more")]
mod usage;
#[path = "../gateway/wire.rs"]
#[allow(dead_code, reason = "the gateway's benchmark uploads too")]
mod wire;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::report::Table;
use self::usage::load_average;

/// Nothing here is handled: what goes wrong ends the run with its message.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How often and how much to measure.
struct Effort {
    rounds: usize,
    /// How long each side of a round is.
    round: Duration,
    /// How long an attack goes on before it is measured.
    lead: Duration,
    /// Swaps of all rounds together.
    swaps: usize,
}

const FULL: Effort = Effort {
    rounds: 3,
    round: Duration::from_secs(3),
    lead: Duration::from_millis(500),
    swaps: 100,
};

const QUICK: Effort = Effort {
    rounds: 1,
    round: Duration::from_millis(300),
    lead: Duration::from_millis(100),
    swaps: 3,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let words: Vec<&str> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .map(String::as_str)
        .collect();
    let outcome = match has("--bench") && !has("--quick") {
        true => measure(&FULL, &words),
        // `cargo test --benches` asks whether it runs, not how fast; where the components are not built there is nothing to run.
        false if !has("--bench") && !components::are_there() => Ok(()),
        false => measure(&QUICK, &words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(effort: &Effort, words: &[&str]) -> Outcome<()> {
    limits::raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let started = Instant::now();
    let before = load_average()?;
    let rows = runtime.block_on(async {
        let mut rows = neighbours::measure(effort, words).await?;
        if is_wanted(words, "swaps") {
            rows.extend(swaps::measure(effort).await?);
        }
        Outcome::Ok(rows)
    })?;
    println!(
        "{} processors, load average {before} before and {} after, median of {} rounds of {:?}, {:.0} s in all\n",
        std::thread::available_parallelism()?,
        load_average()?,
        effort.rounds,
        effort.round,
        started.elapsed().as_secs_f64(),
    );
    print!("{}", Table(rows));
    Ok(())
}

fn is_wanted(words: &[&str], name: &str) -> bool {
    words.is_empty() || words.iter().any(|word| name.contains(word))
}

fn progress(what: &str) {
    eprintln!("measuring {what}");
}
