//! The reference as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use gates::{Field, Function, Gate, Grant, Standard, VERSIONS};
use wit_parser::Docs;

use crate::error::Error;
use crate::signature;
use crate::worlds::Worlds;

const OPENING: &str = "\
# Capabilities

<!-- Written by `cargo run -p reference` from wit/ and extensions/gates. Changes to this page are lost. -->

What an extension of the gateway can do: everything that it may import, what each function takes and gives, and which grant
opens it. A component's imports are its permissions. Of what it imports, only that works which its **manifest asks for** and the
operator's **policy grants** in `<latchkey directory>/extensions/<name>.toml`; an empty list, like a missing one, grants nothing.
A call without its grant does nothing, gives the refusal named below, and leaves a line in the gateway's log and in the
extension's own (`mngr-latchkey extension logs <name>`).

How to write a policy, and the limits that hold for whatever is granted, is in [extensions.md](extensions.md). Why each gate is
where it is, is in [threats.md](threats.md).
";

/// The whole page.
pub fn render(worlds: &Worlds) -> Result<String, Error> {
    let mut page = OPENING.to_owned();
    page += &at_a_glance();
    for (place, functions) in by_place() {
        page += &interface(worlds, place, &functions)?;
    }
    page += &types(worlds, "types")?;
    page += &manifest(worlds)?;
    page += &types(worlds, "lifecycle")?;
    page += &standard();
    Ok(page)
}

/// The functions of each interface, those of WASI last.
fn by_place() -> BTreeMap<&'static str, Vec<Function>> {
    let mut places: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for function in Function::ALL {
        places.entry(function.place()).or_default().push(*function);
    }
    places
}

fn at_a_glance() -> String {
    let mut text = "\n## At a glance\n\n| function | grant | since |\n|---|---|---|\n".to_owned();
    for (place, functions) in by_place() {
        for function in functions {
            let grant = match function.gate() {
                Gate::Open(_) => "none needed".to_owned(),
                Gate::Granted(grant) => short(grant),
            };
            let _ = writeln!(
                text,
                "| [`{place}`](#{}) `{}` | {grant} | {} |",
                anchor(place),
                function.name(),
                since(function.versions())
            );
        }
    }
    text
}

fn interface(worlds: &Worlds, place: &str, functions: &[Function]) -> Result<String, Error> {
    let (world, interface) = worlds.interface(place)?;
    let mut text = format!("\n## {place}\n\n{}", paragraph(&interface.docs));
    let _ = writeln!(text, "Imported as `{}`.", world.import(interface));
    for function in functions {
        let (world, described) = worlds.function(*function)?;
        let _ = write!(
            text,
            "\n### {place} {}\n\n```wit\n{}\n```\n\n{}",
            function.name(),
            signature::of_function(&world.resolve, described),
            paragraph(&described.docs)
        );
        let _ = match function.gate() {
            Gate::Open(reason) => writeln!(text, "**No grant needed**: {reason}."),
            Gate::Granted(grant) => writeln!(
                text,
                "**Needs** {}. Without it: {}.{}",
                short(grant),
                function.refusal().unwrap_or_default(),
                limited_by(function.limits())
            ),
        };
        if function.versions().len() < VERSIONS.len() {
            let _ = writeln!(
                text,
                "\nOnly in version {} of the package.",
                function.versions().join(" and ")
            );
        }
    }
    // Those of WASI are documented elsewhere.
    if !place.contains(':') {
        text += &types(worlds, place)?;
    }
    Ok(text)
}

/// The types that the interface defines, if there are any.
fn types(worlds: &Worlds, place: &str) -> Result<String, Error> {
    let (world, interface) = worlds.interface(place)?;
    let types = signature::of_types(&world.resolve, interface);
    Ok(if types.is_empty() {
        String::new()
    } else {
        let heading = match place {
            "types" => "Types that several interfaces use".to_owned(),
            place => format!("Types of {place}"),
        };
        format!("\n### {heading}\n\n```wit\n{types}```\n")
    })
}

fn manifest(worlds: &Worlds) -> Result<String, Error> {
    let (world, manifest) = worlds.manifest()?;
    let mut text = "\n## What a manifest asks for and a policy grants\n\n\
        The manifest is what a component's `lifecycle` `describe` returns; `mngr-latchkey extension inspect <file>` shows it.\n"
        .to_owned();
    for field in &manifest.fields {
        let known = Field::ALL.iter().find(|known| known.name() == field.name);
        let known = known.ok_or_else(|| Error::NoSuch(format!("manifest {}", field.name)))?;
        let _ = write!(
            text,
            "\n### manifest {}\n\n```wit\n{}: {}\n```\n\n{}",
            field.name,
            field.name,
            signature::of_type(&world.resolve, field.ty),
            paragraph(&field.docs)
        );
        let examples: Vec<_> = known.grants().iter().map(|grant| grant.example()).collect();
        let _ = if examples.is_empty() {
            writeln!(text, "Asks for nothing.")
        } else {
            let limits = known
                .grants()
                .iter()
                .map(|grant| limited_by(grant.limits()));
            let limits: String = limits.collect();
            writeln!(
                text,
                "Granted by:\n\n```toml\n{}\n```{limits}",
                examples.join("\n# or\n")
            )
        };
    }
    Ok(text)
}

fn standard() -> String {
    let mut text = "\n## What needs no grant of WASI\n\n\
        The world names these interfaces beside its own; no grant stands before them, for the reason given. Standard libraries \
        import more by habit: standard output and error, which end in the extension's log; an empty environment, no arguments, \
        and an empty standard input; the same clocks and random numbers in their older form. Files and sockets are provided to \
        nobody: a call there ends the instance.\n\n\
        | interface | why |\n|---|---|\n"
        .to_owned();
    for interface in Standard::ALL {
        let _ = writeln!(
            text,
            "| `{}/{}` | {} |",
            interface.place(),
            interface.name(),
            interface.reason()
        );
    }
    text
}

/// The keys that limit what is granted, as a sentence of its own.
fn limited_by(keys: &[&str]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    if keys.is_empty() {
        String::new()
    } else {
        format!("\n\nLimited by {}.", keys.join(", "))
    }
}

/// The grant by its key.
fn short(grant: Grant) -> String {
    match grant {
        Grant::ReadPermissionFiles => "`permission_files = \"read\"`".to_owned(),
        Grant::EditPermissionFiles => "`permission_files = \"edit\"`".to_owned(),
        Grant::Catalog => "`catalog = true`".to_owned(),
        Grant::Route => "the route in `routes`".to_owned(),
        Grant::Collection => "the collection's name in `collections`".to_owned(),
        Grant::Topic => "the topic's name in `topics`".to_owned(),
        Grant::Setting => "the setting's name in `settings`".to_owned(),
        Grant::Upstream => "the server's origin in `upstreams`".to_owned(),
    }
}

fn since(versions: &[&str]) -> String {
    versions.first().copied().unwrap_or_default().to_owned()
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let kept = |letter: &char| letter.is_ascii_alphanumeric() || "-_".contains(*letter);
    heading.to_lowercase().chars().filter(kept).collect()
}

fn paragraph(docs: &Docs) -> String {
    match docs.contents.as_deref().map(str::trim) {
        Some(text) if !text.is_empty() => format!("{text}\n\n"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_its_heading_as_renderers_do() {
        assert_eq!(anchor("wasi:http/client"), "wasihttpclient");
        assert_eq!(anchor("permission-files"), "permission-files");
    }
}
