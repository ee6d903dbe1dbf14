//! The key goes to the upstream's origin alone: whatever an agent or the upstream names, nobody else is called.

use end_to_end::Script;

use crate::scene::{Scene, Then};

#[tokio::test]
async fn a_forged_host_leads_nowhere_else() {
    let mut scene = Scene::set().await;
    let elsewhere = scene.elsewhere.authority();
    let credentials = scene.credentials();
    let mine = scene.mine("own");
    for (name, lines, then) in [
        (
            "another host",
            format!("host: {elsewhere}\r\n"),
            Then::Answered(&[200]),
        ),
        (
            "two hosts",
            format!("host: gateway\r\nhost: {elsewhere}\r\n"),
            Then::Denied,
        ),
        (
            "the same twice",
            "host: gateway\r\nhost: gateway\r\n".to_owned(),
            Then::Denied,
        ),
        (
            "a list",
            format!("host: gateway, {elsewhere}\r\n"),
            Then::Denied,
        ),
        ("none", String::new(), Then::Denied),
        (
            "with a path",
            format!("host: {elsewhere}/x\r\n"),
            Then::Denied,
        ),
        (
            "with a user",
            format!("host: user@{elsewhere}\r\n"),
            Then::Denied,
        ),
        (
            "x-forwarded-host",
            format!("host: gateway\r\nx-forwarded-host: {elsewhere}\r\n"),
            Then::Answered(&[200]),
        ),
        (
            "forwarded",
            format!("host: gateway\r\nforwarded: host={elsewhere}\r\n"),
            Then::Answered(&[200]),
        ),
        (
            "x-original-url",
            format!("host: gateway\r\nx-original-url: http://{elsewhere}/\r\n"),
            Then::Answered(&[200]),
        ),
    ] {
        let bytes = format!("GET {mine} HTTP/1.1\r\n{lines}{credentials}\r\n");
        scene.attack(name, bytes, then).await;
    }
}

#[tokio::test]
async fn a_target_of_another_form_is_refused() {
    let mut scene = Scene::set().await;
    let elsewhere = scene.elsewhere.authority();
    let (mine, theirs) = (scene.mine("own"), scene.theirs("stolen"));
    let gateway = scene.gateway.address();
    for (name, method, target) in [
        (
            "absolute, elsewhere",
            "GET",
            format!("http://{elsewhere}{mine}"),
        ),
        (
            "absolute, the gateway",
            "GET",
            format!("http://{gateway}{mine}"),
        ),
        (
            "absolute, B's path",
            "GET",
            format!("http://{gateway}{theirs}"),
        ),
        (
            "absolute, with a user",
            "GET",
            format!("http://x@{elsewhere}{mine}"),
        ),
        (
            "absolute, https",
            "GET",
            format!("https://{elsewhere}{mine}"),
        ),
        (
            "absolute, no scheme that is known",
            "GET",
            format!("file://{mine}"),
        ),
        ("an authority", "GET", elsewhere.clone()),
        ("CONNECT", "CONNECT", elsewhere.clone()),
        ("an asterisk", "OPTIONS", "*".to_owned()),
        ("no slash", "GET", mine.trim_start_matches('/').to_owned()),
        ("a question mark", "GET", "?x".to_owned()),
        ("a fragment", "GET", format!("{mine}#x")),
        ("a space", "GET", format!("{mine} x")),
        ("a backslash first", "GET", format!("\\{mine}")),
        ("a control character", "GET", format!("{mine}\x01")),
        ("a tab", "GET", format!("{mine}\tx")),
        ("TRACE", "TRACE", mine.clone()),
    ] {
        let bytes = scene.ask_for(method, &target, "");
        scene.attack(name, bytes, Then::Denied).await;
    }
}

#[tokio::test]
async fn a_path_that_looks_like_an_origin_is_a_path() {
    let mut scene = Scene::set().await;
    let elsewhere = scene.elsewhere.authority();
    for (name, target) in [
        ("two slashes", format!("//{elsewhere}/minds-api-proxy/x")),
        (
            "two slashes below",
            format!("/minds-api-proxy//{elsewhere}/x"),
        ),
        (
            "a URL below",
            format!("/minds-api-proxy/http://{elsewhere}/x"),
        ),
        ("an at sign", format!("/minds-api-proxy@{elsewhere}/x")),
        ("a user below", format!("/minds-api-proxy/@{elsewhere}/x")),
        ("a colon", format!("/minds-api-proxy:80@{elsewhere}/x")),
        ("a backslash", format!("/minds-api-proxy\\\\{elsewhere}/x")),
    ] {
        // Nothing of the kind is A's.
        let bytes = scene.ask_for("GET", &target, "");
        scene.attack(name, bytes, Then::Denied).await;
    }
    for (name, rest) in [
        ("two slashes in its own", format!("/{elsewhere}/x")),
        ("a URL in its own", format!("http://{elsewhere}/x")),
        ("a query", format!("x?http://{elsewhere}/@{elsewhere}")),
    ] {
        let bytes = scene.ask("GET", &rest, "");
        scene.attack(name, bytes, Then::Answered(&[200])).await;
    }
}

#[tokio::test]
async fn redirects_are_relayed_and_not_followed() {
    let mut scene = Scene::set().await;
    let elsewhere = scene.elsewhere.url();
    let theirs = format!("/api/v1/agents/{}/stolen", scene.b.id);
    for status in [300_u16, 301, 302, 303, 307, 308] {
        for location in [
            format!("{elsewhere}/x"),
            elsewhere.replace("http:", ""),
            theirs.clone(),
        ] {
            let name = format!("{status} to {location}");
            let script = Script::with_headers(status, &format!("location: {location}\r\n"), "");
            scene.answer("redirected", script);
            let mut wire = scene.wire().await;
            wire.send(scene.ask("GET", "redirected", "")).await;
            let answer = wire.answer().await;
            assert_eq!(answer.status(), status, "{name}: {answer:?}");
            assert_eq!(answer.header("location"), Some(&*location), "{name}");
            scene.holds(&name, wire.transcript()).await;
        }
    }
}

#[tokio::test]
async fn an_upstream_names_no_other_place() {
    let mut scene = Scene::set().await;
    let elsewhere = scene.elsewhere.url();
    for (name, lines) in [
        (
            "alt-svc",
            format!("alt-svc: h2=\"{}\"\r\n", scene.elsewhere.authority()),
        ),
        ("refresh", format!("refresh: 0;url={elsewhere}\r\n")),
        ("link", format!("link: <{elsewhere}>; rel=preload\r\n")),
        (
            "content-location",
            format!("content-location: {elsewhere}/x\r\n"),
        ),
    ] {
        scene.answer("own", Script::with_headers(200, &lines, "x"));
        let bytes = scene.ask("GET", "own", "");
        scene.attack(name, bytes, Then::Answered(&[200])).await;
    }
    scene.answer(
        "own",
        Script::raw(format!(
            "HTTP/1.1 305 Use Proxy\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n"
        )),
    );
    let bytes = scene.ask("GET", "own", "");
    scene.attack("305", bytes, Then::Answered(&[305])).await;
}
