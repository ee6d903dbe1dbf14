//! Inputs that are known to be interesting, one JSON string a line, answered without a panic and as the invariants ask.

use serde_json::Value;
use url::Url;

use super::super::Request;
use super::super::pattern::Pattern;
use super::super::request::PROPERTY_NAMES;
use super::{Sandbox, URL};

const PATTERNS: &str = include_str!("seeds/patterns.jsonl");
const CONFIGS: &str = include_str!("seeds/configs.jsonl");
const URLS: &str = include_str!("seeds/urls.jsonl");

fn seeds(file: &str) -> impl Iterator<Item = String> {
    file.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON string"))
}

#[test]
fn every_pattern_is_refused_or_searched() {
    let texts = [
        "",
        "a",
        "/a/b",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "😀é\u{2028}\0",
        "x.example.com",
    ];
    let mut refused = Vec::new();
    for seed in seeds(PATTERNS) {
        match Pattern::new(&seed) {
            Ok(pattern) => {
                for text in texts {
                    let _ = pattern.is_match(text);
                }
            }
            Err(reason) => {
                assert!(!reason.is_empty(), "{seed:?}");
                refused.push(seed);
            }
        }
    }
    assert_eq!(refused.len(), 12, "refused: {refused:#?}");
}

#[tokio::test]
async fn every_file_decides_or_says_what_is_wrong() {
    for seed in seeds(CONFIGS) {
        let sandbox = Sandbox::new();
        sandbox.write("seed.json", &seed);
        let path = sandbox.path("seed.json");
        let decided = sandbox.engine.decide(&path, &super::get(URL)).await;
        let checked = sandbox.engine.check(&path, seed.as_bytes());
        if let Err(failure) = decided {
            let failure = failure.to_string();
            let names_a_place =
                failure.contains("seed.json") || failure.starts_with("cannot read /");
            assert!(names_a_place, "{seed:?}: {failure}");
            // Whether references run in circles shows only on their way.
            let is_certain = !failure.contains("too long");
            assert!(checked.is_err() == is_certain, "{seed:?}: {checked:?}");
        }
    }
}

#[test]
fn every_address_is_refused_or_taken_apart_in_canonical_form() {
    for seed in seeds(URLS) {
        let Ok(url) = Url::parse(&seed) else {
            continue;
        };
        let request = Request::new("get", &url, std::iter::empty(), None, None);
        let value = request.as_value();
        let text = |name: &str| value[name].as_str().expect("a text").to_owned();
        assert_eq!(text("method"), "GET", "{seed:?}");
        assert_eq!(text("domain"), text("domain").to_lowercase(), "{seed:?}");
        assert!(text("domain").is_ascii(), "{seed:?}: {}", text("domain"));
        assert!(text("path").is_ascii(), "{seed:?}: {}", text("path"));
        let segments = text("path");
        let mut segments = segments.split(['/', '\\']);
        let is_special = ["https", "http", "wss"].contains(&url.scheme());
        assert!(
            !is_special || segments.all(|segment| segment != ".." && segment != "."),
            "{seed:?}"
        );
        assert!(
            value["port"].is_u64() && value["queryParams"].is_object(),
            "{seed:?}"
        );
        let names = value
            .as_object()
            .into_iter()
            .flat_map(serde_json::Map::keys);
        for name in names {
            assert!(PROPERTY_NAMES.contains(&name.as_str()), "{seed:?}: {name}");
        }
        assert_eq!(value.get("body"), None::<&Value>, "{seed:?}");
    }
}
