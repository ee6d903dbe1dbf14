//! Many at once: attacks on every connection that there is, while both agents ask for what is theirs.

use std::sync::Arc;

use end_to_end::{Message, Script};

use crate::scene::{Scene, chunked};

const ROUNDS: usize = 25;

/// What attackers do in turn.
#[derive(Clone, Copy)]
enum Attack {
    ChunkedBody,
    CutBody,
    LeaveEarly,
    Pipelined,
    EarlyAnswer,
    SecondResponse,
}

const ATTACKS: [Attack; 6] = [
    Attack::ChunkedBody,
    Attack::CutBody,
    Attack::LeaveEarly,
    Attack::Pipelined,
    Attack::EarlyAnswer,
    Attack::SecondResponse,
];

/// Attacks, and gives what was received.
async fn attack(scene: &Scene, attack: Attack) -> Vec<u8> {
    let (theft, hidden) = (scene.theft(), scene.hidden());
    let te = "transfer-encoding: chunked\r\n";
    let mut wire = scene.wire().await;
    match attack {
        Attack::ChunkedBody => {
            wire.send(scene.ask("DELETE", "own", te) + &chunked(&theft))
                .await;
        }
        Attack::CutBody => {
            let length = format!("content-length: {}\r\n", theft.len() + 1);
            wire.send(scene.ask("POST", "own", &length) + &theft).await;
        }
        Attack::LeaveEarly => {
            wire.send(scene.ask("GET", "slow", "") + &hidden).await;
            wire.reset();
            return Vec::new();
        }
        Attack::Pipelined => {
            let own = scene.ask("GET", "own", "");
            wire.send(format!("{own}{hidden}{own}{hidden}")).await;
        }
        Attack::EarlyAnswer => {
            let body = chunked(&theft.repeat(100));
            wire.send(scene.ask("PUT", "early", te) + &body).await;
        }
        Attack::SecondResponse => wire.send(scene.ask("GET", "twice", "")).await,
    }
    wire.finish_sending().await;
    wire.rest().await;
    wire.transcript().to_vec()
}

fn answer(request: &Message) -> Script {
    let name = format!("{} {}", request.method(), request.target());
    let ok = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}",
        name.len()
    );
    match request.path().rsplit('/').next() {
        Some("slow") => Script::new().silence(),
        Some("early") => Script::early(ok),
        // What it sends too much belongs to nobody.
        Some("twice") => Script::raw(ok + "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"),
        _ => Script::named(request),
    }
}

/// Asks for one thing after the other, asserts that each answer is the one to it, and gives what was received.
async fn ask(scene: &Scene, number: usize) -> Vec<u8> {
    let (agent, sender) = match number % 2 {
        0 => (&scene.a, "a"),
        _ => (&scene.b, "b"),
    };
    let mut wire = scene.wire().await;
    for round in 0..ROUNDS * 4 {
        let path = format!("/api/v1/agents/{}/{number}-{round}", agent.id);
        wire.send(format!(
            "GET /minds-api-proxy{path} HTTP/1.1\r\nhost: gateway\r\nx-sender: {sender}\r\n{}\r\n",
            agent.header_lines()
        ))
        .await;
        let answer = wire.answer().await;
        assert_eq!(
            (answer.status(), answer.text()),
            (200, format!("GET {path}")),
            "{sender} was given another's answer"
        );
    }
    wire.transcript().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_given_what_is_anothers() {
    let scene = Arc::new(Scene::set().await);
    scene.upstream.answer_with(|_, request| answer(request));
    let mut tasks = Vec::new();
    for number in 0..ATTACKS.len() {
        let stage = Arc::clone(&scene);
        tasks.push(tokio::spawn(async move {
            let mut received = Vec::new();
            for round in 0..ROUNDS {
                let next = ATTACKS[(number + round) % ATTACKS.len()];
                received.extend(attack(&stage, next).await);
            }
            received
        }));
        let stage = Arc::clone(&scene);
        tasks.push(tokio::spawn(async move { ask(&stage, number).await }));
    }
    let mut received = Vec::new();
    for task in tasks {
        received.extend(task.await.expect("nobody was given what is another's"));
    }
    let text = String::from_utf8_lossy(&received);
    assert!(!text.contains("/stolen"), "{text}");
    let mut scene = Arc::into_inner(scene).expect("all have finished");
    scene.holds("a crowd", &received).await;
}
