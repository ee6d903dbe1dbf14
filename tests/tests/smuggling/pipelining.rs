//! Requests that stand behind others on a connection: each is decided by what it carries itself, whatever becomes of the one
//! before.

use end_to_end::{Gate, Script};

use crate::scene::{Scene, Then, chunked};

const TE: &str = "transfer-encoding: chunked\r\n";

#[tokio::test]
async fn each_request_is_checked_with_what_it_carries() {
    let mut scene = Scene::set().await;
    let (mine, theirs) = (scene.mine("own"), scene.theirs("theirs"));
    let get = |target: &str, credentials: &str| {
        format!("GET {target} HTTP/1.1\r\nhost: gateway\r\n{credentials}\r\n")
    };
    let a = scene.credentials();
    let b = format!("{}x-sender: b\r\n", scene.b.header_lines());
    let password = format!("{}x-sender: a\r\n", scene.gateway.guest().header_lines());
    for (name, requests, then) in [
        (
            "A, then A for B's path",
            [get(&mine, &a), get(&theirs, &a)],
            Then::Answered(&[200, 403]),
        ),
        (
            "A for B's path, then A",
            [get(&theirs, &a), get(&mine, &a)],
            Then::Answered(&[403, 200]),
        ),
        (
            "B for B's path, then A for it",
            [get(&theirs, &b), get(&theirs, &a)],
            Then::Answered(&[200, 403]),
        ),
        (
            "A, then nobody",
            [get(&mine, &a), get(&mine, "")],
            Then::Answered(&[200, 401]),
        ),
        (
            "A, then whoever has the password",
            [get(&mine, &a), get(&mine, &password)],
            Then::Answered(&[200, 403]),
        ),
        (
            "nobody, then A",
            [get(&theirs, ""), get(&mine, &a)],
            Then::Answered(&[401, 200]),
        ),
        (
            "both",
            [get(&mine, &a), get(&theirs, &b)],
            Then::Answered(&[200, 200]),
        ),
    ] {
        scene.attack(name, requests.concat(), then).await;
    }
}

#[tokio::test]
async fn a_request_behind_a_refused_one_is_a_request_of_its_own() {
    let mut scene = Scene::set().await;
    let theft = scene.theft();
    let refused = |lines: &str| scene.ask_for("POST", &scene.theirs("x"), lines);
    let length = format!("content-length: {}\r\n", theft.len());
    let next = scene.ask("GET", "next", "");
    let cases = [
        ("without a body", refused("") + &next),
        ("with a length", refused(&length) + &theft + &next),
        ("with chunks", refused(TE) + &chunked(&theft) + &next),
        (
            "with a large body",
            refused("content-length: 300000\r\n") + &"x".repeat(300_000) + &next,
        ),
        (
            "that waits to send",
            refused(&format!("expect: 100-continue\r\n{length}")) + &theft + &next,
        ),
    ];
    for (name, bytes) in cases {
        let mut wire = scene.wire().await;
        wire.send(bytes).await;
        let answer = wire.answer().await;
        assert_eq!(answer.status(), 403, "{name}: {answer:?}");
        // The gateway may rather hang up than read a body that nobody wants.
        if let Some(next) = wire.try_answer().await {
            assert_eq!(next.status(), 200, "{name}: {next:?}");
            assert!(next.text().ends_with("/next"), "{name}: {next:?}");
        }
        wire.finish_sending().await;
        assert!(wire.rest().await.is_empty(), "{name}: {}", wire.text());
        scene.holds(name, wire.transcript()).await;
    }
}

#[tokio::test]
async fn a_request_behind_a_malformed_one_is_never_looked_at() {
    let mut scene = Scene::set().await;
    let next = scene.ask("GET", "next", "");
    for (name, first) in [
        (
            "two lengths",
            scene.ask("POST", "own", "content-length: 0\r\ncontent-length: 1\r\n"),
        ),
        (
            "a length and a coding",
            scene.ask("POST", "own", &format!("content-length: 0\r\n{TE}")),
        ),
        (
            "a strange coding",
            scene.ask("POST", "own", "transfer-encoding: x\r\n"),
        ),
        (
            "a field without a colon",
            scene.ask("GET", "own", "nonsense\r\n"),
        ),
        (
            "another version",
            scene
                .ask("GET", "own", "")
                .replacen("HTTP/1.1", "HTTP/1.2", 1),
        ),
        (
            "no version",
            scene.ask("GET", "own", "").replacen(" HTTP/1.1", "", 1),
        ),
        (
            "a version in small letters",
            scene
                .ask("GET", "own", "")
                .replacen("HTTP/1.1", "http/1.1", 1),
        ),
        (
            "an encrypted one",
            "\x16\x03\x01\x02\x00\r\n\r\n".to_owned(),
        ),
    ] {
        scene.attack(name, first + &next, Then::Refused).await;
    }
}

