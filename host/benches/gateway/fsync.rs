//! The least that a durable write costs: write, fsync, rename, fsync of the directory, with nothing around it.
//!
//! As many writers as there are clients elsewhere, all in one directory, none sharing a sync with another.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::load::{CLIENTS, Round};

/// Writes files of `content` into `directory` for as long as `duration`. Blocks.
pub fn round(directory: &Path, content: &[u8], duration: Duration) -> Outcome<Round> {
    let start = Instant::now();
    let written = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..CLIENTS)
            .map(|writer| {
                scope.spawn(move || write_until(directory, writer, content, start + duration))
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().map_err(|_| "a writer panicked")?)
            .collect::<Outcome<Vec<_>>>()
    });
    let elapsed = start.elapsed();
    Ok(Round::new(elapsed, written?.concat()))
}

fn write_until(
    directory: &Path,
    writer: usize,
    content: &[u8],
    deadline: Instant,
) -> Outcome<Vec<Duration>> {
    let mut latencies = Vec::new();
    let mut started = Instant::now();
    while started < deadline {
        write(directory, &format!("{writer}-{}", latencies.len()), content)?;
        let written = Instant::now();
        latencies.push(written - started);
        started = written;
    }
    Ok(latencies)
}

fn write(directory: &Path, name: &str, content: &[u8]) -> Outcome<()> {
    let temporary = directory.join(format!(".{name}.tmp"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, directory.join(name))?;
    File::open(directory)?.sync_all()?;
    Ok(())
}
