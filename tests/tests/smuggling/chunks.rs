//! Chunks that two recipients could read differently are an error; what stands beside their sizes goes no further.

use crate::scene::{Scene, Then};

#[tokio::test]
async fn chunks_that_are_not_what_they_say() {
    let mut scene = Scene::set().await;
    let theft = scene.theft();
    let head = scene.ask("POST", "own", "transfer-encoding: chunked\r\n");
    let size = theft.len();
    for (name, body) in [
        (
            "a size with a sign",
            format!("+{size:x}\r\n{theft}\r\n0\r\n\r\n"),
        ),
        (
            "a size with 0x",
            format!("0x{size:x}\r\n{theft}\r\n0\r\n\r\n"),
        ),
        ("no size", format!("\r\n{theft}\r\n0\r\n\r\n")),
        (
            "a size that is negative",
            format!("-1\r\n{theft}\r\n0\r\n\r\n"),
        ),
        (
            "a size with a space before",
            format!(" {size:x}\r\n{theft}\r\n0\r\n\r\n"),
        ),
        (
            "a size beyond 64 bits",
            format!("1000000000000000{size:x}\r\n{theft}\r\n0\r\n\r\n"),
        ),
        (
            "a bare line feed behind the size",
            format!("{size:x}\n{theft}\r\n0\r\n\r\n"),
        ),
        (
            "a bare line feed behind the content",
            format!("{size:x}\r\n{theft}\n0\r\n\r\n"),
        ),
        (
            "a bare carriage return behind the size",
            format!("{size:x}\r{theft}\r\n0\r\n\r\n"),
        ),
        (
            "a bare line feed behind the last size",
            format!("{size:x}\r\n{theft}\r\n0\n\r\n{theft}"),
        ),
        (
            "more content than the size",
            format!("1\r\n{theft}\r\n0\r\n\r\n"),
        ),
        (
            "no end behind the content",
            format!("{size:x}\r\n{theft}0\r\n\r\n"),
        ),
        (
            "a bare line feed in an extension",
            format!("{size:x};a\n{theft}\r\n0\r\n\r\n"),
        ),
        (
            "a bare carriage return in an extension",
            format!("{size:x};a\rb\r\n{theft}\r\n0\r\n\r\n"),
        ),
        (
            "a null in an extension",
            format!("{size:x};\0\r\n{theft}\r\n0\r\n\r\n"),
        ),
    ] {
        let mut wire = scene.wire().await;
        wire.send(head.clone() + &body + &scene.hidden()).await;
        wire.finish_sending().await;
        let answers = wire.rest().await;
        assert!(
            answers.iter().all(|answer| answer.status() >= 400) && answers.len() < 2,
            "{name}: {answers:?}"
        );
        scene.holds(name, wire.transcript()).await;
    }
    let whole = scene.upstream.requests();
    let mut whole = whole
        .iter()
        .filter(|request| request.path().ends_with("/own"));
    assert!(whole.all(|request| !request.complete), "{whole:?}");
}

#[tokio::test]
async fn chunk_extensions_go_no_further() {
    let mut scene = Scene::set().await;
    let theft = scene.theft();
    let head = scene.ask("POST", "own", "transfer-encoding: chunked\r\n");
    let size = theft.len();
    for (name, body) in [
        ("a name", format!("{size:x};a\r\n{theft}\r\n0\r\n\r\n")),
        (
            "a value",
            format!("{size:x};a=b\r\n{theft}\r\n0;c=d\r\n\r\n"),
        ),
        (
            "a quoted value",
            format!("{size:x};a=\"0;\"\r\n{theft}\r\n0\r\n\r\n"),
        ),
        (
            "a line in a quoted value",
            format!("{size:x};a=\"\r\n{theft}\r\n0\r\n\r\n"),
        ),
        (
            "spaces",
            format!("{size:x} ; a = b\r\n{theft}\r\n0\r\n\r\n"),
        ),
        (
            "very long",
            format!("{size:x};{}\r\n{theft}\r\n0\r\n\r\n", "a".repeat(100_000)),
        ),
    ] {
        // The upstream's reader takes no extensions at all.
        scene.attack(name, head.clone() + &body, Then::Either).await;
    }
}
