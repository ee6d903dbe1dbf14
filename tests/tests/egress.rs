//! What a third party's component reaches of other servers: only what it asks for and is granted, and a key only where it belongs.

use end_to_end::{Answer, Gateway, Home, Upstream};

const KEY: &str = "the-forwarders-own-key";
const ROUTES: &str = r#"routes = ["* /forwarder/{*rest}", "POST /forwarder/own"]
"#;
const TO_SETTING: &str = r#"[[upstreams]]
setting = "FORWARDER_URL"
"#;
const WITH_BEARER: &str = r#"bearer_setting = "FORWARDER_KEY"
"#;

/// A gateway with the forwarder under these grants; its settings name `upstream` and the key.
async fn granted(grants: &str, upstream: &Upstream) -> Gateway {
    let home = Home::new();
    home.install("forwarder", &format!("{ROUTES}{grants}"));
    Gateway::in_home(home)
        .environment("FORWARDER_URL", upstream.url())
        .environment("FORWARDER_KEY", KEY)
        .start()
        .await
}

async fn forward(gateway: &Gateway, to: &str) -> Answer {
    gateway
        .admin()
        .with_header("Authorization", "Bearer of-the-caller")
        .get(&format!("/forwarder/x?to={to}"))
        .await
}

fn authorization(upstream: &Upstream) -> Vec<String> {
    upstream
        .requests()
        .iter()
        .flat_map(|request| request.all("authorization"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn a_granted_server_is_reached_and_given_its_key() {
    let upstream = Upstream::start().await;
    let gateway = granted(&format!("{TO_SETTING}{WITH_BEARER}"), &upstream).await;
    forward(&gateway, &upstream.authority()).await.expect(200);
    assert_eq!(authorization(&upstream), [format!("Bearer {KEY}")]);
}

#[tokio::test]
async fn a_key_that_is_not_granted_stays_at_home() {
    let upstream = Upstream::start().await;
    let gateway = granted(TO_SETTING, &upstream).await;
    forward(&gateway, &upstream.authority()).await.expect(200);
    assert_eq!(authorization(&upstream), ["Bearer of-the-caller"]);
}

#[tokio::test]
async fn a_server_that_is_not_granted_is_not_reached() {
    let upstream = Upstream::start().await;
    for grants in [
        "",
        "upstreams = []\n",
        "[[upstreams]]\nsetting = \"FORWARDER_OTHER_URL\"\n",
    ] {
        let gateway = granted(grants, &upstream).await;
        let answer = forward(&gateway, &upstream.authority()).await.expect(502);
        assert!(answer.text().contains("not granted"), "{grants}: {answer}");
        gateway
            .process()
            .logged("the refusal is logged", |line| {
                (line.contains("not granted") && line.contains("outbound HTTP")).then_some(())
            })
            .await;
    }
    assert!(upstream.connections().is_empty());
}

#[tokio::test]
async fn a_grant_holds_for_one_origin_alone() {
    let (upstream, other) = (Upstream::start().await, Upstream::start().await);
    let gateway = granted(&format!("{TO_SETTING}{WITH_BEARER}"), &upstream).await;
    let port = upstream.authority().replace("127.0.0.1:", "");
    for to in [
        other.authority(),
        format!("localhost:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("{}@{}", upstream.authority(), other.authority()),
        format!("user@{}", upstream.authority()),
        format!("{}&https", upstream.authority()),
        "127.0.0.1".to_owned(),
    ] {
        let answer = forward(&gateway, &to).await.expect(502);
        assert!(answer.text().contains("not granted"), "{to}: {answer}");
    }
    assert!(upstream.connections().is_empty() && other.connections().is_empty());
}

#[tokio::test]
async fn a_private_address_needs_a_grant_of_its_own() {
    let upstream = Upstream::start().await;
    for origin in ["localhost:9", "[::ffff:7f00:1]:9"] {
        let grant = format!("[[upstreams]]\norigin = \"http://{origin}\"\n");
        let gateway = granted(&grant, &upstream).await;
        let refused = forward(&gateway, origin).await.expect(502);
        assert!(
            refused.text().contains("address is not granted"),
            "{refused}"
        );
        let gateway = granted(&format!("{grant}private_addresses = true\n"), &upstream).await;
        let refused = forward(&gateway, origin).await.expect(502);
        assert!(
            refused.text().contains("connection was refused"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_component_cannot_speak_for_the_gateway() {
    let upstream = Upstream::start().await;
    let gateway = granted(&format!("{TO_SETTING}{WITH_BEARER}"), &upstream).await;
    let answer = gateway
        .admin()
        .post(
            &format!("/forwarder/own?to={}", upstream.authority()),
            serde_json::json!({}),
        )
        .await
        .expect(200);
    assert_eq!(
        answer.json()["refused"],
        serde_json::json!([
            "host",
            "transfer-encoding",
            "connection",
            "x-latchkey-gateway-password"
        ])
    );
    let request = upstream.asked_for("/own").await;
    assert_eq!(request.all("host"), [upstream.authority()]);
    assert_eq!(request.all("authorization"), [format!("Bearer {KEY}")]);
    assert_eq!(request.all("x-own"), ["1"]);
}

#[tokio::test]
async fn a_policy_that_names_no_server_is_refused_by_its_line() {
    let upstream = Upstream::start().await;
    let gateway = granted(
        "[[upstreams]]\nbearer_setting = \"FORWARDER_KEY\"\n",
        &upstream,
    )
    .await;
    gateway
        .process()
        .logged("the policy's mistake is logged", |line| {
            (line.contains("forwarder.toml, line 2") && line.contains("origin")).then_some(())
        })
        .await;
    forward(&gateway, &upstream.authority()).await.expect(404);
}
