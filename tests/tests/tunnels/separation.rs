//! Who is behind a tunnel is never mixed up.

use end_to_end::{Home, Resident, Supervisor, UPSTREAM_URL, Upstream};

use crate::host::{Host, supervisor};

#[tokio::test]
async fn each_agent_is_judged_by_its_own_hosts_file() {
    let (Some(one), Some(other)) = (Host::new().await, Host::new().await) else {
        return;
    };
    let supervisor = supervisor().await;
    let first = one.connected(&supervisor, "a").await;
    let second = other.connected(&supervisor, "b").await;
    for (own, foreign) in [(&first, &second), (&second, &first)] {
        let reply = own.get("/permissions/self").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.body.contains(&own.agent.id), "{reply:?}");
        assert!(!reply.body.contains(&foreign.agent.id), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_calls_at_once_each_agent_gets_the_answers_to_its_own() {
    const CALLS: usize = 60;
    let (Some(one), Some(other)) = (Host::new().await, Host::new().await) else {
        return;
    };
    let upstream = Upstream::start().await;
    let options = Supervisor::in_home(Home::new()).environment(UPSTREAM_URL, upstream.url());
    let supervisor = options.start().await;
    let first = one.connected(&supervisor, "a").await;
    let second = other.connected(&supervisor, "b").await;
    let asks = async |resident: &Resident<'_>, client: u8| {
        let target = format!("/api/v1/agents/{}/{client}", resident.agent.id);
        let mut calls = resident.keep_asking(&format!("/minds-api-proxy{target}"));
        for _ in 0..CALLS {
            let call = calls.next().await;
            assert_eq!((call.status, call.exit_code), (200, 0), "{call:?}");
            assert_eq!(call.body, format!("GET {target}"));
        }
    };
    tokio::join!(
        asks(&first, 1),
        asks(&first, 2),
        asks(&second, 1),
        asks(&second, 2)
    );
}

#[tokio::test]
async fn the_tunnels_of_two_supervisors_lead_to_a_gateway_each() {
    let (Some(one), Some(other)) = (Host::new().await, Host::new().await) else {
        return;
    };
    let (mine, yours) = (supervisor().await, supervisor().await);
    let first = one.connected(&mine, "a").await;
    let second = other.connected(&yours, "a").await;
    // The password of one is none for the other: each only gets an answer from its own.
    assert!(first.reaches_the_gateway().await && second.reaches_the_gateway().await);
    let stranger = one.resident(second.agent);
    assert_eq!(stranger.get("/permissions/self").await.status, 401);
    let (status, _) = mine.terminate().await;
    assert_eq!(status.code(), Some(0));
    let second = other.resident(stranger.agent);
    assert!(second.reaches_the_gateway().await);
}
