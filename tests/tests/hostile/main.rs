//! What hostile components cannot do: each in `tests/hostile/` is installed, attacks through a gateway that runs, is contained and
//! named by the log, while its neighbours serve and an open follow stream goes on.
//!
//! | attacks | file |
//! |---|---|
//! | files, environment, sockets, documents, settings, topics that are not theirs | `gates` |
//! | paths in the names of collections, documents and permissions files | `escapes` |
//! | origins that are not granted, by every spelling and by redirects | `outbound` |
//! | headers, lengths and statuses that would mislead a client | `responses` |
//! | answers and requests that never end, work without end, calls that block | `endless` |
//! | memory: theirs, and the host's | `memory` |
//! | `start`, `stop` and crashes | `lifecycle` |
//! | manifests, claims of routes, and what is hard to compile | `loading` |
//! | floods of lines, events and documents, forged lines | `output` |

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod endless;
mod escapes;
mod gates;
mod lifecycle;
mod loading;
mod memory;
mod outbound;
mod output;
mod responses;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn no_hostile_component_is_without_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Some stand beside the gate that they attack.
    let written: String = ["tests/hostile", "tests/gates"]
        .into_iter()
        .flat_map(|directory| files(&tests.join(directory)))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let forgotten: Vec<_> = files(&tests.join("hostile"))
        .map(|directory| directory.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !written.contains(&format!("\"{name}\"")))
        .collect();
    assert!(forgotten.is_empty(), "never installed: {forgotten:?}");
}

fn files(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path())
}
