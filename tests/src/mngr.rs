//! A `mngr` that does as the test says: `observe` prints what the test appends, and notes how it was started.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::home::Home;
use crate::{eventually, process_list};

/// `observe` becomes a `tail`: its number stays the one that was noted. The note is complete once it has its name.
const SCRIPT: &str = r#"#!/bin/sh
stage=STAGE
note=$stage/starts/$$
mkdir -p "$note.unfinished"
cd "$note.unfinished" || exit 70
printf '%s\n' "$0" "$@" >arguments
tr '\0' '\n' </proc/$$/environ >environment
(
  for descriptor in /proc/$$/fd/*; do
    printf '%s %s\n' "${descriptor##*/}" "$(readlink "$descriptor")"
  done
) >descriptors
cd "$OLDPWD" || exit 70
pwd >"$note.unfinished/working_directory"
printf '%s\n' "$$" >>"$stage/order"
mv "$note.unfinished" "$note"
[ "${1-}" = observe ] || exit 0
if [ -e "$stage/first" ]; then . "$stage/first"; fi
tail --pid=$$ -n +1 -f "$stage/complaints" >&2 &
exec tail -n +1 -f "$stage/lines"
"#;

/// The script, and where it and the test meet.
pub struct Mngr {
    script: PathBuf,
    stage: PathBuf,
}

impl Mngr {
    /// One in a home, as `bin/mngr`, that prints nothing yet.
    pub fn in_home(home: &Home) -> Self {
        let stage = home.path().join("mngr-stage");
        fs::create_dir_all(stage.join("starts")).expect("a directory can be made");
        for empty in ["order", "lines", "complaints"] {
            fs::write(stage.join(empty), "").expect("a file can be written");
        }
        let quoted = format!("'{}'", stage.display());
        Self {
            script: home.write("bin/mngr", &SCRIPT.replace("STAGE", &quoted), 0o755),
            stage,
        }
    }

    /// For `--mngr-binary`.
    pub fn path(&self) -> &Path {
        &self.script
    }

    /// Prints an event. Every later start prints it again, as the real one begins with what it knows.
    pub fn say(&self, event: &Value) {
        self.print(format!("{event}\n"));
    }

    /// Prints any bytes.
    pub fn print(&self, bytes: impl AsRef<[u8]>) {
        append(&self.stage.join("lines"), bytes.as_ref());
    }

    /// Prints any bytes on stderr.
    pub fn complain(&self, bytes: impl AsRef<[u8]>) {
        append(&self.stage.join("complaints"), bytes.as_ref());
    }

    /// From its next start on it prints nothing of what was said so far.
    pub fn forget(&self) {
        for name in ["lines", "complaints"] {
            let unfinished = self.stage.join("unfinished");
            fs::write(&unfinished, "").expect("a file can be written");
            // The running one keeps the file that it has open.
            fs::rename(unfinished, self.stage.join(name)).expect("a file can be replaced");
        }
    }

    /// Lines of shell that every later start of `observe` begins with, such as `exit 3`; the empty text for none.
    pub fn begin_with(&self, script: &str) {
        let unfinished = self.stage.join("unfinished");
        fs::write(&unfinished, script).expect("a file can be written");
        fs::rename(unfinished, self.stage.join("first")).expect("a file can be replaced");
    }

    /// Every start so far, the latest one last.
    pub fn starts(&self) -> Vec<Start> {
        let order = fs::read_to_string(self.stage.join("order")).expect("the order can be read");
        let complete = order.lines().map(|id| self.stage.join("starts").join(id));
        complete
            .filter(|note| note.is_dir())
            .map(|note| Start::read(&note))
            .collect()
    }

    /// What the latest start notes once `count` of them have been noted.
    ///
    /// # Panics
    /// When that does not happen.
    pub async fn started(&self, count: usize) -> Start {
        let what = format!("mngr is started {count} times");
        eventually(&what, async || self.starts().len() >= count).await;
        self.starts().pop().expect("it has been started")
    }

    /// Ends the running one.
    ///
    /// # Panics
    /// When it was never started.
    pub fn end(&self, signal: Signal) {
        let starts = self.starts();
        let latest = starts.last().expect("it has been started");
        process_list::send(latest.process, signal);
    }
}

/// How it was started once.
#[derive(Debug)]
pub struct Start {
    /// The number of the process, `observe`'s for as long as it runs.
    pub process: u32,
    /// Its command line, the script's own path first.
    pub arguments: Vec<String>,
    /// `NAME=value`.
    pub environment: Vec<String>,
    /// Number and target of each descriptor that it was started with, its standard ones included.
    pub descriptors: Vec<(u32, String)>,
    /// Where it was started.
    pub working_directory: PathBuf,
}

impl Start {
    fn read(note: &Path) -> Self {
        let lines = |name: &str| -> Vec<String> {
            let text = fs::read(note.join(name)).expect("a note is complete");
            String::from_utf8_lossy(&text)
                .lines()
                .map(str::to_owned)
                .collect()
        };
        let arguments = lines("arguments");
        let script = arguments.first().expect("a script has a path").clone();
        let descriptors = lines("descriptors").into_iter().filter_map(|line| {
            let (number, target) = line.split_once(' ')?;
            // The shell keeps the script open that it reads.
            let inherited = target != script;
            inherited.then(|| Some((number.parse().ok()?, target.to_owned())))?
        });
        Self {
            process: name_of(note)
                .parse()
                .expect("a note is named by its process"),
            descriptors: descriptors.collect(),
            environment: lines("environment"),
            working_directory: lines("working_directory").concat().into(),
            arguments,
        }
    }
}

fn name_of(note: &Path) -> &str {
    note.file_name()
        .and_then(|name| name.to_str())
        .expect("a note has a name")
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new()
        .append(true)
        .open(path)
        .expect("the stage is set");
    file.write_all(bytes).expect("the stage can be written");
}
