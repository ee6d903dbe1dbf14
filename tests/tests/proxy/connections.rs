//! Connections to the upstream: kept while they are good, replaced when they are not, and nothing is sent twice that must not be.

use end_to_end::{Connection, Gateway, Message, Script, Upstream};

use crate::{assert_error, pair};

/// How many requests for this target the upstream has received.
fn times(upstream: &Upstream, target: &str) -> usize {
    let requests = upstream.requests();
    let requests = requests.iter();
    requests
        .filter(|request| request.target() == target)
        .count()
}

/// Hangs up on the second request of each connection, as a server does whose patience ended at that moment.
fn hang_up_on_second(connection: &Connection, request: &Message) -> Script {
    match connection.requests().len() {
        1 => Script::named(request),
        _ => Script::new().close(),
    }
}

async fn ask(gateway: &Gateway, method: &str, target: &str, body: &str) -> end_to_end::Answer {
    let request = gateway
        .admin()
        .request(method, &format!("/minds-api-proxy{target}"));
    request.body(body.to_owned()).send().await
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let (upstream, gateway) = pair().await;
    for method in ["GET", "POST", "DELETE", "HEAD", "PROPFIND"] {
        ask(&gateway, method, "/x", "body").await.expect(200);
    }
    assert_eq!(upstream.connections().len(), 1);
}

#[tokio::test]
async fn a_connection_whose_answer_says_close_is_not_used_again() {
    let (upstream, gateway) = pair().await;
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nConnection: x-a, Close\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ] {
        upstream.answer(Script::raw(answer));
        ask(&gateway, "GET", "/x", "").await.expect(200);
    }
    let connections = upstream.connections();
    assert!(
        connections
            .iter()
            .all(|connection| connection.requests().len() == 1),
        "{connections:?}"
    );
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let (upstream, gateway) = pair().await;
    upstream.answer_with(|_, request| {
        let name = Script::named(request);
        if request.path() == "/reset" {
            name.reset()
        } else {
            name.close()
        }
    });
    for method in ["GET", "POST", "PUT", "DELETE"] {
        for target in ["/close", "/reset"] {
            let answer = ask(&gateway, method, target, "").await.expect(200);
            assert_eq!(answer.text(), format!("{method} {target}"));
            upstream.abandoned(target).await;
        }
    }
}

#[tokio::test]
async fn a_request_that_changes_nothing_when_repeated_is_sent_once_more() {
    for method in ["GET", "OPTIONS", "PROPFIND"] {
        let (upstream, gateway) = pair().await;
        upstream.answer_with(hang_up_on_second);
        ask(&gateway, method, "/first", "").await.expect(200);
        let answer = ask(&gateway, method, "/second", "").await.expect(200);
        assert_eq!(answer.text(), format!("{method} /second"));
        assert_eq!(times(&upstream, "/second"), 2, "{method}");
    }
}

#[tokio::test]
async fn a_request_that_may_change_something_is_never_repeated() {
    for (method, body) in [
        ("POST", ""),
        ("POST", "body"),
        ("PATCH", "body"),
        ("LOCK", ""),
        ("X-CUSTOM", ""),
    ] {
        let (upstream, gateway) = pair().await;
        upstream.answer_with(hang_up_on_second);
        ask(&gateway, method, "/first", body).await.expect(200);
        let answer = ask(&gateway, method, "/second", body).await;
        assert_error(&answer, 502, "Minds API proxy upstream error: ", "");
        assert_eq!(times(&upstream, "/second"), 1, "{method}");
    }
}

#[tokio::test]
async fn a_body_is_never_sent_twice() {
    for method in ["PUT", "GET", "DELETE"] {
        let (upstream, gateway) = pair().await;
        upstream.answer_with(hang_up_on_second);
        ask(&gateway, method, "/first", "body").await.expect(200);
        let answer = ask(&gateway, method, "/second", "body").await;
        assert_error(&answer, 502, "Minds API proxy upstream error: ", "");
        assert_eq!(times(&upstream, "/second"), 1, "{method}");
    }
}

#[tokio::test]
async fn a_request_is_repeated_once_and_no_more() {
    let (upstream, gateway) = pair().await;
    ask(&gateway, "GET", "/first", "").await.expect(200);
    upstream.answer(Script::new().close());
    let answer = ask(&gateway, "GET", "/second", "").await;
    assert_error(&answer, 502, "Minds API proxy upstream error: ", "");
    assert_eq!(times(&upstream, "/second"), 2);
    // On a new connection there is no race to lose: what fails there has failed.
    let answer = ask(&gateway, "GET", "/third", "").await;
    assert_error(&answer, 502, "Minds API proxy upstream error: ", "");
    assert_eq!(times(&upstream, "/third"), 1);
}

#[tokio::test]
async fn a_connection_whose_request_was_not_taken_whole_is_not_used_again() {
    let (upstream, gateway) = pair().await;
    upstream.answer_with(|_, request| match request.path() {
        "/early" => Script::early("HTTP/1.1 413 No\r\ncontent-length: 2\r\n\r\nno").unread(),
        _ => Script::named(request),
    });
    ask(&gateway, "GET", "/first", "").await.expect(200);
    let body = "x".repeat(8 * 1024 * 1024);
    ask(&gateway, "POST", "/early", &body).await.expect(413);
    ask(&gateway, "GET", "/second", "").await.expect(200);
    for connection in upstream.connections() {
        let mut requests = connection.requests().iter().rev().skip(1);
        assert!(requests.all(|request| request.complete), "{connection}");
        assert_eq!(connection.failure(), None, "{connection}");
    }
}

#[tokio::test]
async fn many_requests_at_once_have_connections_of_their_own() {
    let (upstream, gateway) = pair().await;
    let gate = end_to_end::Gate::new();
    upstream.answer(
        Script::new()
            .wait(&gate)
            .send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    );
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let admin = gateway.admin();
            tokio::spawn(async move {
                admin
                    .get(&format!("/minds-api-proxy/{number}"))
                    .await
                    .expect(200)
            })
        })
        .collect();
    upstream
        .until("all requests arrive", |connections| {
            (connections.iter().flat_map(Connection::requests).count() == 50).then_some(())
        })
        .await;
    gate.open();
    for task in tasks {
        task.await.unwrap();
    }
}
