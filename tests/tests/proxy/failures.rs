//! What goes wrong at the upstream: an error that says so before an answer has begun, a broken answer afterwards, never a clean end.

use end_to_end::{
    Gateway, Home, Script, UPSTREAM_KEY, UPSTREAM_URL, Upstream, Wire, within_patience,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{assert_error, head, pair};

const UPSTREAM_ERROR: &str = "Minds API proxy upstream error: ";

#[tokio::test]
async fn an_upstream_that_is_not_there_is_a_bad_gateway() {
    let gateway = Gateway::in_home(Home::new())
        .environment(UPSTREAM_URL, Upstream::nowhere().await)
        .environment(UPSTREAM_KEY, end_to_end::KEY)
        .start()
        .await;
    for method in ["GET", "POST", "PROPFIND"] {
        let answer = gateway
            .admin()
            .request(method, "/minds-api-proxy/x")
            .body("body")
            .send()
            .await;
        assert_error(&answer, 502, UPSTREAM_ERROR, "refuse");
    }
}

#[tokio::test]
async fn an_upstream_s_name_that_does_not_exist_is_a_bad_gateway() {
    let gateway = Gateway::in_home(Home::new())
        .environment(UPSTREAM_URL, "http://nobody.invalid:81")
        .start()
        .await;
    let answer = gateway.admin().get("/minds-api-proxy/x").await;
    assert_error(&answer, 502, UPSTREAM_ERROR, "");
}

#[tokio::test]
async fn an_upstream_that_comes_back_is_reached_again() {
    let upstream = Upstream::start().await;
    let gateway = upstream.gateway().start().await;
    let admin = gateway.admin();
    admin.get("/minds-api-proxy/x").await.expect(200);
    let upstream = upstream.restart().await;
    let answer = admin.get("/minds-api-proxy/y").await.expect(200);
    assert_eq!(answer.text(), "GET /y");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn no_answer_is_a_bad_gateway() {
    let (upstream, gateway) = pair().await;
    for (script, part) in [
        (Script::new().close(), ""),
        (Script::new().reset(), ""),
        (Script::new().await_body().close(), ""),
        (Script::early("HTTP/1.1 200 OK\r\ncontent-").close(), ""),
        (
            Script::early("HTTP/1.1 103 Early Hints\r\n\r\n").close(),
            "",
        ),
        (Script::early("nonsense\r\n\r\n").close(), "not valid http"),
        (
            Script::early("HTTP/1.1 200 OK\r\nbad header\r\ncontent-length: 0\r\n\r\n"),
            "not valid http",
        ),
        (
            Script::early("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"),
            "not valid http",
        ),
        (
            Script::early("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
            "not valid http",
        ),
    ] {
        upstream.answer(script);
        for method in ["POST", "GET"] {
            let request = gateway.admin().request(method, "/minds-api-proxy/x");
            let answer = request.body("body").send().await;
            assert_error(&answer, 502, UPSTREAM_ERROR, part);
        }
    }
    upstream.answer(Script::text(200, "ok"));
    gateway.admin().get("/minds-api-proxy/x").await.expect(200);
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_cut_short_for_the_client() {
    let (upstream, gateway) = pair().await;
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    for (name, script) in [
        ("a length, closed", Script::raw(length).close()),
        ("a length, broken", Script::raw(length).reset()),
        ("chunks, closed", Script::raw(chunks).close()),
        ("chunks, broken", Script::raw(chunks).reset()),
        (
            "within a chunk",
            Script::raw(chunks.replace("4\r\nhalf\r\n", "8\r\nhalf")).close(),
        ),
        ("a bad chunk", Script::raw(format!("{chunks}nonsense\r\n"))),
        (
            "behind the last chunk",
            Script::raw(format!("{chunks}0\r\n")).close(),
        ),
        (
            "until the end, broken",
            Script::raw("HTTP/1.1 200 OK\r\n\r\nhalf").reset(),
        ),
    ] {
        upstream.answer(script);
        let mut wire = Wire::connect(gateway.address()).await;
        wire.send(head(&gateway.admin(), "GET /minds-api-proxy/x", ""))
            .await;
        let answers = wire.rest().await;
        // The break may be known before anything was relayed.
        let cut = match answers.as_slice() {
            [answer] => !answer.complete || answer.status() == 502,
            answers => answers.is_empty(),
        };
        assert!(cut, "{name}: {answers:?}");
    }
    upstream.answer(Script::text(200, "ok"));
    gateway.admin().get("/minds-api-proxy/x").await.expect(200);
}

#[tokio::test]
async fn an_upstream_error_harms_no_other_request() {
    let (upstream, gateway) = pair().await;
    upstream.answer_with(|_, request| match request.path() {
        "/broken" => Script::new().reset(),
        _ => Script::named(request),
    });
    let admin = gateway.admin();
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let admin = admin.clone();
            tokio::spawn(async move {
                if number % 2 == 0 {
                    admin.get("/minds-api-proxy/broken").await.expect(502);
                } else {
                    let answer = admin
                        .get(&format!("/minds-api-proxy/{number}"))
                        .await
                        .expect(200);
                    assert_eq!(answer.text(), format!("GET /{number}"));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_cut_shows_even_where_the_end_of_the_connection_ends_the_answer() {
    let (upstream, gateway) = pair().await;
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let request =
        head(&gateway.admin(), "GET /minds-api-proxy/x", "").replace("HTTP/1.1", "HTTP/1.0");
    for (script, whole) in [
        (Script::raw(format!("{chunks}0\r\n\r\n")), true),
        (Script::raw(chunks).close(), false),
    ] {
        upstream.answer(script);
        let mut client = TcpStream::connect(gateway.address()).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = within_patience("the connection ends", client.read_to_end(&mut answer)).await;
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(read.is_ok(), whole, "{read:?}: {text}");
    }
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_named_and_not_shown() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::in_home(Home::new())
        .environment(UPSTREAM_URL, upstream.url())
        .environment(UPSTREAM_KEY, "secret\nkey")
        .start()
        .await;
    let answer = gateway.admin().get("/minds-api-proxy/x").await;
    assert_error(&answer, 502, UPSTREAM_ERROR, "key");
    gateway
        .process()
        .logged("the setting is named", |line| {
            line.contains(UPSTREAM_KEY).then_some(())
        })
        .await;
    assert!(!gateway.process().stderr().contains("secret"));
    assert!(upstream.connections().is_empty());
}
