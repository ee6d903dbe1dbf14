//! `catalog show`: what the scopes and permissions of a service are, and which requests they match.

use clap::Args;
use serde_json::{Value, json};

use super::{in_use, origin_as_json, origin_in_words, printable};
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::permissions::catalog::{Catalog, Match, Service, matches};
use crate::store::paths::LatchkeyDirectory;

/// Names as far apart as this are no slip of the pen.
const FAR: usize = 3;

/// Show what the scopes and permissions of a service match
///
/// In paths, * stands for a part of a segment, ** for anything, {a,b} for either, [a] for a or nothing. Long lists are cut short
/// without -v. With --format json: the schemas too, which alone decide.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The service, or one of its scopes
    #[arg(value_name = "SERVICE")]
    service: String,
}

pub(super) fn run(
    arguments: &Arguments,
    directory: &LatchkeyDirectory,
    options: &Options,
) -> Result<(), Failure> {
    let catalog = in_use(directory)?;
    let service = find(&catalog, &arguments.service)?;
    if options.is_json() {
        output::json_line(&as_json(service, &catalog))
    } else {
        let shown = if options.verbose > 0 {
            usize::MAX
        } else {
            SHOWN
        };
        output::text(&as_text(service, &catalog, shown))
    }
}

/// How many paths and domains of a schema are shown to people who have not asked for all.
const SHOWN: usize = 8;

fn find<'a>(catalog: &'a Catalog, wanted: &str) -> Result<&'a Service, Failure> {
    let services = &catalog.listing().0;
    let has_scope = |service: &&Service| service.scopes.iter().any(|scope| scope.name == wanted);
    let found = services
        .iter()
        .find(|service| service.name == wanted)
        .or_else(|| services.iter().find(has_scope));
    found.ok_or_else(|| {
        if let Some(service) = catalog.listing().service_of(wanted) {
            return Failure::failed(format_args!(
                "'{wanted}' is a permission of the service {0}; `catalog show {0}` shows it",
                service.name
            ));
        }
        let near = near(wanted, services.iter().map(|service| service.name.as_str()));
        let hint = match near.as_slice() {
            [] => "`catalog list` names them all".to_owned(),
            near => format!(
                "did you mean {}? `catalog list` names them all",
                near.join(" or ")
            ),
        };
        Failure::failed(format_args!(
            "no service '{wanted}' is in the catalog; {hint}"
        ))
    })
}

/// The names that are like `wanted`, the likest first.
fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let mut near: Vec<_> = names
        .filter_map(|name| {
            let parts = !wanted.is_empty()
                && (name.contains(&wanted) || name.split('-').any(|part| part == wanted));
            let distance = distance(&wanted, name);
            // A short name becomes any other by a few changes.
            let is_slip = distance <= FAR && distance * 2 < name.len();
            (parts || is_slip).then_some((distance, name))
        })
        .collect();
    near.sort();
    near.into_iter().map(|(_, name)| name).collect()
}

/// How many characters have to be added, removed or changed.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut previous: Vec<usize> = (0..=to.len()).collect();
    for (row, one) in from.chars().enumerate() {
        let mut current = vec![row + 1];
        let mut left = row + 1;
        for (other, pair) in to.iter().zip(previous.windows(2)) {
            let [above_left, above] = *pair else { continue };
            let changed = above_left + usize::from(one != *other);
            left = changed.min(left + 1).min(above + 1);
            current.push(left);
        }
        previous = current;
    }
    previous.last().copied().unwrap_or_default()
}

fn as_json(service: &Service, catalog: &Catalog) -> Value {
    let scopes = service.scopes.iter().map(|scope| {
        let permissions = scope.permissions.iter().map(|permission| {
            let schema = catalog.schema(&permission.name);
            json!({
                "name": permission.name,
                "description": permission.description,
                "matches": schema.map(matches),
                "schema": schema,
            })
        });
        let schema = catalog.schema(&scope.name);
        json!({
            "scope": scope.name,
            "display_name": scope.display_name,
            "description": scope.description,
            "matches": schema.map(matches),
            "schema": schema,
            "permissions": permissions.collect::<Vec<_>>(),
        })
    });
    json!({
        "origin": origin_as_json(catalog),
        "service": service.name,
        "scopes": scopes.collect::<Vec<_>>(),
    })
}

fn as_text(service: &Service, catalog: &Catalog, shown: usize) -> String {
    let mut text = format!(
        "{}\ncatalog  {}\n",
        printable(&service.name),
        origin_in_words(catalog)
    );
    for scope in &service.scopes {
        text.push_str(&format!(
            "\nscope {}  {}\n",
            printable(&scope.name),
            printable(&scope.display_name)
        ));
        about(
            &mut text,
            &scope.name,
            scope.description.as_deref(),
            catalog,
            shown,
        );
        for permission in &scope.permissions {
            text.push_str(&format!("\n  {}\n", printable(&permission.name)));
            about(
                &mut text,
                &permission.name,
                permission.description.as_deref(),
                catalog,
                shown,
            );
        }
        if scope.permissions.is_empty() {
            text.push_str("\n  It has no permissions; `any` grants all of it.\n");
        }
    }
    text
}

fn about(
    text: &mut String,
    name: &str,
    description: Option<&str>,
    catalog: &Catalog,
    shown: usize,
) {
    if let Some(description) = description {
        text.push_str(&format!("    {}\n", printable(description)));
    }
    for kind in catalog.schema(name).map(matches).unwrap_or_default() {
        text.push_str(&format!("      {}\n", printable(&in_words(&kind, shown))));
    }
}

fn in_words(kind: &Match, shown: usize) -> String {
    let or = |values: &[String], otherwise: &str| match values {
        [] => otherwise.to_owned(),
        values if values.len() <= shown => values.join(" "),
        values => {
            let first: Vec<_> = values.iter().take(shown).map(String::as_str).collect();
            let more = values.len() - first.len();
            format!("{} and {more} more", first.join(" "))
        }
    };
    let mut words = format!(
        "{}  {}  {}",
        or(&kind.methods, "any method"),
        or(&kind.domains, "any domain"),
        or(&kind.paths, "any path"),
    );
    if !kind.conditions.is_empty() {
        words.push_str("  ; ");
        words.push_str(&kind.conditions.join("; "));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_near_by_a_slip_or_as_a_part() {
        let names = [
            "slack",
            "google-drive",
            "google-docs",
            "github",
            "gitlab",
            "aws",
        ];
        for (wanted, expected) in [
            ("slak", vec!["slack"]),
            ("Slack", vec!["slack"]),
            ("githlab", vec!["gitlab", "github"]),
            ("drive", vec!["google-drive"]),
            ("google", vec!["google-docs", "google-drive"]),
            ("zz", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(near(wanted, names.into_iter()), expected, "{wanted}");
        }
    }

    #[test]
    fn a_distance_counts_additions_removals_and_changes() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }
}
