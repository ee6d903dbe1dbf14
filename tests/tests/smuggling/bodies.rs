//! Bodies where none is expected: the hole of the original, where a chunked body on GET, DELETE or OPTIONS went upstream without
//! framing.

use crate::scene::{Scene, Then, chunked};

const TE: &str = "transfer-encoding: chunked\r\n";

fn length(content: &str) -> String {
    format!("content-length: {}\r\n", content.len())
}

#[tokio::test]
async fn a_chunked_request_in_a_body_stays_a_body() {
    let mut scene = Scene::set().await;
    for method in ["GET", "DELETE", "OPTIONS", "HEAD", "POST", "PROPFIND"] {
        let bytes = scene.ask(method, "own", TE) + &chunked(&scene.theft());
        scene.attack(method, bytes, Then::Answered(&[200])).await;
        let sent = scene.upstream.requests();
        let sent = sent
            .iter()
            .rfind(|request| request.method() == method && request.path().ends_with("/own"))
            .unwrap();
        assert_eq!(sent.text(), scene.theft(), "{method}: {sent:?}");
    }
}

#[tokio::test]
async fn a_request_in_a_body_with_a_length_stays_a_body() {
    let mut scene = Scene::set().await;
    for method in ["GET", "DELETE", "OPTIONS", "HEAD", "PUT"] {
        let body = scene.theft() + &scene.hidden();
        let bytes = scene.ask(method, "own", &length(&body)) + &body;
        scene.attack(method, bytes, Then::Answered(&[200])).await;
    }
}

#[tokio::test]
async fn a_request_in_a_body_is_none_for_the_next_request_of_the_connection() {
    let mut scene = Scene::set().await;
    for method in ["GET", "DELETE", "OPTIONS"] {
        let bytes = scene.ask(method, "own", TE)
            + &chunked(&scene.theft())
            + &scene.ask("GET", "next", "")
            + &scene.ask(method, "own", TE)
            + &chunked(&scene.hidden())
            + &scene.ask("GET", "last", "");
        scene
            .attack(method, bytes, Then::Answered(&[200, 200, 200, 200]))
            .await;
    }
}

#[tokio::test]
async fn a_request_spread_over_many_chunks_stays_a_body() {
    let mut scene = Scene::set().await;
    let theft = scene.theft();
    for size in [1, 2, 7, 60] {
        let mut body = String::new();
        for part in theft.as_bytes().chunks(size) {
            body += &format!(
                "{:X}\r\n{}\r\n",
                part.len(),
                std::str::from_utf8(part).unwrap()
            );
        }
        let bytes = scene.ask("GET", "own", TE) + &body + "0\r\n\r\n";
        scene
            .attack(&format!("chunks of {size}"), bytes, Then::Answered(&[200]))
            .await;
    }
}

#[tokio::test]
async fn a_body_of_chunk_framing_stays_a_body() {
    let mut scene = Scene::set().await;
    let inner = format!("0\r\n\r\n{}", scene.theft());
    let cases = [
        (
            "an end of chunks in a chunk",
            scene.ask("DELETE", "own", TE) + &chunked(&inner),
        ),
        (
            "an end of chunks in a length",
            scene.ask("DELETE", "own", &length(&inner)) + &inner,
        ),
        (
            "no content at all",
            scene.ask("DELETE", "own", TE) + "0\r\n\r\n",
        ),
        (
            "leading zeros",
            scene.ask("GET", "own", TE) + "0001\r\nx\r\n0000\r\n\r\n",
        ),
    ];
    for (name, bytes) in cases {
        scene.attack(name, bytes, Then::Answered(&[200])).await;
    }
}

#[tokio::test]
async fn a_body_that_ends_too_early_comes_to_nothing() {
    let mut scene = Scene::set().await;
    let theft = scene.theft();
    let cases = [
        (
            "a length too long",
            scene.ask("POST", "own", "content-length: 100000\r\n") + &theft,
        ),
        (
            "a length by one too long",
            scene.ask(
                "POST",
                "own",
                &format!("content-length: {}\r\n", theft.len() + 1),
            ) + &theft,
        ),
        (
            "a chunk too long",
            scene.ask("POST", "own", TE) + "fffff\r\n" + &theft,
        ),
        (
            "no last chunk",
            scene.ask("GET", "own", TE) + &format!("{:x}\r\n{theft}\r\n", theft.len()),
        ),
        (
            "no end of the last chunk",
            scene.ask("DELETE", "own", TE) + &format!("{:x}\r\n{theft}\r\n0\r\n", theft.len()),
        ),
        ("half a chunk size", scene.ask("DELETE", "own", TE) + "1"),
        (
            "half a head",
            scene.ask("GET", "own", "").trim_end().to_owned(),
        ),
    ];
    for (name, bytes) in cases {
        scene.attack(name, bytes, Then::CutShort).await;
    }
    let whole = scene.upstream.requests();
    let whole: Vec<_> = whole
        .iter()
        .filter(|request| request.path().ends_with("/own") && request.complete)
        .collect();
    assert!(
        whole.is_empty(),
        "half a request became a whole one: {whole:?}"
    );
}

#[tokio::test]
async fn what_follows_a_body_is_a_request_of_its_own() {
    let mut scene = Scene::set().await;
    let hidden = scene.hidden();
    let cases = [
        (
            "a length too short",
            scene.ask("POST", "own", "content-length: 0\r\n") + &hidden,
        ),
        (
            "behind the last chunk",
            scene.ask("GET", "own", TE) + "0\r\n\r\n" + &hidden,
        ),
        ("no length at all", scene.ask("POST", "own", "") + &hidden),
    ];
    for (name, bytes) in cases {
        // The second is checked with what it carries itself, and A may not.
        scene.attack(name, bytes, Then::Answered(&[200, 403])).await;
    }
    let spare = scene.ask("POST", "own", "content-length: 3\r\n") + "xyz" + &scene.theft();
    // A request that names no password.
    scene
        .attack(
            "a request as the upstream reads it",
            spare,
            Then::Answered(&[200, 401]),
        )
        .await;
}
