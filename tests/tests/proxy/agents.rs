//! What the agent baseline allows of the proxy: an agent's own path and nothing else.

use end_to_end::Agent;

use crate::pair;

fn of(agent: &Agent, rest: &str) -> String {
    format!("/minds-api-proxy/api/v1/agents/{}{rest}", agent.id)
}

#[tokio::test]
async fn its_own_path_is_an_agent_s_by_every_method() {
    let (_upstream, gateway) = pair().await;
    let agent = gateway.agent("a").await;
    for method in [
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "MKCOL",
    ] {
        for rest in ["/", "/x", "/x/y?z"] {
            let target = of(&agent, rest);
            let answer = agent.request(method, &target).send().await.expect(200);
            let arrives = target.trim_start_matches("/minds-api-proxy");
            assert_eq!(answer.text(), format!("{method} {arrives}"));
        }
    }
}

#[tokio::test]
async fn another_s_path_is_not() {
    let (upstream, gateway) = pair().await;
    let (a, b) = (gateway.agent("a").await, gateway.agent("b").await);
    for target in [
        of(&b, "/x"),
        of(&b, "/"),
        of(&b, ""),
        // As in the original: without the slash it is not the agent's own.
        of(&a, ""),
        of(&a, "x/y"),
        of(&a, "/../x"),
        format!("{}/{}", of(&a, "/.."), b.id),
        "/minds-api-proxy".to_owned(),
        "/minds-api-proxy/".to_owned(),
        "/minds-api-proxy/api/v1/agents".to_owned(),
        "/minds-api-proxy/api/v1/agents/".to_owned(),
        "/minds-api-proxy/api/v1/files/etc/passwd".to_owned(),
        "/minds-api-proxy/api/v1/agents/agent-x/y".to_owned(),
        of(&a, "/x").replace("/v1/", "/v2/"),
        of(&a, "/x").replace("/agents/", "//agents/"),
    ] {
        a.get(&target).await.expect(403);
    }
    assert!(upstream.connections().is_empty());
}

#[tokio::test]
async fn a_path_that_leads_up_once_decoded_is_a_bad_request() {
    let (upstream, gateway) = pair().await;
    let (a, b) = (gateway.agent("a").await, gateway.agent("b").await);
    for up in [
        "/..%2f",
        "/..%5c",
        "/%2e%2e%2f",
        "/x%2f..%2f..%2f",
        "/%2E%2E%5C",
    ] {
        let target = of(&a, up) + &b.id + "/x";
        let answer = a.get(&target).await;
        crate::assert_error(&answer, 400, "", "..");
        // Not for the admin either: no upstream need wonder.
        gateway.admin().get(&target).await.expect(400);
    }
    assert!(upstream.connections().is_empty());
}

#[tokio::test]
async fn an_agent_is_nobody_s_before_it_is_registered() {
    let (upstream, gateway) = pair().await;
    let created = gateway.cli(["create-agent-env"]).expect_success().json();
    let token = created["env"]["LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE"]
        .as_str()
        .unwrap();
    let fresh = gateway.with_token(token);
    let agent = gateway.agent("a").await;
    fresh.get(&of(&agent, "/x")).await.expect(403);
    gateway.guest().get(&of(&agent, "/x")).await.expect(403);
    assert!(upstream.connections().is_empty());
}

#[tokio::test]
async fn agents_of_one_host_share_what_they_may() {
    let (_upstream, gateway) = pair().await;
    let a = gateway.agent("a").await;
    let sibling = end_to_end::AGENT;
    gateway
        .cli([
            "register-agent",
            "--host-id",
            &a.host_id,
            "--agent-id",
            sibling,
        ])
        .expect_success();
    a.get(&of(&a, "/x")).await.expect(200);
    a.get(&format!("/minds-api-proxy/api/v1/agents/{sibling}/x"))
        .await
        .expect(200);
}
