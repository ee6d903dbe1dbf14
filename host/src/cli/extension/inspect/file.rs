//! A component's file, whether anybody serves it or not: what it is, and what it would ask for.

use std::path::Path;

use super::super::list::mebibytes;
use super::super::printable;
use super::capabilities;
use crate::cli::failure::Failure;
use crate::extensions::{CompilerProgram, Described, InspectError, Inspection, Interface, inspect};
use crate::store::paths::LatchkeyDirectory;

/// Looks into the component at `path`.
pub(super) fn look_into(
    path: &Path,
    directory: &LatchkeyDirectory,
) -> Result<Result<Inspection, InspectError>, Failure> {
    let failed = |error| Failure::failed(format_args!("the compiler cannot be run: {error}"));
    let compiler = CompilerProgram::running().map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    Ok(runtime.block_on(inspect(path, directory, Some(compiler))))
}

/// Why the component at `path` cannot be looked into.
pub(super) fn not_inspected(path: &Path, error: &InspectError) -> Failure {
    let (path, error) = (path.display().to_string(), error.to_string());
    Failure::failed(printable(&match error.contains(&path) {
        true => error,
        false => format!("{path}: {error}"),
    }))
}

/// For people; ends with a line end.
pub(super) fn text(inspection: &Inspection) -> String {
    let mut text = format!(
        "{}\nsize        {} ({} bytes)\nsha256      {}\n",
        printable(&inspection.path.display().to_string()),
        mebibytes(inspection.size),
        inspection.size,
        inspection.sha256,
    );
    if let Some(obstacle) = &inspection.obstacle {
        text.push_str(&format!(
            "\nno gateway can host it: {}\n",
            printable(obstacle)
        ));
    }
    if let Some(extension) = &inspection.extension {
        text.push_str(&about(extension));
    }
    for (heading, interfaces) in [
        ("IMPORTS", &inspection.imports),
        ("EXPORTS", &inspection.exports),
    ] {
        text.push_str(&format!("\n{heading}\n"));
        text.extend(interfaces.iter().map(line));
        if interfaces.is_empty() {
            text.push_str("nothing\n");
        }
    }
    text
}

fn about(extension: &Described) -> String {
    let policy: String = extension
        .policy
        .lines()
        .map(|line| format!("{}\n", printable(line)))
        .collect();
    let policy = match policy.as_str() {
        "" => "# nothing\n",
        policy => policy,
    };
    let name = printable(&extension.name);
    format!(
        "extension   {name}\nversion     {}\nworld       {}\n\n{}\nPOLICY that grants all of it: cut it down, and put it beside the component as {name}.toml\n{policy}",
        printable(&extension.version),
        printable(&extension.world),
        capabilities::asked(&extension.asked),
    )
}

fn line(interface: &Interface) -> String {
    let functions: Vec<_> = interface
        .functions
        .iter()
        .map(|name| printable(name))
        .collect();
    let name = printable(&interface.name);
    match functions.as_slice() {
        [] => format!("{name}\n"),
        functions => format!("{name}\n    {}\n", functions.join(", ")),
    }
}
