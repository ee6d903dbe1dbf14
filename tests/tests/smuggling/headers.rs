//! Header and trailer fields that are the gateway's to decide about: whoever sends them gains nothing.

use end_to_end::KEY;

use crate::scene::{Scene, Then, chunked};

const TE: &str = "transfer-encoding: chunked\r\n";

/// Sends A's GET with these header lines, asserts the answer, and gives what the upstream received.
async fn received(scene: &mut Scene, name: &str, lines: &str) -> end_to_end::Message {
    let bytes = scene.ask("GET", "own", lines);
    scene.attack(name, bytes, Then::Answered(&[200])).await;
    let requests = scene.upstream.requests();
    let own = requests
        .iter()
        .rfind(|request| request.path().ends_with("/own"));
    own.unwrap().clone()
}

#[tokio::test]
async fn the_key_is_there_exactly_once_whatever_the_agent_sends() {
    let mut scene = Scene::set().await;
    for (name, lines) in [
        ("none", ""),
        ("one", "authorization: Bearer mine\r\n"),
        (
            "two",
            "authorization: Bearer mine\r\nAuthorization: Basic eDp5\r\n",
        ),
        ("an empty one", "authorization:\r\n"),
        ("capitals", "AUTHORIZATION: Bearer mine\r\n"),
        (
            "one that is named",
            "connection: authorization\r\nauthorization: Bearer mine\r\n",
        ),
        ("named alone", "connection: authorization\r\n"),
        (
            "named with others",
            "connection: close, Authorization , x\r\n",
        ),
        (
            "named by proxy-connection",
            "proxy-connection: authorization\r\n",
        ),
        ("for a proxy", "proxy-authorization: Basic eDp5\r\n"),
    ] {
        // `Scene::attack` asserts that there is the key and nothing else.
        let request = received(&mut scene, name, lines).await;
        assert!(
            !format!("{request:?}").contains("mine"),
            "{name}: {request:?}"
        );
    }
}

#[tokio::test]
async fn what_connection_names_cannot_take_away_what_matters() {
    let mut scene = Scene::set().await;
    let password = "x-latchkey-gateway-password";
    for (name, lines) in [
        ("host", "connection: host\r\n"),
        ("the password", &*format!("connection: {password}\r\n")),
        (
            "the override",
            "connection: x-latchkey-gateway-permissions-override\r\n",
        ),
        (
            "a field of its own",
            "connection: x-private\r\nx-private: 1\r\n",
        ),
        (
            "every field",
            "connection: host, authorization, content-length, transfer-encoding, accept\r\n",
        ),
        ("an empty name", "connection: , ,,\r\n"),
        (
            "no name at all",
            "connection: \"quoted\", (comment), a b\r\n",
        ),
        ("itself", "connection: connection\r\n"),
    ] {
        let request = received(&mut scene, name, lines).await;
        assert_eq!(request.header("x-private"), None, "{name}: {request:?}");
    }
    // Framing is not a field that can be taken away: were it, the body would be a request.
    for (name, lines, body) in [
        (
            "content-length",
            format!(
                "connection: content-length\r\ncontent-length: {}\r\n",
                scene.theft().len()
            ),
            scene.theft(),
        ),
        (
            "transfer-encoding",
            format!("connection: transfer-encoding\r\n{TE}"),
            chunked(&scene.theft()),
        ),
        (
            "both names",
            format!("connection: transfer-encoding, content-length\r\n{TE}"),
            chunked(&scene.theft()),
        ),
    ] {
        for method in ["POST", "GET"] {
            let bytes = scene.ask(method, "own", &lines) + &body;
            scene
                .attack(&format!("{method}: {name}"), bytes, Then::Answered(&[200]))
                .await;
        }
    }
}

#[tokio::test]
async fn the_gateways_own_fields_are_for_the_gateway_alone() {
    let mut scene = Scene::set().await;
    let b = scene.b.header_lines();
    let token = b
        .lines()
        .find(|line| line.contains("override"))
        .unwrap()
        .to_owned();
    let cases = [
        ("a second token", format!("{token}\r\n")),
        (
            "a second password",
            "x-latchkey-gateway-password: x\r\n".to_owned(),
        ),
    ];
    for (name, lines) in cases {
        let bytes = scene.ask("GET", "own", &lines);
        scene.attack(name, bytes, Then::Answered(&[401])).await;
    }
    for (name, lines) in [
        ("an account", "x-latchkey-gateway-account: me\r\n"),
        (
            "one that is not there yet",
            "x-latchkey-gateway-something: me\r\n",
        ),
    ] {
        let bytes = scene.ask("GET", "own", lines);
        scene.attack(name, bytes, Then::Either).await;
    }
}