#[tokio::test]
async fn a_request_behind_the_last_one_is_never_looked_at() {
    let mut scene = Scene::set().await;
    let next = scene.ask("GET", "next", "");
    let old = |lines: &str| {
        scene
            .ask("GET", "own", lines)
            .replacen("HTTP/1.1", "HTTP/1.0", 1)
    };
    let cases = [
        (
            "that closes",
            scene.ask("GET", "own", "connection: close\r\n"),
            200,
        ),
        (
            "that closes, among others",
            scene.ask("GET", "own", "connection: x, Close\r\n"),
            200,
        ),
        (
            "that closes, refused",
            scene.ask_for("GET", &scene.theirs("x"), "connection: close\r\n"),
            403,
        ),
        ("of an old client", old(""), 200),
        ("of an old client with chunks", old(TE), 400),
    ];
    for (name, last, status) in cases {
        let mut wire = scene.wire().await;
        wire.send(last + &next).await;
        let answers = wire.rest().await;
        let statuses: Vec<_> = answers.iter().map(end_to_end::Message::status).collect();
        assert_eq!(statuses, [status], "{name}: {answers:?}");
        scene.holds(name, wire.transcript()).await;
    }
}

#[tokio::test]
async fn a_request_behind_the_preface_of_http2_is_never_looked_at() {
    let mut scene = Scene::set().await;
    for preface in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n"] {
        let mut raw = scene.gateway.raw().await;
        raw.send(preface.to_owned() + &scene.ask("GET", "next", ""))
            .await;
        raw.finish_sending().await;
        let received = raw.until_closed().await;
        let text = String::from_utf8_lossy(&received);
        assert!(!text.contains("/next"), "{preface:?}: {text}");
        scene.holds(preface, &received).await;
    }
}

#[tokio::test]
async fn empty_lines_between_requests_hide_nothing() {
    let mut scene = Scene::set().await;
    let own = scene.ask("GET", "own", "");
    for lines in ["\r\n", "\r\n\r\n\r\n"] {
        let bytes = format!("{lines}{own}{lines}{own}");
        let mut wire = scene.wire().await;
        wire.send(bytes).await;
        wire.finish_sending().await;
        let answers = wire.rest().await;
        assert!(answers.len() <= 2, "{lines:?}: {answers:?}");
        scene.holds(lines, wire.transcript()).await;
    }
}

#[tokio::test]
async fn a_request_behind_a_slow_one_waits_for_its_turn() {
    let mut scene = Scene::set().await;
    let gate = Gate::new();
    scene.answer(
        "slow",
        Script::new()
            .wait(&gate)
            .send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow"),
    );
    let mut wire = scene.wire().await;
    wire.send(scene.ask("GET", "slow", "") + &scene.hidden() + &scene.ask("GET", "next", ""))
        .await;
    let slow = format!("/api/v1/agents/{}/slow", scene.a.id);
    scene.upstream.asked_for(&slow).await;
    gate.open();
    assert_eq!(wire.answer().await.text(), "slow");
    assert_eq!(wire.answer().await.status(), 403);
    assert!(wire.answer().await.text().ends_with("/next"));
    wire.finish_sending().await;
    assert!(wire.rest().await.is_empty());
    scene.holds("a slow request", wire.transcript()).await;
}

#[tokio::test]
async fn a_request_behind_an_early_answer_is_no_rest_of_a_body() {
    let mut scene = Scene::set().await;
    let early = "HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nearly";
    let closing = early.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    for (name, script) in [
        ("and reads on", Script::early(early)),
        ("and closes", Script::early(closing.clone()).close()),
        ("and closes without a word", Script::early(early).close()),
        ("and reads no more", Script::early(early).unread()),
        ("and breaks off", Script::early(closing).unread().reset()),
    ] {
        for (framing, lines) in [("length", true), ("chunks", false)] {
            let name = format!("an upstream that answers early {name}, a body with {framing}");
            eprintln!("attack: {name}");
            scene.answer("early", script.clone());
            let body = scene.theft().repeat(40);
            let (head, body) = if lines {
                let length = format!("content-length: {}\r\n", body.len());
                (scene.ask("POST", "early", &length), body)
            } else {
                (scene.ask("POST", "early", TE), chunked(&body))
            };
            let (first, second) = body.split_at(body.len() / 2);
            let mut wire = scene.wire().await;
            wire.send(head + first).await;
            let answer = wire.answer().await;
            assert!(matches!(answer.status(), 413 | 502), "{name}: {answer:?}");
            wire.send(second.to_owned() + &scene.ask("GET", "next", ""))
                .await;
            // The gateway may hang up; if it goes on, then with the next request.
            if let Some(next) = wire.try_answer().await {
                assert!(next.text().ends_with("/next"), "{name}: {next:?}");
            }
            wire.finish_sending().await;
            assert!(wire.rest().await.is_empty(), "{name}: {}", wire.text());
            scene.holds(&name, wire.transcript()).await;
        }
    }
}
