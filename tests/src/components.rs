//! Components of the tests' own, in the extensions directory of a home. `tests/run` builds them to `$TEST_COMPONENTS`.

use std::fs;
use std::path::PathBuf;

use crate::Home;

impl Home {
    /// Where extensions stand.
    pub fn extensions(&self) -> PathBuf {
        self.latchkey_directory().join("extensions")
    }

    /// Puts the component `name` there, with `policy` beside it. A gateway that runs does not see it.
    pub fn install(&self, name: &str, policy: &str) {
        self.install_bytes(name, &component(name), policy);
    }

    /// The same with any bytes.
    pub fn install_bytes(&self, name: &str, bytes: &[u8], policy: &str) {
        self.install_without_policy(name, bytes);
        self.write(&format!("latchkey/extensions/{name}.toml"), policy, 0o600);
    }

    /// A component that nobody has granted anything.
    pub fn install_without_policy(&self, name: &str, bytes: &[u8]) {
        let directory = self.extensions();
        fs::create_dir_all(&directory).expect("the extensions directory can be created");
        fs::write(directory.join(name).with_extension("wasm"), bytes)
            .expect("a component can be installed");
    }
}

/// A component's bytes.
///
/// # Panics
/// When it has not been built.
#[track_caller]
pub fn component(name: &str) -> Vec<u8> {
    let directory = std::env::var_os("TEST_COMPONENTS").map(PathBuf::from);
    let directory = directory.expect(
        "$TEST_COMPONENTS names the directory of the test components: run the tests by tests/run, which builds them",
    );
    // A library's file name has no hyphens.
    let path = directory
        .join(name.replace('-', "_"))
        .with_extension("wasm");
    fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "the test component {} cannot be read: {error}; tests/run builds it",
            path.display()
        )
    })
}
