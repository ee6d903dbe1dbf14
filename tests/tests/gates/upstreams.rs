//! Each key of an upstream in a policy.

use end_to_end::{Answer, Gateway, Home, Script, Upstream};
use tokio::net::TcpListener;

const ROUTES: &str = "routes = [\"* /forwarder/{*rest}\"]\n[[upstreams]]\n";
const KEY: &str = "the-forwarders-own-key";

/// A gateway that forwards to `url` under these lines of the upstream.
async fn under(lines: &str, url: &str) -> Gateway {
    let home = Home::new();
    home.install("forwarder", &format!("{ROUTES}{lines}\n"));
    Gateway::in_home(home)
        .environment("FORWARDER_URL", url)
        .environment("FORWARDER_KEY", KEY)
        .start()
        .await
}

async fn forward(gateway: &Gateway, to: &str) -> Answer {
    gateway.admin().get(&format!("/forwarder/x?to={to}")).await
}

/// Shows what the key does. False for a key that is not known here.
pub async fn upstream_key(key: &str) -> bool {
    match key {
        "setting" => {
            let upstream = Upstream::start().await;
            let (to, url) = (upstream.authority(), upstream.url());
            let granted = under("setting = \"FORWARDER_URL\"", &url).await;
            forward(&granted, &to).await.expect(200);
            let other = under("setting = \"FORWARDER_OTHER_URL\"", &url).await;
            assert_refused(&forward(&other, &to).await, "not granted");
        }
        // One that the manifest names too, and where nobody listens.
        "origin" | "private_addresses" => {
            let (to, url) = ("localhost:9", "http://localhost:9");
            let origin = format!("origin = \"{url}\"");
            let elsewhere = under("origin = \"http://localhost:10\"", url).await;
            assert_refused(&forward(&elsewhere, to).await, "server is not granted");
            let public = under(&origin, url).await;
            assert_refused(&forward(&public, to).await, "address is not granted");
            let private = under(&format!("{origin}\nprivate_addresses = true"), url).await;
            assert_refused(&forward(&private, to).await, "connection was refused");
        }
        "bearer_setting" => {
            for (lines, sent) in [
                ("", None),
                ("bearer_setting = \"FORWARDER_OTHER_KEY\"", None),
                ("bearer_setting = \"FORWARDER_KEY\"", Some(KEY)),
            ] {
                let upstream = Upstream::start().await;
                let setting = format!("setting = \"FORWARDER_URL\"\n{lines}");
                let gateway = under(&setting, &upstream.url()).await;
                forward(&gateway, &upstream.authority()).await.expect(200);
                let request = upstream.requests().remove(0);
                let bearer = sent.map(|key| format!("Bearer {key}"));
                assert_eq!(request.header("authorization"), bearer.as_deref());
            }
        }
        "connect_timeout_seconds" => {
            // Connections wait in the backlog, and nobody speaks TLS there.
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let to = listener.local_addr().unwrap().to_string();
            let url = format!("https://{to}");
            let hasty = under(&format!("setting = \"FORWARDER_URL\"\n{key} = 0.3"), &url).await;
            assert_refused(&forward(&hasty, &format!("{to}&https")).await, "connect");
        }
        "first_byte_timeout_seconds" => {
            let upstream = Upstream::start().await;
            upstream.answer(Script::new().silence());
            let lines = format!("setting = \"FORWARDER_URL\"\n{key} = 0.3");
            let hasty = under(&lines, &upstream.url()).await;
            assert_refused(
                &forward(&hasty, &upstream.authority()).await,
                "begin to answer within the time limit",
            );
        }
        "idle_timeout_seconds" => {
            let upstream = Upstream::start().await;
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nx";
            upstream.answer(Script::raw(head).silence());
            let lines = format!("setting = \"FORWARDER_URL\"\n{key} = 0.3");
            let hasty = under(&lines, &upstream.url()).await;
            let mut raw = hasty.raw().await;
            let target = format!("/forwarder/x?to={}", upstream.authority());
            let headers = hasty.admin().header_lines();
            raw.send(format!(
                "GET {target} HTTP/1.1\r\nHost: gateway\r\n{headers}\r\n"
            ))
            .await;
            raw.answer_head().await.expect(200);
            // Cut off: the second byte never comes.
            assert_eq!(raw.until_closed().await, b"x");
        }
        _ => return false,
    }
    true
}

#[track_caller]
fn assert_refused(answer: &Answer, why: &str) {
    assert_eq!(answer.status, 502, "{answer}");
    assert!(answer.text().contains(why), "{why}: {answer}");
}
