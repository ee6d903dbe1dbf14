//! Paths that mean one thing to a permissions file and another to an upstream: A reaches nothing of B's.

use crate::scene::{Scene, Then};

/// Asks for paths below A's own, with `B` for B's id; each is to be answered like this.
async fn try_all(cases: &[&str], then: Then) {
    let mut scene = Scene::set().await;
    for case in cases {
        let bytes = scene.ask("GET", &case.replace('B', &scene.b.id), "");
        scene.attack(case, bytes, then).await;
    }
    let stolen = scene.upstream.requests();
    let mut stolen = stolen
        .iter()
        .filter(|request| request.path().contains("stolen"));
    if let Then::Answered([400 | 403]) = then {
        assert!(stolen.next().is_none(), "{stolen:?}");
    }
}

#[tokio::test]
async fn dots_are_resolved_before_anybody_decides() {
    try_all(
        &[
            "../B/stolen",
            "x/../../B/stolen",
            "./../B/stolen",
            "%2e%2e/B/stolen",
            "%2E%2e/B/stolen",
            ".%2e/B/stolen",
            "%2e./B/stolen",
            "..\\B\\stolen",
            "%2e%2e\\B/stolen",
            "x/..\\../B/stolen",
            "..//B/stolen",
            "/../../B/stolen",
            "x/%2e/%2e%2e/../B/stolen",
            "C:/../../B/stolen",
            "C|/../../B/stolen",
            "../../agents/B/stolen",
            "../../../../../../../minds-api-proxy/api/v1/agents/B/stolen",
            "../../../../../permissions/self",
        ],
        Then::Either,
    )
    .await;
}

#[tokio::test]
async fn what_leads_up_once_decoded_is_refused() {
    try_all(
        &[
            "..%2f../B/stolen",
            "..%2fB/stolen",
            "..%2FB/stolen",
            "..%5cB/stolen",
            "..%5CB%5Cstolen",
            "%2e%2e%2fB/stolen",
            "%2e%2e%5cB/stolen",
            "x%2f..%2f..%2fB/stolen",
            "x%5c..%5c..%5cB/stolen",
            "x%2f%2e%2e/B/stolen",
            "x/y%2f..",
            "..%2f",
            "%2f..",
            "%5c..",
            "%2f%2e%2e%2fB/stolen",
            "x%2f..%5c..%2fB/stolen?q",
        ],
        Then::Answered(&[400]),
    )
    .await;
}

#[tokio::test]
async fn what_no_honest_client_sends_is_refused() {
    try_all(
        &[
            // UTF-8 that is too long.
            "%c0%ae%c0%ae/B/stolen",
            "%c0%ae%c0%ae%c0%afB/stolen",
            "..%c0%afB/stolen",
            "..%e0%80%afB/stolen",
            "..%f0%80%80%afB/stolen",
            // Ends of strings and of lines.
            "..%00/B/stolen",
            "..%0d%0a/B/stolen",
            "x%0ay",
            // Bytes that are in no URL.
            "\u{e9}",
            "..\u{ff0f}B/stolen",
        ],
        Then::Answered(&[400]),
    )
    .await;
}

#[tokio::test]
async fn what_leads_up_only_to_the_lax_stays_as_it_is() {
    let cases = [
        // Encoded twice.
        "%252e%252e/B/stolen",
        "..%252fB/stolen",
        "%252e%252e%252fB/stolen",
        "..%255cB/stolen",
        // Parameters.
        "..;/B/stolen",
        "..;x=y/B/stolen",
        ";/../x",
        ".;./B/stolen",
        // Code units of other encodings.
        "%u002e%u002e/B/stolen",
        "..%u2215B/stolen",
        "%uff0e%uff0e/B/stolen",
        // Characters that only look like these.
        "%e2%80%a5/B/stolen",
        "..%e2%88%95B/stolen",
        "%ef%bc%8e%ef%bc%8e/B/stolen",
        // Names that begin or end like these.
        ".../B/stolen",
        "..x/B/stolen",
        "x../B/stolen",
        "..%20/B/stolen",
        "%2",
        "%",
        "%zz",
        "%2%65",
    ];
    try_all(&cases, Then::Either).await;
}

#[tokio::test]
async fn a_lookalike_of_the_proxy_is_not_the_proxy() {
    let mut scene = Scene::set().await;
    let theirs = scene.theirs("stolen");
    let rest = theirs.trim_start_matches("/minds-api-proxy");
    for target in [
        theirs.clone(),
        theirs.replace("/agents/", "//agents/"),
        theirs.replace("/agents/", "/%61gents/"),
        theirs.replace("/agents/", "/AGENTS/"),
        theirs.replace("/agents/", "/agents//"),
        theirs.replace("/api/", "/./api/"),
        theirs.replace("minds-api-proxy", "minds-api-prox%79"),
        theirs.replace("minds-api-proxy", "Minds-API-Proxy"),
        theirs.replace("/api", "%2fapi"),
        theirs.replace('/', "\\").replacen('\\', "/", 1),
        format!("/{theirs}"),
        format!("/x/..{theirs}"),
        format!("/minds-api-proxy/../minds-api-proxy{rest}"),
        format!("/minds-api-proxy;x{rest}"),
        format!("/minds-api-proxy?{rest}"),
        format!("/gateway/..{theirs}"),
        format!("/latchkey/..{theirs}"),
    ] {
        let mut wire = scene.wire().await;
        wire.send(scene.ask_for("GET", &target, "")).await;
        let answer = wire.answer().await;
        // 502: what is below /gateway/ is the latchkey tool's own.
        assert!(
            matches!(answer.status(), 400 | 403 | 404 | 502),
            "{target}: {answer:?}"
        );
        scene.holds(&target, wire.transcript()).await;
    }
}

#[tokio::test]
async fn the_path_that_is_checked_is_the_path_that_is_sent() {
    let mut scene = Scene::set().await;
    for (sent, arrives) in [
        ("x/../y", "y"),
        ("x/./y/", "x/y/"),
        ("x//y", "x//y"),
        ("x\\y", "x/y"),
        ("x%2fy", "x%2fy"),
        ("%7Ex?a=%20&b=c+d", "%7Ex?a=%20&b=c+d"),
        ("x;a=b/y", "x;a=b/y"),
        ("x?../../y", "x?../../y"),
        ("x?y?z", "x?y?z"),
        ("x?y=%2e%2e%2f", "x?y=%2e%2e%2f"),
        ("\"<>^`{|}'", "%22%3C%3E%5E%60%7B%7C%7D'"),
    ] {
        let mut wire = scene.wire().await;
        wire.send(scene.ask("GET", sent, "")).await;
        let answer = wire.answer().await;
        if answer.status() == 200 {
            let expected = format!("GET /api/v1/agents/{}/{arrives}", scene.a.id);
            assert_eq!(answer.text(), expected, "{sent}");
        } else {
            assert_eq!(answer.status(), 400, "{sent}: {answer:?}");
        }
        wire.finish_sending().await;
        scene.holds(sent, wire.transcript()).await;
    }
}
