//! Who is behind a tunnel is never mixed up.

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
