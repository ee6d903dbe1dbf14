//! What an extension asks for beside what it is granted of it, for people.

use super::super::printable;
use super::super::table::{Side, Table};
use crate::extensions::report::{Asked, Limits};

/// So that it is seen.
const REFUSED: &str = "NOT GRANTED";
const NOTHING: &str = "It asks for nothing, and serves no route.\n";

/// A capability's kind, what of it is asked for, and what of that is granted in words.
type Row = [String; 3];

/// The capabilities that are asked for, each with whether it is granted; ends with a line end.
pub(super) fn table(asked: &Asked, granted: &Asked) -> String {
    let mut table = Table::new([
        ("CAPABILITY", Side::Left),
        ("ASKED FOR", Side::Left),
        ("GRANTED", Side::Left),
    ]);
    let rows = rows(asked, granted);
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    for row in rows {
        table.row(row, Vec::new());
    }
    table.text()
}

/// The capabilities that are asked for, where nobody has granted anything yet; ends with a line end.
pub(super) fn asked(asked: &Asked) -> String {
    let mut table = Table::new([("CAPABILITY", Side::Left), ("ASKED FOR", Side::Left)]);
    let rows = rows(asked, asked);
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    for [capability, asked, _] in rows {
        table.row([capability, asked], Vec::new());
    }
    table.text()
}

fn rows(asked: &Asked, granted: &Asked) -> Vec<Row> {
    let row = |capability: &str, asked: &str, granted: &str| {
        [capability, &printable(asked), granted].map(str::to_owned)
    };
    let mut rows = Vec::new();
    for (capability, asked, granted) in [
        ("route", &asked.routes, &granted.routes),
        ("collection", &asked.collections, &granted.collections),
        ("topic", &asked.topics, &granted.topics),
        ("setting", &asked.settings, &granted.settings),
    ] {
        let each = asked.iter();
        rows.extend(each.map(|one| row(capability, one, in_words(granted.contains(one)))));
    }
    for upstream in &asked.upstreams {
        let words = upstream_in_words(upstream, &granted.upstreams);
        rows.push(row("upstream", upstream, &printable(&words)));
    }
    if asked.permission_files != "none" {
        let words = match granted.permission_files.as_str() {
            "none" => REFUSED.to_owned(),
            level if level == asked.permission_files => in_words(true).to_owned(),
            level => format!("{level} ONLY"),
        };
        let words = printable(&words);
        rows.push(row("permissions files", &asked.permission_files, &words));
    }
    if asked.catalog {
        rows.push(row("catalog", "yes", in_words(granted.catalog)));
    }
    rows
}

/// A server may be granted without the bearer token that is asked for.
fn upstream_in_words(asked: &str, granted: &[String]) -> String {
    const BEARER: &str = " with ";
    let (server, bearer) = asked.split_once(BEARER).unwrap_or((asked, ""));
    let same_server = |granted: &&String| {
        let (granted, _) = granted.split_once(BEARER).unwrap_or((granted, ""));
        granted == server
    };
    match granted.iter().find(same_server) {
        None => REFUSED.to_owned(),
        Some(granted) if bearer.is_empty() || granted == asked => in_words(true).to_owned(),
        Some(_) => format!("WITHOUT {bearer}"),
    }
}

fn in_words(is_granted: bool) -> &'static str {
    if is_granted { "yes" } else { REFUSED }
}

/// How much of everything it may use; ends with a line end.
pub(super) fn limits(limits: &Limits) -> String {
    let or_none = |amount: u64, unit: &str| match amount {
        0 => "no limit".to_owned(),
        amount => format!("{amount} {unit}"),
    };
    let concurrency = u64::try_from(limits.concurrency).unwrap_or(u64::MAX);
    let timeout = match limits.request_timeout_seconds {
        0.0 => "no limit".to_owned(),
        seconds => format!("{seconds} s for a request, except on streaming routes"),
    };
    let mut text = String::new();
    for (what, much) in [
        (
            "memory_mib",
            format!("{} MiB an instance", limits.memory_mib),
        ),
        (
            "table_elements",
            format!("{} an instance", limits.table_elements),
        ),
        ("instances", limits.instances.to_string()),
        (
            "watchdog_ms",
            or_none(limits.watchdog_ms, "ms without returning to its event loop"),
        ),
        (
            "max_body_bytes",
            or_none(limits.max_body_bytes, "bytes of a request's body"),
        ),
        (
            "max_response_bytes",
            or_none(
                limits.max_response_bytes,
                "bytes of a response's body, except on streaming routes",
            ),
        ),
        ("request_timeout_seconds", timeout),
        (
            "concurrency",
            or_none(concurrency, "requests in progress, open streams included"),
        ),
        (
            "events_per_second",
            or_none(limits.events_per_second.into(), "events published a second"),
        ),
    ] {
        text.push_str(&format!("{what:<23}  {much}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(asked: &Asked, granted: &Asked) -> Vec<String> {
        let text = table(asked, granted);
        text.lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn a_server_that_is_granted_without_its_token_is_marked() {
        let granted = ["https://a.example".to_owned()];
        for (asked, expected) in [
            ("https://a.example", "yes"),
            ("https://a.example with $KEY", "WITHOUT $KEY"),
            ("https://b.example", REFUSED),
        ] {
            assert_eq!(upstream_in_words(asked, &granted), expected, "{asked}");
        }
    }

    #[test]
    fn what_is_not_granted_is_marked() {
        let asked = Asked {
            routes: vec!["GET /notes".to_owned(), "POST /notes".to_owned()],
            settings: vec!["COLO\u{9}\u{1b}[31mUR".to_owned()],
            permission_files: "edit".to_owned(),
            catalog: true,
            ..Asked::default()
        };
        let granted = Asked {
            routes: vec!["GET /notes".to_owned()],
            permission_files: "read".to_owned(),
            catalog: true,
            ..Asked::default()
        };
        let rows = words(&asked, &granted);
        let expected = [
            "route GET /notes yes",
            "route POST /notes NOT GRANTED",
            "setting COLO UR NOT GRANTED",
            "permissions files edit read ONLY",
            "catalog yes yes",
        ];
        assert_eq!(rows.len(), expected.len(), "{rows:?}");
        for (row, expected) in rows.iter().zip(expected) {
            assert_eq!(row, expected);
        }
    }

    #[test]
    fn who_asks_for_nothing_is_said_to() {
        let none = Asked {
            permission_files: "none".to_owned(),
            ..Asked::default()
        };
        assert!(table(&none, &none).contains("asks for nothing"));
    }
}
