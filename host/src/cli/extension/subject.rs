//! Which extension a command is about.

use super::printable;
use crate::cli::failure::Failure;
use crate::extensions::installed::{Installed, installed};
use crate::store::paths::LatchkeyDirectory;

/// What stands in the extensions directory under the name, or that nothing does, and what does.
pub(super) fn find(directory: &LatchkeyDirectory, name: &str) -> Result<Installed, Failure> {
    let path = directory.extensions_dir();
    let all = installed(&path).map_err(Failure::failed)?;
    let names: Vec<_> = all.iter().map(|one| printable(&one.name)).collect();
    let found = all.into_iter().find(|one| one.name == name);
    found.ok_or_else(|| {
        Failure::failed(format_args!(
            "no extension '{}' is in {}; there are: {}",
            printable(name),
            path.display(),
            names.join(", ")
        ))
    })
}
