//! What is measured.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mngr_latchkey::permissions::{BuiltinSchemas, Decision, Engine, Request};
use regex::Regex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use url::Url;

use crate::Outcome;
use crate::policies::{self, DISTINCTIVE, HEADERS, INDISTINCT, Policy};
use crate::report::Row;
use crate::turns::{Effort, Side};

const FEW: usize = 10;
const MANY: usize = 1_000;
/// A cached decision is no more than this.
const A_FEW_MICROSECONDS: Duration = Duration::from_micros(5);
/// Nobody waits longer than this for a pattern, however hostile.
const HOSTILE: Duration = Duration::from_millis(50);

/// An engine, and the files that it decides by.
struct Bench<'a> {
    runtime: &'a Runtime,
    effort: &'a Effort,
    engine: Engine,
    directory: TempDir,
}

type Scenario<'a> = &'a dyn Fn() -> Outcome<Vec<Row>>;

/// Measures the scenarios that have one of the words in their name, or all.
pub fn run(runtime: &Runtime, effort: &Effort, words: &[&str]) -> Outcome<Vec<Row>> {
    let bench = Bench {
        runtime,
        effort,
        engine: Engine::new(BuiltinSchemas::standard()),
        directory: tempfile::tempdir()?,
    };
    let scenarios: [(&str, Scenario<'_>); 5] = [
        ("rules", &|| bench.rules()),
        ("cached", &|| bench.cached()),
        ("compile", &|| bench.compile()),
        ("request", &|| bench.request()),
        ("hostile", &|| bench.hostile()),
    ];
    let mut rows = Vec::new();
    for (name, scenario) in scenarios {
        if words.is_empty() || words.iter().any(|word| name.contains(word)) {
            eprintln!("measuring {name}");
            rows.extend(scenario()?);
        }
    }
    Ok(rows)
}

impl Bench<'_> {
    /// Decisions by files with few and with many rules.
    fn rules(&self) -> Outcome<Vec<Row>> {
        let mut rows = Vec::new();
        for policy in DISTINCTIVE.iter().chain([&INDISTINCT]) {
            let (few, many) = (self.decider(policy, FEW)?, self.decider(policy, MANY)?);
            let [few, many] = self.effort.fast([few, many])?;
            let row = Row::new(format!("rules: {MANY}, {}", policy.name), many)
                .beside(format!("{FEW} of them"), few);
            rows.push(if policy.name == INDISTINCT.name {
                row
            } else {
                row.at_most_times(2.0)
            });
        }
        Ok(rows)
    }

    /// A decision whose file has not changed, beside the least that could answer: a look at the file, and one pattern.
    fn cached(&self) -> Outcome<Vec<Row>> {
        let [policy, ..] = DISTINCTIVE;
        let path = self.file("cached.json", &(policy.file)(MANY))?;
        let pattern = Regex::new(r"^https://api999\.example\.com/v1/[^/]+$")?;
        let url = (policy.url)(MANY - 1);
        let least: Side<'_> = Box::new(move || {
            let metadata = std::fs::metadata(black_box(&path))?;
            black_box(metadata);
            is_so(pattern.is_match(black_box(&url)))
        });
        let [decision, least] = self.effort.fast([self.decider(&policy, MANY)?, least])?;
        Ok(vec![
            Row::new("cached: a decision by an unchanged file", decision)
                .beside("stat and one pattern", least)
                .at_most(A_FEW_MICROSECONDS),
        ])
    }

    /// What the first decision by a file costs.
    fn compile(&self) -> Outcome<Vec<Row>> {
        let mut rows = Vec::new();
        let catalog = policies::whole_catalog();
        let [_, _, agents, _] = DISTINCTIVE;
        for (name, file) in [
            ("the whole catalog".to_owned(), catalog),
            (
                format!("{FEW} rules with a pattern each"),
                (agents.file)(FEW),
            ),
            (
                format!("{MANY} rules with a pattern each"),
                (agents.file)(MANY),
            ),
        ] {
            let content = file.to_string();
            let check: Side<'_> = Box::new(|| {
                Ok(self.engine.check(
                    Path::new("/permissions.json"),
                    black_box(content.as_bytes()),
                )?)
            });
            let parse: Side<'_> = Box::new(|| {
                black_box(serde_json::from_str::<Value>(black_box(&content))?);
                Ok(())
            });
            let [check, parse] = self.effort.slow([check, parse])?;
            rows.push(
                Row::new(format!("compile: {name}"), check).beside("parsing its JSON", parse),
            );
        }
        Ok(rows)
    }

    /// Taking a request apart.
    fn request(&self) -> Outcome<Vec<Row>> {
        let body = json!({"query": "{ viewer { login } }", "variables": {"first": 10}}).to_string();
        let address = "https://api.example.com/v1/things/a%20b?first=10&after=abc&q=a+b";
        let apart: Side<'_> = Box::new(|| {
            let url = Url::parse(black_box(address))?;
            let headers = HEADERS.into_iter();
            black_box(Request::new(
                "POST",
                &url,
                headers,
                Some(body.as_bytes()),
                None,
            ));
            Ok(())
        });
        let parse: Side<'_> = Box::new(|| {
            black_box(Url::parse(black_box(address))?);
            Ok(())
        });
        let [apart, parse] = self.effort.fast([apart, parse])?;
        Ok(vec![
            Row::new("request: taken apart, with a JSON body", apart)
                .beside("parsing its URL", parse),
        ])
    }

    /// Patterns that would run for ever: a regular one is decided, one with a backreference ends in an error.
    fn hostile(&self) -> Outcome<Vec<Row>> {
        let mut rows = Vec::new();
        for (name, pattern) in [("(a+)+!$", "(a+)+!$"), ("(a+)+\\1!$", "(a+)+\\1!$")] {
            let file = json!({"schemas": {"x": {"properties": {"path": {"pattern": pattern}}}}, "rules": [{"x": []}]});
            let path = self.file("hostile.json", &file)?;
            let request = policies::request(&format!("https://example.com/{}", "a".repeat(5_000)))?;
            let side: Side<'_> = Box::new(|| {
                // Denied, or an error that says so: both are an end.
                let _ = black_box(self.runtime.block_on(self.engine.decide(&path, &request)));
                Ok(())
            });
            let [times] = self.effort.slow([side])?;
            rows.push(Row::new(format!("hostile: {name} on 5000 letters"), times).at_most(HOSTILE));
        }
        Ok(rows)
    }

    /// Decides, over and over, what the last of `count` rules allows.
    fn decider<'a>(&'a self, policy: &Policy, count: usize) -> Outcome<Side<'a>> {
        let path = self.file(
            &format!("{}-{count}.json", policy.name),
            &(policy.file)(count),
        )?;
        let request = policies::request(&(policy.url)(count - 1))?;
        // Only a file that has not changed for a while is known by its stamp.
        std::thread::park_timeout(Duration::from_millis(100));
        Ok(Box::new(move || {
            let decision = self.runtime.block_on(self.engine.decide(&path, &request))?;
            is_so(black_box(decision) == Decision::Allowed)
        }))
    }

    fn file(&self, name: &str, content: &Value) -> Outcome<PathBuf> {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content.to_string())?;
        Ok(path)
    }
}

/// What is measured must be what is meant.
fn is_so(holds: bool) -> Outcome<()> {
    holds
        .then_some(())
        .ok_or_else(|| "a measured call gave another answer".into())
}
