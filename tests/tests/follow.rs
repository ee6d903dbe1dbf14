//! Following the pending requests: a stream that goes on.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::collections::HashMap;

use end_to_end::{Follow, Gateway, ask, eventually, within_patience};

const PATH: &str = "/permission-requests";

async fn post(gateway: &Gateway) -> String {
    gateway
        .admin()
        .post(PATH, ask("slack-api", []))
        .await
        .expect(201)
        .id()
}

#[tokio::test]
async fn a_follower_gets_what_is_there_and_then_what_comes() {
    let gateway = Gateway::start().await;
    let mut present = vec![post(&gateway).await, post(&gateway).await];
    present.sort();
    let mut follow = gateway.admin().follow().await;
    assert_eq!(follow.head().status(), 200);
    assert_eq!(
        follow.head().headers()["content-type"],
        "application/x-ndjson; charset=utf-8"
    );
    assert_eq!(
        [follow.next_id().await, follow.next_id().await].as_slice(),
        present
    );
    for _ in 0..5 {
        let record = gateway
            .admin()
            .post(PATH, ask("slack-api", ["slack-read-all"]))
            .await
            .expect(201)
            .json();
        assert_eq!(follow.next_line().await, record.to_string());
    }
}

#[tokio::test]
async fn an_empty_list_is_followed_from_its_head_on() {
    let gateway = Gateway::start().await;
    let mut follow = gateway.admin().follow().await;
    let id = post(&gateway).await;
    assert_eq!(follow.next_id().await, id);
}

#[tokio::test]
async fn follow_has_several_spellings() {
    let gateway = Gateway::start().await;
    for target in [
        "/permission-requests?follow=true",
        "/permission-requests?follow=TRUE",
        "/permission-requests?follow=1",
        "/permission-requests?follow=yes",
        "/permission-requests?follow=YeS",
        "/permission-requests/?follow=true",
        "/permission-requests?x=y&follow=%74rue",
    ] {
        let mut follow = gateway.admin().follow_at(target).await;
        let id = post(&gateway).await;
        while follow.next_id().await != id {}
    }
    for value in ["false", "0", "no", "", "on"] {
        gateway
            .admin()
            .get(&format!("/permission-requests?follow={value}"))
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn every_follower_gets_every_request_once_while_many_are_made_and_listed() {
    const POSTS: usize = 60;
    let gateway = Gateway::start().await;
    let earlier = post(&gateway).await;
    let mut followers: Vec<Follow> = Vec::new();
    followers.push(gateway.admin().follow().await);
    followers.push(gateway.admin().follow().await);
    let admin = gateway.admin();
    let posts = async {
        let mut ids = Vec::new();
        for _ in 0..POSTS / 2 {
            let (first, second) = tokio::join!(post(&gateway), post(&gateway));
            ids.extend([first, second]);
        }
        ids
    };
    let lists = async {
        let mut lengths = Vec::new();
        for _ in 0..POSTS / 2 {
            lengths.push(admin.pending().await.len());
        }
        lengths
    };
    // One that comes while the others are being told.
    let late = async {
        admin.pending().await;
        admin.follow().await
    };
    let (mut ids, lengths, late) = tokio::join!(posts, lists, late);
    assert!(lengths.is_sorted(), "a list lost a request: {lengths:?}");
    followers.push(late);
    ids.push(earlier);
    let last = post(&gateway).await;
    ids.push(last.clone());
    for mut follow in followers {
        let mut seen: HashMap<String, usize> = HashMap::new();
        while !seen.contains_key(&last) || seen.len() < ids.len() {
            *seen.entry(follow.next_id().await).or_default() += 1;
        }
        // Nothing is told twice, not even late: the next one is the next request.
        let marker = post(&gateway).await;
        assert_eq!(follow.next_id().await, marker);
        ids.push(marker);
        assert!(seen.values().all(|&times| times == 1), "{seen:?}");
        assert!(ids.iter().filter(|id| seen.contains_key(*id)).count() + 1 >= seen.len());
    }
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_stream() {
    let gateway = Gateway::start().await;
    let connections = || {
        let descriptors =
            std::fs::read_dir(format!("/proc/{}/fd", gateway.process().id())).unwrap();
        let link = |entry: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_link(entry.unwrap().path()).ok()
        };
        descriptors
            .filter_map(link)
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    };
    post(&gateway).await;
    eventually("only the gateway's own sockets are left", async || {
        connections() <= 8
    })
    .await;
    let before = connections();
    for _ in 0..30 {
        let mut follow = gateway.admin().follow().await;
        follow.next_id().await;
    }
    // Nobody writes to these streams any more: only the connection tells that the client is gone.
    eventually(
        "the sockets of the followers that left are closed",
        async || connections() <= before,
    )
    .await;
    let mut follow = gateway.admin().follow().await;
    follow.next_id().await;
}

#[tokio::test]
async fn stopping_ends_follow_streams_at_once_and_regularly() {
    let gateway = Gateway::start().await;
    let id = post(&gateway).await;
    let mut follow = gateway.admin().follow().await;
    assert_eq!(follow.next_id().await, id);
    let quiet = gateway.admin().follow().await;
    let started = std::time::Instant::now();
    let (status, _) = gateway.terminate().await;
    assert_eq!(status.code(), Some(0));
    assert!(
        started.elapsed() < std::time::Duration::from_secs(5),
        "stopping took {:?}",
        started.elapsed()
    );
    assert_eq!(follow.rest().await, Vec::<String>::new());
    assert_eq!(quiet.rest().await.len(), 1);
}

#[tokio::test]
async fn a_stopping_gateway_finishes_the_request_in_flight() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let gateway = Gateway::start().await;
        let body = ask("slack-api", ["slack-read-all"]).to_string();
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: x\r\n{}content-length: {}\r\nexpect: 100-continue\r\n\r\n",
            gateway.admin().header_lines(),
            body.len()
        );
        let mut raw = gateway.raw().await;
        raw.send(head).await;
        // The extension waits for the body from here on.
        raw.answer().await.expect(100);
        gateway.process().signal(signal);
        let address = gateway.address();
        eventually("no more connections are accepted", async || {
            tokio::net::TcpStream::connect(address).await.is_err()
        })
        .await;
        raw.send(body).await;
        raw.answer().await.expect(201);
        let (status, home) = gateway.ended().await;
        assert_eq!(status.code(), Some(0));
        assert_eq!(
            std::fs::read_dir(home.pending_requests()).unwrap().count(),
            1,
            "the request was kept"
        );
    }
}

#[tokio::test]
async fn a_follower_that_does_not_read_delays_nobody() {
    let gateway = Gateway::start().await;
    let mut lazy = gateway.raw().await;
    lazy.send(format!(
        "GET {PATH}?follow=1 HTTP/1.1\r\nhost: x\r\n{}\r\n",
        gateway.admin().header_lines()
    ))
    .await;
    lazy.answer_head().await.expect(200);
    let mut eager = gateway.admin().follow().await;
    let mut body = ask("slack-api", []);
    body["rationale"] = "x".repeat(200_000).into();
    for _ in 0..40 {
        let id = gateway
            .admin()
            .post(PATH, body.clone())
            .await
            .expect(201)
            .id();
        assert_eq!(eager.next_id().await, id);
    }
    within_patience("the list answers", gateway.admin().get("/permissions/self"))
        .await
        .expect(200);
}
