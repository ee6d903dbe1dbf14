//! The components of the tests, and how they come into a home.

use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::process::Home;

const DIRECTORY: &str = "TEST_COMPONENTS";

/// Whether somebody has said where the components are.
pub fn are_there() -> bool {
    std::env::var_os(DIRECTORY).is_some()
}

/// A component's bytes.
pub fn bytes(name: &str) -> Outcome<Vec<u8>> {
    let directory = std::env::var_os(DIRECTORY).ok_or_else(|| {
        format!(
            "${DIRECTORY} does not name the directory of the test components: `tests/run` builds them, to \
             wasm32-wasip2/release in cargo's target directory"
        )
    })?;
    // A library's file name has no hyphens.
    let path = Path::new(&directory)
        .join(name.replace('-', "_"))
        .with_extension("wasm");
    std::fs::read(&path).map_err(|error| {
        format!(
            "the test component {} cannot be read: {error}; `tests/run` builds it",
            path.display()
        )
        .into()
    })
}

/// Puts the component there, with its policy beside it.
pub fn install(home: &Home, name: &str, policy: &str) -> Outcome<()> {
    std::fs::create_dir_all(home.path("extensions"))?;
    std::fs::write(file(home, name).with_extension("toml"), policy)?;
    replace(home, name, &bytes(name)?)
}

/// Puts other bytes in the component's place, in one step as an operator does it.
pub fn replace(home: &Home, name: &str, bytes: &[u8]) -> Outcome<()> {
    let unfinished = home.path("extensions").join(format!(".{name}.unfinished"));
    std::fs::write(&unfinished, bytes)?;
    Ok(std::fs::rename(unfinished, file(home, name))?)
}

fn file(home: &Home, name: &str) -> PathBuf {
    home.path("extensions").join(name).with_extension("wasm")
}

/// The same component with other bytes, and so with another hash: it has to be compiled again.
pub fn variant(component: &[u8], number: usize) -> Vec<u8> {
    const CUSTOM_SECTION: u8 = 0;
    // Eight hexadecimal digits of the number are the section's name, and it has no content.
    const NAME_LENGTH: u8 = 8;
    let mut variant = component.to_vec();
    variant.extend([CUSTOM_SECTION, NAME_LENGTH + 1, NAME_LENGTH]);
    variant.extend(format!("{number:08x}").bytes());
    variant
}
