//! Death at a chosen durable step: `tests/crash_points/interpose.c`, preloaded into the program under test.
//!
//! The steps are the calls that change what is on disk, counted across threads from the moment that [`Interposer::arm`] is
//! called. Linux with glibc or musl, and a C compiler.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crash_points/interpose.c");

/// On which side of a step the process dies.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// The step has not happened.
    Before,
    /// It has, and nobody knows yet.
    After,
}

/// The moment of a death.
#[derive(Clone, Copy, Debug)]
pub struct CrashPoint {
    /// The step's number, from 1.
    pub step: usize,
    /// Before or after it.
    pub side: Side,
}

/// The compiled library, and the files by which it is told and tells.
pub struct Interposer {
    directory: TempDir,
}

impl Interposer {
    /// Compiles the library.
    ///
    /// # Panics
    /// When there is no C compiler, or it refuses.
    pub fn build() -> Self {
        let directory = TempDir::with_prefix("crash-points-").expect("a temporary directory");
        let this = Self { directory };
        let compiled = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-o"])
            .arg(this.library())
            .args([SOURCE, "-ldl"])
            .output()
            .expect("the crash points need a C compiler: install gcc or clang as `cc`");
        assert!(
            compiled.status.success(),
            "{SOURCE} does not compile:\n{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        this
    }

    /// The variables that make a process die there; the counting begins when it is armed.
    pub fn variables(&self, point: CrashPoint) -> [(&'static str, String); 5] {
        let side = match point.side {
            Side::Before => "before",
            Side::After => "after",
        };
        let text = |path: PathBuf| path.to_str().expect("the path is text").to_owned();
        [
            ("LD_PRELOAD", text(self.library())),
            ("CRASH_ARM", text(self.trigger())),
            ("CRASH_LOG", text(self.log())),
            ("CRASH_AT", point.step.to_string()),
            ("CRASH_WHEN", side.to_owned()),
        ]
    }

    /// Begins to count, in processes that run and in those to come.
    pub fn arm(&self) {
        fs::write(self.log(), "").expect("the log can be emptied");
        fs::write(self.trigger(), "").expect("the trigger can be written");
    }

    /// Ends the counting for processes to come.
    pub fn disarm(&self) {
        fs::remove_file(self.trigger()).expect("it was armed");
    }

    /// The steps since it was armed, one `<number> <call>` a line.
    pub fn steps(&self) -> String {
        fs::read_to_string(self.log()).expect("it was armed")
    }

    fn library(&self) -> PathBuf {
        self.directory.path().join("interpose.so")
    }

    fn trigger(&self) -> PathBuf {
        self.directory.path().join("armed")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("steps")
    }
}