#[tokio::test]
async fn an_announced_trailer_harms_nobody() {
    let mut scene = Scene::set().await;
    for method in ["GET", "POST", "DELETE", "OPTIONS", "HEAD"] {
        for (name, lines, body) in [
            (
                "announced, and none comes",
                format!("trailer: x-t\r\n{TE}"),
                chunked("x"),
            ),
            (
                "announced, without a body",
                "trailer: x-t\r\n".to_owned(),
                String::new(),
            ),
            (
                "announced, with a length",
                "trailer: x-t\r\ncontent-length: 1\r\n".to_owned(),
                "x".to_owned(),
            ),
            (
                "announced twice",
                format!("trailer: x-t\r\ntrailer: x-t\r\n{TE}"),
                chunked("x"),
            ),
            (
                "announced, and wanted",
                format!("te: trailers\r\ntrailer: x-t\r\n{TE}"),
                "1\r\nx\r\n0\r\nx-t: 1\r\n\r\n".to_owned(),
            ),
            (
                "announced by no name",
                format!("trailer: a b, ,\r\n{TE}"),
                chunked("x"),
            ),
        ] {
            let bytes = scene.ask(method, "own", &lines) + &body;
            scene
                .attack(&format!("{method}: {name}"), bytes, Then::Answered(&[200]))
                .await;
        }
    }
}

#[tokio::test]
async fn a_trailer_is_no_header() {
    let mut scene = Scene::set().await;
    let b = scene.b.header_lines();
    for (name, announced, trailers) in [
        (
            "authorization",
            "authorization",
            "authorization: Bearer mine\r\n".to_owned(),
        ),
        (
            "content-length",
            "content-length",
            "content-length: 100\r\n".to_owned(),
        ),
        ("transfer-encoding", "transfer-encoding", TE.to_owned()),
        (
            "host",
            "host",
            format!("host: {}\r\n", scene.elsewhere.authority()),
        ),
        ("connection", "connection", "connection: x-t\r\n".to_owned()),
        (
            "the gateway's own",
            "x-latchkey-gateway-permissions-override",
            b,
        ),
        ("who sent it", "x-sender", "x-sender: b\r\n".to_owned()),
        (
            "the key",
            "x-key",
            format!("x-latchkey-gateway-key: {KEY}\r\n"),
        ),
    ] {
        for announcement in [format!("trailer: {announced}\r\n"), String::new()] {
            let bytes = scene.ask("POST", "own", &format!("{announcement}{TE}"))
                + &format!("1\r\nx\r\n0\r\n{trailers}\r\n");
            scene
                .attack(&format!("{name} ({announcement:?})"), bytes, Then::Either)
                .await;
        }
    }
}

#[tokio::test]
async fn malformed_trailers_are_no_requests() {
    let mut scene = Scene::set().await;
    let theft = scene.theft();
    for (name, trailers) in [
        ("a request line", format!("{theft}\r\n")),
        ("a space before the colon", "x-t : 1\r\n\r\n".to_owned()),
        ("a folded value", "x-t: 1\r\n 2\r\n\r\n".to_owned()),
        ("a bare line feed", format!("x-t: 1\n\n{theft}")),
        ("a bare carriage return", format!("x-t: 1\r\r{theft}")),
        ("a null", "x-t: \0\r\n\r\n".to_owned()),
        ("no name", ": 1\r\n\r\n".to_owned()),
        ("very long", format!("x-t: {}\r\n\r\n", "a".repeat(200_000))),
        ("very many", "x-t: 1\r\n".repeat(5_000) + "\r\n"),
    ] {
        let mut wire = scene.wire().await;
        let head = scene.ask("POST", "own", &format!("trailer: x-t\r\n{TE}"));
        wire.send(format!("{head}1\r\nx\r\n0\r\n{trailers}")).await;
        wire.finish_sending().await;
        let answers = wire.rest().await;
        assert!(answers.len() < 2, "{name}: {answers:?}");
        scene.holds(name, wire.transcript()).await;
    }
}

#[tokio::test]
async fn what_is_no_field_is_refused() {
    let mut scene = Scene::set().await;
    for (name, lines) in [
        ("a null", "x-a: b\0c\r\n"),
        ("a bare carriage return", "x-a: b\rc\r\n"),
        ("a bare line feed", "x-a: b\nx-c: d\r\n"),
        ("a control character", "x-a: b\x01c\r\n"),
        ("a folded value", "x-a: b\r\n\tc\r\n"),
        ("a name in brackets", "x(a): b\r\n"),
        ("a name that is not ASCII", "x-ä: b\r\n"),
        ("a second request line", "GET /x HTTP/1.1\r\n"),
    ] {
        let bytes = scene.ask("GET", "own", lines);
        scene.attack(name, bytes, Then::Refused).await;
    }
}

#[tokio::test]
async fn an_encoded_line_end_stays_encoded() {
    let mut scene = Scene::set().await;
    let host = format!("%0d%0aHost:%20{}%0d%0a%0d%0a", scene.elsewhere.authority());
    for (name, rest) in [
        ("in the path", format!("x%20HTTP/1.1{host}")),
        ("in the query", format!("x?y%20HTTP/1.1{host}")),
        ("a line feed", "x%0aAuthorization:%20mine".to_owned()),
        ("a carriage return", "x%0dy".to_owned()),
        ("a null", "x%00y?%00".to_owned()),
        ("in a query's value", "x?a=%0d%0a%0d%0aGET%20/".to_owned()),
        ("in a value", "own".to_owned()),
    ] {
        let bytes = scene.ask("GET", &rest, "x-note: %0d%0aAuthorization: mine\r\n");
        scene.attack(name, bytes, Then::Either).await;
    }
}
