//! Components that call servers which they were not granted.
//!
//! | component | calls | gets |
//! |---|---|---|
//! | `calls-out` | any origin, by every spelling of it; names and addresses of this machine | `HTTP-request-denied`, `destination-IP-prohibited` |
//! | `follows-redirects` | wherever its granted upstream sends it, hoping that the key goes along | the same |

use end_to_end::{Gateway, Home, Script, Upstream};

use crate::stage::{Siege, neighbours_in};

const KEY: &str = "the-key-of-the-granted-upstream";

/// A gateway with `calls-out`, granted this beside its route.
async fn calling_out(grants: &str, granted: &Upstream) -> Siege {
    let home = neighbours_in(Home::new());
    home.install(
        "calls-out",
        &format!("routes = [\"GET /calls-out\"]\n{grants}"),
    );
    let options = Gateway::in_home(home).environment("CALLS_OUT_URL", granted.url());
    Siege::with("calls-out", options).await
}

async fn call(siege: &Siege, scheme: &str, authority: &str) -> end_to_end::Answer {
    let target = format!("/calls-out?scheme={scheme}&authority={authority}");
    siege.get(&target).await
}

#[tokio::test]
async fn nothing_leaves_without_a_grant() {
    let upstream = Upstream::start().await;
    let mut siege = calling_out("upstreams = []", &upstream).await;
    let own = siege.gateway.address().to_string();
    for authority in [upstream.authority(), own, "api.example.com".to_owned()] {
        for scheme in ["http", "https"] {
            let refused = call(&siege, scheme, &authority).await.expect(403);
            assert!(refused.text().contains("HttpRequestDenied"), "{refused}");
        }
    }
    assert!(upstream.connections().is_empty());
    siege
        .named(&["outbound HTTP", &upstream.authority(), "not granted"])
        .await;
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn a_granted_origin_opens_no_other_however_it_is_spelt() {
    let (granted, other) = (Upstream::start().await, Upstream::start().await);
    let mut siege = calling_out("[[upstreams]]\nsetting = \"CALLS_OUT_URL\"", &granted).await;
    let port = granted.authority().replace("127.0.0.1:", "");
    let (this, that) = (granted.authority(), other.authority());
    for (scheme, authority) in [
        ("http", that.clone()),
        // A user name that looks like the granted origin, and the other way round.
        ("http", format!("{this}@{that}")),
        ("http", format!("user:secret@{that}")),
        ("http", format!("user@{this}")),
        ("http", format!("{that}%23@{this}")),
        // Other spellings of the same address, which may be another server's.
        ("http", format!("localhost:{port}")),
        ("http", format!("localhost.:{port}")),
        ("http", format!("[::1]:{port}")),
        ("http", format!("[::ffff:127.0.0.1]:{port}")),
        ("http", format!("[::ffff:7f00:1]:{port}")),
        ("http", format!("127.1:{port}")),
        ("http", format!("0x7f000001:{port}")),
        ("http", format!("2130706433:{port}")),
        ("http", format!("0177.0.0.1:{port}")),
        ("http", format!("0.0.0.0:{port}")),
        ("http", "127.0.0.1".to_owned()),
        ("http", "127.0.0.1:".to_owned()),
        ("http", "127.0.0.1:0".to_owned()),
        ("http", "127.0.0.1:99999".to_owned()),
        ("https", this.clone()),
        ("file", this.clone()),
        ("none", this.clone()),
        ("http", String::new()),
    ] {
        let answer = call(&siege, scheme, &authority).await;
        assert_eq!(answer.status, 403, "{scheme} {authority}: {answer}");
    }
    assert!(
        granted.connections().is_empty(),
        "the granted upstream was called"
    );
    assert!(
        other.connections().is_empty(),
        "another upstream was called"
    );
    siege.named(&["outbound HTTP", &that, "not granted"]).await;
    call(&siege, "http", &this).await.expect(200);
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn a_granted_name_does_not_lead_into_this_machine() {
    // Whoever answers at such a name would have been reached; port 9 only shows which refusal it is.
    let granted = Upstream::start().await;
    for (origin, authority) in [
        ("http://localhost:9", "localhost:9"),
        ("http://[::ffff:127.0.0.1]:9", "[::ffff:7f00:1]:9"),
    ] {
        let grant = format!("[[upstreams]]\norigin = \"{origin}\"");
        let mut siege = calling_out(&grant, &granted).await;
        let refused = call(&siege, "http", authority).await.expect(403);
        assert!(
            refused.text().contains("DestinationIpProhibited"),
            "{origin}: {refused}"
        );
        siege.named(&["outbound request failed"]).await;
        siege.assert_others_unharmed().await;
    }
}

#[tokio::test]
async fn a_redirect_leads_nowhere_else_and_takes_no_key_along() {
    let (granted, other) = (Upstream::start().await, Upstream::start().await);
    let port = other.authority().replace("127.0.0.1:", "");
    let home = neighbours_in(Home::new());
    let policy = r#"
        routes = ["GET /follows-redirects"]
        [[upstreams]]
        setting = "REDIRECTS_URL"
        bearer_setting = "REDIRECTS_KEY"
    "#;
    home.install("follows-redirects", policy);
    let options = Gateway::in_home(home)
        .environment("REDIRECTS_URL", granted.url())
        .environment("REDIRECTS_KEY", KEY);
    let mut siege = Siege::with("follows-redirects", options).await;
    for elsewhere in [
        other.url(),
        format!("http://localhost:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        format!("http://{}@{}", granted.authority(), other.authority()),
    ] {
        let location = format!("location: {elsewhere}/stolen\r\n");
        granted.answer(Script::with_headers(302, &location, ""));
        let target = format!("/follows-redirects?from={}/first", granted.url());
        let hops = siege.get(&target).await.expect(200);
        assert!(hops.text().contains("/first: 302"), "{hops}");
        assert!(hops.text().contains("HttpRequestDenied"), "{hops}");
    }
    assert!(other.connections().is_empty(), "the redirect was followed");
    let carried = granted.asked_for("/first").await;
    assert_eq!(carried.all("authorization"), [format!("Bearer {KEY}")]);
    siege
        .named(&["outbound HTTP", &other.authority(), "not granted"])
        .await;
    siege.assert_others_unharmed().await;
}
