//! Upstreams that answer more than they were asked, or in two ways at once: nobody else is given any of it.

use end_to_end::{Gate, KEY, Script};

use crate::scene::Scene;

const POISON: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";

/// Has the upstream answer A like this; the answer that A is given may be an error.
async fn poisoned(scene: &mut Scene, name: &str, method: &str, script: Script) -> Vec<u8> {
    eprintln!("attack: {name}");
    scene.answer("special", script);
    let mut wire = scene.wire().await;
    wire.asks(method);
    wire.send(scene.ask(method, "special", "")).await;
    wire.try_answer().await;
    wire.finish_sending().await;
    let rest = wire.rest().await;
    assert!(rest.len() < 2, "{name}: {rest:?}");
    scene.holds(name, wire.transcript()).await;
    wire.transcript().to_vec()
}

#[tokio::test]
async fn a_second_response_is_nobodys() {
    let mut scene = Scene::set().await;
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for (name, method, first) in [
        ("behind a length", "GET", ok.to_owned()),
        ("behind chunks", "GET", chunks.to_owned()),
        (
            "behind trailers",
            "GET",
            chunks.replace("0\r\n\r\n", "0\r\nx-t: 1\r\n\r\n"),
        ),
        (
            "behind no content",
            "GET",
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        ),
        (
            "behind no content with a length",
            "GET",
            "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n".to_owned(),
        ),
        (
            "behind not modified",
            "GET",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n".to_owned(),
        ),
        (
            "behind an answer to HEAD",
            "HEAD",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n".to_owned(),
        ),
        (
            "as the content of an answer to HEAD",
            "HEAD",
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                POISON.len()
            ),
        ),
        (
            "behind an empty answer",
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ),
        ("to POST", "POST", ok.to_owned()),
    ] {
        let script = Script::raw(format!("{first}{POISON}"));
        let given = poisoned(&mut scene, name, method, script).await;
        assert!(
            !String::from_utf8_lossy(&given).contains("poison"),
            "{name}: {}",
            String::from_utf8_lossy(&given)
        );
    }
}

