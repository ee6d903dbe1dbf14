//! Components whose answers would mislead whoever reads them.
//!
//! | component | answers | the client gets |
//! |---|---|---|
//! | `smuggles-headers` | fields with line ends, two lengths, a coding of its own, hop-by-hop fields | one whole answer with the gateway's own framing, or 500 |
//! | `lies-about-length` | another length than it announced | an answer that breaks off, or 500: never a wrong one |
//! | `sends-huge-headers` | megabytes of fields | 500 |
//! | `invents-statuses` | statuses that are none, or end no request | 500 |

use crate::stage::Siege;

/// Everything that the gateway sends for one request, on a connection that it closes.
async fn bytes(siege: &Siege, target: &str) -> String {
    let mut raw = siege.gateway.raw().await;
    raw.send(format!(
        "GET {target} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n{}\r\n",
        siege.admin.header_lines()
    ))
    .await;
    String::from_utf8_lossy(&raw.until_closed().await).into_owned()
}

/// Head and content of the one answer, as a strict reader takes it.
#[track_caller]
fn only_answer(bytes: &str) -> (u16, Vec<(String, String)>, String) {
    let (head, content) = bytes.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let fields: Vec<_> = lines
        .map(|line| {
            assert!(!line.contains(['\r', '\n', '\0']), "{bytes:?}");
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{bytes:?}"));
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    let of = |name: &str| -> Vec<&str> {
        let mut values = Vec::new();
        for (field, value) in &fields {
            if field == name {
                values.push(&**value);
            }
        }
        values
    };
    let content = match (&*of("content-length"), &*of("transfer-encoding")) {
        ([length], []) => {
            let length: usize = length.parse().expect("a length is a number");
            assert_eq!(content.len(), length, "{bytes:?}");
            content.to_owned()
        }
        ([], ["chunked"]) => unchunked(content),
        framing => panic!("the framing is {framing:?}: {bytes:?}"),
    };
    (status, fields, content)
}

#[track_caller]
fn unchunked(mut rest: &str) -> String {
    let mut content = String::new();
    loop {
        let (size, tail) = rest.split_once("\r\n").expect("a chunk has a size");
        let size = usize::from_str_radix(size, 16).expect("a size is a number");
        let (chunk, tail) = tail.split_at(size);
        content += chunk;
        rest = tail.strip_prefix("\r\n").expect("a chunk has an end");
        if size == 0 {
            assert_eq!(rest, "", "more came after the answer");
            return content;
        }
    }
}

#[tokio::test]
async fn no_header_becomes_a_line_or_an_answer_of_its_own() {
    let mut siege = Siege::by(
        "smuggles-headers",
        r#"routes = ["GET /smuggles-headers/{way}"]"#,
    )
    .await;
    for way in [
        "line-in-value",
        "answer-in-value",
        "line-feed-in-value",
        "nul-in-value",
        "line-in-name",
        "space-in-name",
        "empty-name",
    ] {
        for streamed in ["", "?streamed"] {
            let answer = bytes(&siege, &format!("/smuggles-headers/{way}{streamed}")).await;
            let (status, fields, _) = only_answer(&answer);
            assert_eq!(status, 500, "{way}{streamed}: {answer:?}");
            assert!(
                fields.iter().all(|(name, _)| name != "set-cookie"),
                "{answer:?}"
            );
        }
    }
    siege.named(&["ERROR", "failed to answer"]).await;
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn the_framing_of_an_answer_is_the_gateways_own() {
    let mut siege = Siege::by(
        "smuggles-headers",
        r#"routes = ["GET /smuggles-headers/{way}"]"#,
    )
    .await;
    for way in [
        "two-lengths",
        "short-length",
        "long-length",
        "length-in-words",
        "length-and-coding",
        "coding",
    ] {
        for streamed in ["", "?streamed"] {
            let target = format!("/smuggles-headers/{way}{streamed}");
            let answer = bytes(&siege, &target).await;
            if answer.is_empty() && !streamed.is_empty() {
                // It broke off before anything of it was sent.
                continue;
            }
            if streamed.is_empty() || !answer.starts_with("HTTP/1.1 200") {
                // By value the gateway knows the length; what it does not send at all is a 500.
                let (status, _, content) = only_answer(&answer);
                let is_whole = status == 200 && content == "body\n";
                assert!(is_whole || status == 500, "{target}: {answer:?}");
            } else {
                // A stream that is not as long as announced has to break off; it may not end well.
                assert_streamed_soundly(&target, &answer);
            }
        }
    }
    siege.assert_others_unharmed().await;
}

/// Either sound, or visibly cut off.
#[track_caller]
fn assert_streamed_soundly(target: &str, answer: &str) {
    let (head, content) = answer.split_once("\r\n\r\n").expect("a head");
    let head = head.to_ascii_lowercase();
    let lengths: Vec<_> = head
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("content-length:"))
        .collect();
    let is_chunked = head.contains("transfer-encoding: chunked");
    match (&*lengths, is_chunked) {
        ([length], false) => {
            let length: usize = length.trim().parse().expect("a length is a number");
            assert!(content.len() <= length, "{target}: {answer:?}");
        }
        ([], true) => assert!(unchunked(content) == "body\n", "{target}: {answer:?}"),
        framing => panic!("{target}: the framing is {framing:?}: {answer:?}"),
    }
}

#[tokio::test]
async fn fields_of_a_connection_stay_the_gateways() {
    let mut siege = Siege::by(
        "smuggles-headers",
        r#"routes = ["GET /smuggles-headers/{way}"]"#,
    )
    .await;
    for streamed in ["", "?streamed"] {
        let mut raw = siege.gateway.raw().await;
        raw.send(format!(
            "GET /smuggles-headers/hops{streamed} HTTP/1.1\r\nHost: gateway\r\n{}\r\n",
            siege.admin.header_lines()
        ))
        .await;
        let answer = raw.answer().await;
        let forbidden: Vec<_> = [
            "keep-alive",
            "proxy-authenticate",
            "proxy-connection",
            "upgrade",
            "te",
            "trailer",
        ]
        .into_iter()
        .filter(|name| answer.header(name).is_some())
        .collect();
        if answer.status() == 200 {
            assert!(forbidden.is_empty(), "{forbidden:?}: {answer:?}");
            assert_eq!(answer.header("connection"), None, "{answer:?}");
            // And the connection goes on.
            raw.send(format!(
                "GET /echo/count HTTP/1.1\r\nHost: gateway\r\n{}\r\n",
                siege.admin.header_lines()
            ))
            .await;
            raw.answer().await.expect(200);
        } else {
            answer.expect(500);
        }
    }
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_no_whole_answer() {
    let mut siege = Siege::by(
        "lies-about-length",
        r#"routes = ["GET /lies-about-length/{way}"]"#,
    )
    .await;
    let honest = bytes(&siege, "/lies-about-length/true").await;
    assert_eq!(only_answer(&honest).2, "x".repeat(10));
    for way in ["too-short", "empty", "too-long"] {
        let answer = bytes(&siege, &format!("/lies-about-length/{way}")).await;
        // Nothing at all is as clear as a failure.
        if answer.is_empty() || answer.starts_with("HTTP/1.1 500") {
            continue;
        }
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        assert!(head.contains("content-length: 10"), "{way}: {answer:?}");
        // Shorter than announced: the client sees that it broke off. Longer: nothing runs over into the next answer.
        assert!(content.len() <= 10, "{way}: {answer:?}");
    }
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn more_header_fields_than_anybody_reads_are_a_failure() {
    let mut siege = Siege::by(
        "sends-huge-headers",
        r#"routes = ["GET /sends-huge-headers/{way}"]"#,
    )
    .await;
    for way in ["one", "many"] {
        siege
            .get(&format!("/sends-huge-headers/{way}"))
            .await
            .expect(500);
    }
    siege.named(&["ERROR"]).await;
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn a_status_that_is_none_is_a_failure() {
    let mut siege = Siege::by(
        "invents-statuses",
        r#"routes = ["GET /invents-statuses/{status}"]"#,
    )
    .await;
    for status in [0, 1, 99, 100, 101, 103, 199, 600, 999, 1000, 65535] {
        for streamed in ["", "?streamed"] {
            let target = format!("/invents-statuses/{status}{streamed}");
            let answer = bytes(&siege, &target).await;
            assert!(answer.starts_with("HTTP/1.1 500"), "{target}: {answer:?}");
        }
    }
    // No content belongs to these, whatever the component says.
    for status in [204, 304] {
        let answer = bytes(&siege, &format!("/invents-statuses/{status}")).await;
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")) && content.is_empty(),
            "{answer:?}"
        );
    }
    siege.named(&["ERROR", "failed to answer"]).await;
    siege.assert_others_unharmed().await;
}
