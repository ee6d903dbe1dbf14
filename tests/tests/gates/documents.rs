//! What the documents name is there: modules, tests, keys.

use std::fs;
use std::path::{Path, PathBuf};

use crate::keys::keys_beside_an_unknown_one;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document(name: &str) -> String {
    let path = root().join("docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn every_module_and_test_in_the_threat_model_is_there() {
    let document = document("threats.md");
    let (mut modules, mut tests) = (0, 0);
    for named in quoted(&document).filter(|text| text.contains(".rs")) {
        let Some((file, test)) = named.split_once(':') else {
            let path = root().join("host/src").join(named);
            assert!(path.is_file(), "the module {named} is not in host/src");
            modules += 1;
            continue;
        };
        let content = ["tests/tests", "host/src"]
            .iter()
            .find_map(|place| fs::read_to_string(root().join(place).join(file)).ok())
            .unwrap_or_else(|| panic!("no file {file} with the test {test}"));
        let is_there = content.contains(&format!("fn {test}("));
        assert!(is_there, "no test {test} in {file}");
        tests += 1;
    }
    assert!(modules > 20 && tests > 40, "{modules} {tests}");
}

#[tokio::test]
async fn every_key_of_a_policy_is_explained() {
    let document = document("extensions.md");
    for policy in ["no-such-key = 1\n", "[[upstreams]]\nno-such-key = 1\n"] {
        for key in keys_beside_an_unknown_one(policy).await {
            let is_explained = document.lines().any(|line| {
                line.starts_with(&format!("{key} = "))
                    || line.starts_with(&format!("[[{key}]]"))
                    || line.starts_with('|') && quoted(line).any(|named| named == key)
            });
            assert!(is_explained, "docs/extensions.md does not explain {key}");
        }
    }
}