#[tokio::test]
async fn a_second_response_that_comes_later_ends_the_connection() {
    let mut scene = Scene::set().await;
    for (name, late) in [
        ("whole", POISON),
        ("half", "HTTP/1.1 200 OK\r\n"),
        ("one byte", "H"),
        ("a line end", "\r\n"),
        ("a request", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
        (
            "408",
            "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ),
        ("100", "HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        eprintln!("attack: {name}");
        let gate = Gate::new();
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        scene.answer("special", Script::raw(ok).wait(&gate).send(late));
        let mut wire = scene.wire().await;
        wire.send(scene.ask("GET", "special", "")).await;
        assert_eq!(wire.answer().await.text(), "ok", "{name}");
        gate.open();
        let special = format!("/api/v1/agents/{}/special", scene.a.id);
        scene.upstream.abandoned(&special).await;
        scene.holds(name, wire.transcript()).await;
    }
}

#[tokio::test]
async fn a_response_that_can_be_read_in_two_ways_is_nobody_elses() {
    let mut scene = Scene::set().await;
    let body = format!("2\r\nok\r\n0\r\n\r\n{POISON}");
    for (name, head) in [
        (
            "CL.TE",
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        ),
        (
            "TE.CL",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        ),
        ("two lengths", "content-length: 5\r\ncontent-length: 12\r\n"),
        (
            "the same length twice",
            "content-length: 12\r\ncontent-length: 12\r\n",
        ),
        ("a list of lengths", "content-length: 5, 12\r\n"),
        ("a signed length", "content-length: +5\r\n"),
        ("a negative length", "content-length: -5\r\n"),
        ("an empty length", "content-length:\r\n"),
        (
            "a length that is too long for 64 bits",
            "content-length: 99999999999999999999\r\n",
        ),
        ("an unknown coding", "transfer-encoding: xchunked\r\n"),
        ("chunked twice", "transfer-encoding: chunked, chunked\r\n"),
        (
            "identity behind chunked",
            "transfer-encoding: chunked, identity\r\n",
        ),
        (
            "gzip behind chunked",
            "transfer-encoding: chunked, gzip\r\n",
        ),
        (
            "a space before the colon",
            "transfer-encoding : chunked\r\n",
        ),
        ("a folded field", "x-a: b\r\n c\r\ncontent-length: 12\r\n"),
        ("bare line feeds", "x-a: b\ncontent-length: 5\n"),
        ("a bare carriage return", "x-a: b\rcontent-length: 5\r\n"),
        ("a null", "x-a: \0\r\ncontent-length: 5\r\n"),
        ("no colon", "nonsense\r\ncontent-length: 5\r\n"),
        (
            "named by connection",
            "connection: content-length, transfer-encoding\r\ncontent-length: 5\r\n",
        ),
    ] {
        let script = Script::raw(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}")).close();
        poisoned(&mut scene, name, "GET", script).await;
    }
}

#[tokio::test]
async fn a_connection_with_a_contradictory_response_is_not_used_again() {
    let mut scene = Scene::set().await;
    let body = "2\r\nok\r\n0\r\n\r\n";
    let length = format!("content-length: {}\r\n", body.len());
    let coding = "transfer-encoding: chunked\r\n";
    for (name, head) in [
        ("CL.TE", format!("{length}{coding}")),
        ("TE.CL", format!("{coding}{length}")),
    ] {
        let script = Script::raw(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}"));
        poisoned(&mut scene, name, "GET", script).await;
        let special = format!("/api/v1/agents/{}/special", scene.a.id);
        scene.upstream.abandoned(&special).await;
    }
}

#[tokio::test]
async fn chunks_that_are_not_what_they_say_are_no_clean_end() {
    let mut scene = Scene::set().await;
    for (name, body) in [
        ("no size", "x\r\nok\r\n0\r\n\r\n".to_owned()),
        ("a size with a sign", "+2\r\nok\r\n0\r\n\r\n".to_owned()),
        ("more than the size", "1\r\nok\r\n0\r\n\r\n".to_owned()),
        (
            "a size beyond 64 bits",
            "10000000000000002\r\nok\r\n0\r\n\r\n".to_owned(),
        ),
        ("a response for a chunk", format!("2\r\nok\r\n{POISON}")),
        ("no last chunk", "2\r\nok\r\n".to_owned()),
        ("half a chunk", "ff\r\nok\r\n".to_owned()),
        ("half a trailer", "2\r\nok\r\n0\r\nx-t: 1".to_owned()),
    ] {
        eprintln!("attack: {name}");
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        scene.answer("special", Script::raw(format!("{head}{body}")).close());
        let mut wire = scene.wire().await;
        wire.send(scene.ask("GET", "special", "")).await;
        let answers = wire.rest().await;
        let clean = answers
            .iter()
            .any(|answer| answer.status() == 200 && answer.complete);
        assert!(!clean && answers.len() < 2, "{name}: {answers:?}");
        scene.holds(name, wire.transcript()).await;
    }
}

#[tokio::test]
async fn what_is_no_response_is_a_bad_gateway() {
    let mut scene = Scene::set().await;
    for (name, bytes) in [
        ("text", "hello\r\n\r\n"),
        ("an old answer", "<html>hello</html>"),
        ("a request", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("no status", "HTTP/1.1 \r\n\r\n"),
        (
            "a status of letters",
            "HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "a status of two digits",
            "HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "another version",
            "HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "another protocol",
            "ICY 200 OK\r\ncontent-length: 0\r\n\r\n",
        ),
        ("an encrypted one", "\x15\x03\x01\x00\x02\x02\x46"),
        ("nothing", ""),
        ("half a head", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n"),
    ] {
        let given = poisoned(&mut scene, name, "GET", Script::raw(bytes).close()).await;
        let given = String::from_utf8_lossy(&given);
        assert!(given.starts_with("HTTP/1.1 502 "), "{name}: {given}");
    }
}

#[tokio::test]
async fn a_switch_of_protocols_that_nobody_asked_for_opens_nothing() {
    let mut scene = Scene::set().await;
    for (name, lines) in [
        (
            "to websocket",
            "connection: upgrade\r\nupgrade: websocket\r\n",
        ),
        ("to HTTP/2", "connection: upgrade\r\nupgrade: h2c\r\n"),
        ("to nothing", ""),
    ] {
        let switch = format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n{POISON}");
        let given = poisoned(&mut scene, name, "GET", Script::raw(switch)).await;
        let given = String::from_utf8_lossy(&given);
        assert!(given.starts_with("HTTP/1.1 502 "), "{name}: {given}");
        assert!(!given.contains("poison"), "{name}: {given}");
    }
}

#[tokio::test]
async fn interim_responses_are_no_answers() {
    let mut scene = Scene::set().await;
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    for (name, interim) in [
        ("100", "HTTP/1.1 100 Continue\r\n\r\n".to_owned()),
        ("102", "HTTP/1.1 102 Processing\r\n\r\n".to_owned()),
        (
            "103",
            "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".to_owned(),
        ),
        (
            "103 with a length",
            "HTTP/1.1 103 Early Hints\r\ncontent-length: 5\r\n\r\n".to_owned(),
        ),
        ("many", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(20)),
    ] {
        eprintln!("attack: {name}");
        scene.answer("special", Script::raw(format!("{interim}{ok}")));
        let mut wire = scene.wire().await;
        wire.send(scene.ask("GET", "special", "")).await;
        // They may be relayed or left out.
        let answer = loop {
            let answer = wire.answer().await;
            if answer.status() >= 200 {
                break answer;
            }
        };
        assert_eq!((answer.status(), &*answer.text()), (200, "ok"), "{name}");
        wire.finish_sending().await;
        assert!(wire.rest().await.is_empty(), "{name}: {}", wire.text());
        scene.holds(name, wire.transcript()).await;
    }
}

#[tokio::test]
async fn a_key_that_the_upstream_repeats_does_not_come_back() {
    let mut scene = Scene::set().await;
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n";
    for (name, answer) in [
        ("a header", format!("{ok}x-echo: Bearer {KEY}\r\n\r\nok")),
        (
            "the header",
            format!("{ok}authorization: Bearer {KEY}\r\n\r\nok"),
        ),
        (
            "a cookie",
            format!("{ok}set-cookie: a=b\r\nset-cookie: token={KEY}; path=/\r\n\r\nok"),
        ),
        (
            "a redirect",
            format!("HTTP/1.1 302 Found\r\nlocation: /x?token={KEY}\r\ncontent-length: 0\r\n\r\n"),
        ),
        (
            "the reason",
            format!("HTTP/1.1 401 No {KEY}\r\ncontent-length: 0\r\n\r\n"),
        ),
        (
            "an interim answer",
            format!("HTTP/1.1 103 Early Hints\r\nx-echo: {KEY}\r\n\r\n{ok}\r\nok"),
        ),
        (
            "a malformed head",
            format!("HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n"),
        ),
        (
            "a malformed length",
            format!("HTTP/1.1 200 OK\r\ncontent-length: {KEY}\r\n\r\n"),
        ),
        ("no status line", format!("{KEY}\r\n\r\n")),
        ("the name of a header", format!("{ok}x-{KEY}: x\r\n\r\nok")),
        (
            "a trailer",
            format!(
                "HTTP/1.1 200 OK\r\ntrailer: x-echo\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-echo: {KEY}\r\n\r\n"
            ),
        ),
    ] {
        eprintln!("attack: {name}");
        scene.answer("special", Script::raw(answer).close());
        let mut wire = scene.wire().await;
        wire.send(scene.ask("GET", "special", "te: trailers\r\nconnection: te\r\n"))
            .await;
        wire.answer().await;
        scene.holds(name, wire.transcript()).await;
    }
}
