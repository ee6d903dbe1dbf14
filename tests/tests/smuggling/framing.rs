//! Framing that two recipients could read differently is refused, whole.

use crate::scene::{Scene, Then, chunked};

/// Every framing is tried with a body that is a theft either way: as chunks, and behind the end of chunks.
async fn try_all(cases: &[(&str, &str, Then)]) {
    let mut scene = Scene::set().await;
    for (name, lines, then) in cases {
        for method in ["POST", "GET"] {
            let body = chunked(&scene.theft());
            let bytes = scene.ask(method, "own", lines) + &body;
            scene
                .attack(&format!("{method}: {name}"), bytes, *then)
                .await;
        }
        if let Then::Refused = then {
            let bytes = scene.ask("POST", "own", lines) + "0\r\n\r\n" + &scene.theft();
            scene
                .attack(&format!("behind the end: {name}"), bytes, *then)
                .await;
        }
    }
}

#[tokio::test]
async fn a_length_beside_a_coding() {
    try_all(&[
        (
            "CL.TE",
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            Then::Refused,
        ),
        (
            "TE.CL",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
            Then::Refused,
        ),
        (
            "CL.TE with no length",
            "content-length: 0\r\ntransfer-encoding: chunked\r\n",
            Then::Refused,
        ),
        (
            "TE.CL far apart",
            "Transfer-Encoding: chunked\r\nx-a: b\r\nContent-Length: 4\r\n",
            Then::Refused,
        ),
        (
            "a length beside a strange coding",
            "content-length: 5\r\ntransfer-encoding: xchunked\r\n",
            Then::Refused,
        ),
        (
            "a length beside an empty coding",
            "content-length: 5\r\ntransfer-encoding:\r\n",
            Then::Refused,
        ),
        (
            "a length and a named coding",
            "connection: transfer-encoding\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n",
            Then::Refused,
        ),
    ])
    .await;
}

#[tokio::test]
async fn codings_that_are_not_simply_chunked() {
    try_all(&[
        (
            "twice in one field",
            "transfer-encoding: chunked, chunked\r\n",
            Then::Refused,
        ),
        (
            "twice in two fields",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            Then::Refused,
        ),
        ("identity", "transfer-encoding: identity\r\n", Then::Refused),
        (
            "chunked, identity",
            "transfer-encoding: chunked, identity\r\n",
            Then::Refused,
        ),
        (
            "identity, chunked",
            "transfer-encoding: identity, chunked\r\n",
            Then::Refused,
        ),
        (
            "identity in a field of its own",
            "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n",
            Then::Refused,
        ),
        (
            "gzip, chunked",
            "transfer-encoding: gzip, chunked\r\n",
            Then::Refused,
        ),
        ("xchunked", "transfer-encoding: xchunked\r\n", Then::Refused),
        ("chunkedx", "transfer-encoding: chunkedx\r\n", Then::Refused),
        (
            "chunked with a parameter",
            "transfer-encoding: chunked;q=1\r\n",
            Then::Refused,
        ),
        (
            "quoted",
            "transfer-encoding: \"chunked\"\r\n",
            Then::Refused,
        ),
        ("empty", "transfer-encoding:\r\n", Then::Refused),
        (
            "a comma behind",
            "transfer-encoding: chunked,\r\n",
            Then::Refused,
        ),
        (
            "a comma before",
            "transfer-encoding: ,chunked\r\n",
            Then::Refused,
        ),
        (
            "a vertical tab before",
            "transfer-encoding: \x0bchunked\r\n",
            Then::Refused,
        ),
        (
            "a vertical tab behind",
            "transfer-encoding: chunked\x0b\r\n",
            Then::Refused,
        ),
        (
            "a null behind",
            "transfer-encoding: chunked\0\r\n",
            Then::Refused,
        ),
        (
            "a carriage return behind",
            "transfer-encoding: chunked\r\r\n",
            Then::Refused,
        ),
    ])
    .await;
}

