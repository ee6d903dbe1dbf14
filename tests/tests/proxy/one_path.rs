//! One path and query: what the check saw, what the extension saw and what the upstream received, for random targets.
//!
//! It is also the one that another parser of WHATWG URLs sees, that of Node.js.
//!
//! What the check saw shows in what it decides: a file that allows exactly what the upstream received must allow the target, and
//! one that denies exactly that must deny it.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use end_to_end::{Caller, Gateway, Message, Upstream, Wire};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy};
use proptest::prop_oneof;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::head;

const PREFIX: &str = "/minds-api-proxy";
const CASES: u32 = 400;

/// Paths and queries of all that parsers may disagree about.
fn targets() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9._~-]{1,4}",
        3 => select(vec!["/", "//", "/./", "/../", "/..", "\\", "/%2e/", "/%2E%2e/", "..", ".", ";", ":", "@", "C:", "|"]).prop_map(str::to_owned),
        3 => "%[0-9a-fA-F]{2}",
        2 => "[!-~&&[^#?]]{1,3}",
        1 => select(vec!["%", "%2", "%zz", "%u002e", "%c0%ae", "%25", "%252f", "é", "／", "\u{7f}", "?", "??"]).prop_map(str::to_owned),
    ];
    let query = prop_oneof![
        Just(String::new()),
        "\\?[!-~&&[^#]]{0,20}",
        "\\?([a-c]=(%[0-9a-f]{2}|[a-z+]){0,3}&?){0,4}",
    ];
    (vec(piece, 0..8), query)
        .prop_map(|(pieces, query)| format!("{PREFIX}/{}{query}", pieces.concat()))
}

/// The last value of each name of a query, decoded as a form.
fn parameters(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digit = |index: usize| {
            after
                .get(index)
                .and_then(|byte| char::from(*byte).to_digit(16))
        };
        rest = after;
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap());
                rest = &after[2..];
            }
            (b'+', ..) => bytes.push(b' '),
            _ => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Paths and queries of targets, parsed by Node.js.
fn as_node_sees(targets: &[&String]) -> Vec<String> {
    let program = "
        const targets = JSON.parse(require('node:fs').readFileSync(0));
        const urls = targets.map((target) => new URL('https://latchkey-self.invalid:1' + target));
        console.log(JSON.stringify(urls.map((url) => url.pathname + url.search)));
    ";
    let mut node = Command::new("node")
        .args(["-e", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is installed");
    let mut stdin = node.stdin.take().unwrap();
    stdin
        .write_all(json!(targets).to_string().as_bytes())
        .unwrap();
    drop(stdin);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

struct World {
    upstream: Upstream,
    gateway: Gateway,
    files: u32,
    /// Targets as they were sent, and as they arrived.
    passed: Vec<(String, String)>,
}

impl World {
    /// The status of a target, sent as it is.
    async fn status(&self, caller: &Caller, target: &str) -> (u16, String) {
        let mut wire = Wire::connect(self.gateway.address()).await;
        wire.send(head(
            caller,
            &format!("GET {target}"),
            "connection: close\r\n",
        ))
        .await;
        let answer = wire.answer().await;
        (answer.status(), answer.text())
    }

    /// Whoever has a permissions file with these rules about exactly what arrived.
    fn judge(&mut self, arrived: &str, rules: Value) -> Caller {
        let (path, query) = arrived.split_once('?').unwrap_or((arrived, ""));
        let exactly = json!({
            "properties": {
                "domain": {"const": "latchkey-self.invalid"},
                "path": {"const": format!("{PREFIX}{path}")},
                "queryParams": {"const": parameters(query)},
            },
            "required": ["domain", "path", "queryParams"],
        });
        self.files += 1;
        let file = self.gateway.home().permissions_file(
            &format!("judge-{}.json", self.files),
            &json!({"schemas": {"exactly": exactly}, "rules": rules}),
        );
        self.gateway.bearer_of(&file)
    }

    /// How many requests each of the upstream's connections has had.
    fn counts(&self) -> Vec<usize> {
        let connections = self.upstream.connections();
        let counts = connections
            .iter()
            .map(|connection| connection.requests().len());
        counts.collect()
    }

    async fn agree(&mut self, target: &str) -> Result<(), TestCaseError> {
        let before: Vec<usize> = self.counts();
        let (status, text) = self.status(&self.gateway.admin(), target).await;
        let after = self.upstream.connections();
        // Requests are listed connection by connection, and a gateway may have several.
        let new: Vec<&Message> = after
            .iter()
            .enumerate()
            .flat_map(|(number, connection)| {
                let known = before.get(number).copied().unwrap_or_default();
                connection.requests().iter().skip(known)
            })
            .collect();
        if status != 200 {
            // What is refused, or leads out of the proxy, goes nowhere.
            proptest::prop_assert_eq!(new.len(), 0, "{} was answered {} and sent", target, status);
            proptest::prop_assert!(
                matches!(status, 400 | 404),
                "{} was answered {}: {}",
                target,
                status,
                text
            );
            return Ok(());
        }
        proptest::prop_assert_eq!(new.len(), 1, "{}", target);
        let arrived = new[0].target().to_owned();
        self.passed.push((target.to_owned(), arrived.clone()));
        proptest::prop_assert_eq!(&text, &format!("GET {arrived}"));
        let allows = self.judge(&arrived, json!([{"exactly": ["any"]}]));
        let (status, text) = self.status(&allows, target).await;
        proptest::prop_assert_eq!(
            status,
            200,
            "{}: the check did not see {}",
            target,
            &arrived
        );
        proptest::prop_assert_eq!(text, format!("GET {arrived}"));
        let denies = self.judge(&arrived, json!([{"exactly": []}, {"any": ["any"]}]));
        let (status, _) = self.status(&denies, target).await;
        proptest::prop_assert_eq!(
            status,
            403,
            "{}: the check did not see {}",
            target,
            &arrived
        );
        // What has been normalised stays as it is: an upstream that does it again sees no other path.
        let (status, text) = self
            .status(&self.gateway.admin(), &format!("{PREFIX}{arrived}"))
            .await;
        proptest::prop_assert_eq!(
            (status, text),
            (200, format!("GET {arrived}")),
            "{} is not normal",
            target
        );
        Ok(())
    }
}

#[test]
fn the_check_the_extension_and_the_upstream_see_the_same() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut world = runtime.block_on(async {
        let upstream = Upstream::start().await;
        let gateway = upstream.gateway().start().await;
        World {
            upstream,
            gateway,
            files: 0,
            passed: Vec::new(),
        }
    });
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    // The same targets at every run: a failure is never left to chance.
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let world = std::sync::Mutex::new(&mut world);
    runner
        .run(&targets(), |target| {
            runtime.block_on(world.lock().unwrap().agree(&target))
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    let passed = &world.lock().unwrap().passed;
    assert!(
        passed.len() > CASES as usize / 4,
        "only {} of {CASES} targets reached the upstream",
        passed.len()
    );
    let sent: Vec<&String> = passed.iter().map(|(sent, _)| sent).collect();
    for ((sent, arrived), other) in passed.iter().zip(as_node_sees(&sent)) {
        assert_eq!(
            format!("{PREFIX}{arrived}"),
            other,
            "{sent}: Node.js sees another target"
        );
    }
}
