//! Attacks that nobody thought of: framing and paths put together at random from the pieces that attacks are made of. What must
//! hold holds whatever the gateway makes of them.

use proptest::collection::vec;
use proptest::prelude::Strategy;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::scene::{Scene, chunked};

const CASES: usize = 250;

const FIELDS: [&str; 33] = [
    "content-length: 0\r\n",
    "content-length: 5\r\n",
    "Content-Length: 1000\r\n",
    "content-length:\t3\r\n",
    "content-length: 3,3\r\n",
    "content-length: +3\r\n",
    "content-length: 0x3\r\n",
    "content-length : 3\r\n",
    "content_length: 3\r\n",
    "content-length\0: 3\r\n",
    "transfer-encoding: chunked\r\n",
    "Transfer-Encoding: Chunked\r\n",
    "transfer-encoding:chunked \r\n",
    "transfer-encoding: identity\r\n",
    "transfer-encoding: gzip, chunked\r\n",
    "transfer-encoding: chunked, chunked\r\n",
    "transfer-encoding : chunked\r\n",
    "transfer_encoding: chunked\r\n",
    "transfer-encoding:\r\n chunked\r\n",
    "transfer-encoding: \x0bchunked\r\n",
    "transfer-encoding: chunked\n",
    "connection: close\r\n",
    "connection: keep-alive\r\n",
    "connection: content-length\r\n",
    "connection: transfer-encoding, upgrade\r\n",
    "trailer: x-t\r\n",
    "te: trailers\r\n",
    "expect: 100-continue\r\n",
    "upgrade: h2c\r\n",
    "x-a: b\r\n c\r\n",
    "x-a: b\rc\r\n",
    "x-a: b\n",
    "\r\n",
];

const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "get",
];

const PATH_PIECES: [&str; 40] = [
    "A",
    "A",
    "B",
    "B",
    "B",
    "/",
    "/",
    "/",
    "/",
    "\\",
    "..",
    "..",
    ".",
    "%2e",
    "%2E%2e",
    ".%2e",
    "%2f",
    "%2F",
    "%5c",
    "%252e",
    "%252f",
    "%00",
    "%0d%0a",
    ";",
    ";x=y",
    "?",
    "%c0%ae",
    "%c0%af",
    "%ef%bc%8f",
    "%u002e",
    "x",
    "C:",
    "|",
    "//",
    "/../",
    "/..%2f",
    "\\..\\",
    "/./",
    "%",
    "agents",
];

/// Framing that has nothing to do with any body, and bodies that are thefts in one reading or another.
fn bodies(scene: &Scene) -> Vec<String> {
    let (theft, hidden) = (scene.theft(), scene.hidden());
    vec![
        String::new(),
        "abc".to_owned(),
        theft.clone(),
        hidden.clone(),
        chunked(&theft),
        chunked(&hidden),
        chunked(""),
        format!("0\r\n\r\n{theft}"),
        format!("0\r\n\r\n{hidden}"),
        format!("5\r\nabcde\r\n0\r\nx-t: 1\r\n\r\n{hidden}"),
        format!("3;ext=\"\r\nabc\r\n0\r\n\r\n{theft}"),
        format!("3\nabc\n0\n\n{theft}"),
        format!("1\r\nabc\r\n0\r\n\r\n{theft}"),
        format!("abc{theft}"),
        format!("abcde{hidden}"),
    ]
}

/// The same choices at every run: a failure is never left to chance.
fn choices<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> Vec<T> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Default::default(), rng);
    (0..CASES)
        .map(|_| strategy.new_tree(&mut runner).expect("a choice").current())
        .collect()
}

#[tokio::test]
async fn framing() {
    let mut scene = Scene::set().await;
    let request = (
        select(&METHODS[..]),
        vec(select(&FIELDS[..]), 0..4),
        select(bodies(&scene)),
    );
    for requests in choices(vec(request, 1..4)) {
        let mut bytes = String::new();
        for (method, fields, body) in requests {
            bytes += &scene.ask(method, "own", &fields.concat());
            bytes += &body;
        }
        let mut raw = scene.gateway.raw().await;
        // The gateway may hang up before it has read everything.
        let _ = raw.try_send(&bytes).await;
        raw.finish_sending().await;
        let received = raw.until_closed().await;
        let text = String::from_utf8_lossy(&received);
        assert!(!text.contains("/stolen"), "{bytes:?}: {text}");
        scene.holds(&format!("{bytes:?}"), &received).await;
    }
}

#[tokio::test]
async fn paths() {
    let mut scene = Scene::set().await;
    let mut passed = 0;
    for pieces in choices(vec(select(&PATH_PIECES[..]), 1..9)) {
        let rest = pieces.concat();
        let rest = rest.replace('A', &scene.a.id).replace('B', &scene.b.id);
        let mut wire = scene.wire().await;
        wire.send(scene.ask("GET", &rest, "")).await;
        let answer = wire.answer().await;
        assert!(
            matches!(answer.status(), 200 | 400 | 403 | 404),
            "{rest}: {answer:?}"
        );
        passed += usize::from(answer.status() == 200);
        wire.finish_sending().await;
        scene.holds(&rest, wire.transcript()).await;
    }
    assert!(
        passed > CASES / 10,
        "only {passed} of {CASES} paths reached the upstream"
    );
}