#[tokio::test]
async fn fields_that_hide_their_names() {
    try_all(&[
        (
            "a space before the colon",
            "transfer-encoding : chunked\r\n",
            Then::Refused,
        ),
        (
            "a tab before the colon",
            "transfer-encoding\t: chunked\r\n",
            Then::Refused,
        ),
        (
            "a space before the colon of a length",
            "content-length : 5\r\n",
            Then::Refused,
        ),
        (
            "a space before the name",
            "x-a: b\r\n transfer-encoding: chunked\r\n",
            Then::Refused,
        ),
        (
            "a tab before the name",
            "x-a: b\r\n\ttransfer-encoding: chunked\r\n",
            Then::Refused,
        ),
        (
            "a folded value",
            "transfer-encoding:\r\n chunked\r\n",
            Then::Refused,
        ),
        (
            "a folded length",
            "content-length:\r\n 5\r\n",
            Then::Refused,
        ),
        (
            "a null in the name",
            "transfer\0-encoding: chunked\r\n",
            Then::Refused,
        ),
        ("no colon", "transfer-encoding chunked\r\n", Then::Refused),
        ("no name", ": chunked\r\n", Then::Refused),
        (
            "a bare line feed before",
            "x-a: b\ntransfer-encoding: chunked\r\n",
            Then::Refused,
        ),
        (
            "a bare line feed behind",
            "transfer-encoding: chunked\n",
            Then::Refused,
        ),
        (
            "a bare carriage return before",
            "x-a: b\rtransfer-encoding: chunked\r\n",
            Then::Refused,
        ),
    ])
    .await;
}

#[tokio::test]
async fn lengths_that_are_not_simply_one_number() {
    try_all(&[
        (
            "the same twice",
            "content-length: 5\r\ncontent-length: 5\r\n",
            Then::Refused,
        ),
        (
            "two",
            "content-length: 5\r\ncontent-length: 6\r\n",
            Then::Refused,
        ),
        (
            "none and one",
            "content-length: 0\r\ncontent-length: 5\r\n",
            Then::Refused,
        ),
        (
            "a list of the same",
            "content-length: 5, 5\r\n",
            Then::Refused,
        ),
        ("a list", "content-length: 5, 6\r\n", Then::Refused),
        ("a sign", "content-length: +5\r\n", Then::Refused),
        ("a minus", "content-length: -1\r\n", Then::Refused),
        ("hexadecimal", "content-length: 0x5\r\n", Then::Refused),
        ("a fraction", "content-length: 5.0\r\n", Then::Refused),
        ("an exponent", "content-length: 1e1\r\n", Then::Refused),
        ("an underscore", "content-length: 1_0\r\n", Then::Refused),
        ("a space within", "content-length: 1 0\r\n", Then::Refused),
        ("empty", "content-length:\r\n", Then::Refused),
        ("words", "content-length: five\r\n", Then::Refused),
        (
            "beyond 64 bits",
            "content-length: 18446744073709551621\r\n",
            Then::Refused,
        ),
        (
            "very long",
            "content-length: 55555555555555555555555555555555555555555555555555\r\n",
            Then::Refused,
        ),
        (
            "digits that are not ASCII",
            "content-length: ５\r\n",
            Then::Refused,
        ),
    ])
    .await;
}

#[tokio::test]
async fn names_that_some_servers_take_for_the_real_ones() {
    try_all(&[
        ("a length", "content_length: 5\r\n", Then::Refused),
        ("a coding", "transfer_encoding: chunked\r\n", Then::Refused),
        (
            "a length beside chunks",
            "transfer-encoding: chunked\r\nContent_Length: 5\r\n",
            Then::Refused,
        ),
    ])
    .await;
}

#[tokio::test]
async fn spellings_of_chunked_that_mean_it() {
    try_all(&[
        (
            "capitals",
            "Transfer-Encoding: CHUNKED\r\n",
            Then::Answered(&[200]),
        ),
        (
            "mixed",
            "tRaNsFeR-eNcOdInG: cHuNkEd\r\n",
            Then::Answered(&[200]),
        ),
        (
            "no space",
            "transfer-encoding:chunked\r\n",
            Then::Answered(&[200]),
        ),
        (
            "a tab",
            "transfer-encoding:\tchunked\r\n",
            Then::Answered(&[200]),
        ),
        (
            "space behind",
            "transfer-encoding: chunked \t \r\n",
            Then::Answered(&[200]),
        ),
    ])
    .await;
}
