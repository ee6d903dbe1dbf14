//! `catalog list`: every scope, a line each.

use clap::Args;
use serde_json::{Value, json};

use super::{in_use, origin_as_json, origin_in_words, printable};
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::permissions::catalog::Catalog;
use crate::store::paths::LatchkeyDirectory;

const HEADINGS: [&str; 4] = ["SERVICE", "SCOPE", "PERMISSIONS", "NAME"];

/// List the services with their scopes, and where the catalog comes from
#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(directory: &LatchkeyDirectory, options: &Options) -> Result<(), Failure> {
    let catalog = in_use(directory)?;
    if options.is_json() {
        output::json_line(&as_json(&catalog))
    } else {
        output::text(&as_text(&catalog))
    }
}

fn as_json(catalog: &Catalog) -> Value {
    let services = catalog.listing().0.iter().map(|service| {
        let scopes = service.scopes.iter().map(|scope| {
            json!({
                "scope": scope.name,
                "display_name": scope.display_name,
                "permissions": scope.permissions.len(),
            })
        });
        json!({"service": service.name, "scopes": scopes.collect::<Vec<_>>()})
    });
    json!({"origin": origin_as_json(catalog), "services": services.collect::<Vec<_>>()})
}

fn as_text(catalog: &Catalog) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    let mut permissions = 0;
    for (service, scope) in catalog.listing().scopes() {
        permissions += scope.permissions.len();
        rows.push([
            printable(&service.name),
            printable(&scope.name),
            scope.permissions.len().to_string(),
            printable(&scope.display_name),
        ]);
    }
    let width = |column: fn(&[String; 4]) -> &String| {
        rows.iter()
            .map(|row| column(row).chars().count())
            .max()
            .unwrap_or_default()
    };
    let (services, scopes) = (width(|row| &row[0]), width(|row| &row[1]));
    let mut text = format!("catalog  {}\n\n", origin_in_words(catalog));
    for [service, scope, count, name] in &rows {
        text.push_str(&format!(
            "{service:<services$}  {scope:<scopes$}  {count:>11}  {name}\n"
        ));
    }
    text.push_str(&format!(
        "\n{} services, {} scopes, {permissions} permissions\n",
        catalog.listing().0.len(),
        rows.len() - 1,
    ));
    text
}
