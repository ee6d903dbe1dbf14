//! Much at once through one connection: nothing is lost, and who does not read holds up nobody else.

use std::time::Duration;

use end_to_end::{
    Home, KEY, MindsApi, Pattern, Program, Resident, Running, Supervisor, Tally, UPSTREAM_KEY,
    UPSTREAM_URL, eventually, eventually_within, resident_memory,
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::host::{Host, reaches, status};

const MIB: u64 = 1024 * 1024;

/// A supervisor whose agents have a Minds API at `url`.
async fn supervisor_before(url: &str) -> Supervisor {
    let options = Supervisor::in_home(Home::new());
    let supervisor = options
        .environment(UPSTREAM_URL, url)
        .environment(UPSTREAM_KEY, KEY)
        .start()
        .await;
    supervisor.mngr().started(1).await;
    supervisor
}

/// The agent's curl at work, in its namespace, below its own path of the Minds API.
fn curl(
    supervisor: &Supervisor,
    resident: &Resident<'_>,
    path: &str,
    arguments: &[&str],
) -> Running {
    let id = &resident.agent.id;
    let url = format!("http://127.0.0.1:1989/minds-api-proxy/api/v1/agents/{id}/{path}");
    let lines = resident.agent.header_lines();
    let headers = lines.lines().flat_map(|line| ["--header", line]);
    Program::new("ip", supervisor.home().path())
        .arguments(["netns", "exec", resident.namespace.name(), "curl"])
        .arguments(["--disable", "--silent", "--show-error", "--no-buffer"])
        .arguments(headers)
        .arguments(arguments)
        .arguments([url])
        .start()
}

fn memory(supervisor: &Supervisor) -> u64 {
    resident_memory(supervisor.process().id())
}

/// Asserts that the supervisor has not grown by what passed through it.
fn is_modest(supervisor: &Supervisor, before: u64) {
    let now = memory(supervisor);
    eprintln!("memory: {} MiB, before {} MiB", now / MIB, before / MIB);
    assert!(
        now < before + 64 * MIB,
        "the supervisor has grown to {} MiB",
        now / MIB
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_megabytes_come_back_while_they_are_sent() {
    const SIZE: u64 = 300 * MIB;
    let Some(host) = Host::new().await else {
        return;
    };
    let api = MindsApi::start().await;
    let supervisor = supervisor_before(&api.url()).await;
    let resident = host.connected(&supervisor, "a").await;
    let before = memory(&supervisor);
    let mut curl = curl(
        &supervisor,
        &resident,
        "mirror",
        &["--request", "POST", "--upload-file", "-"],
    );
    let mut input = curl.take_input();
    let sending = tokio::spawn(async move {
        for piece in Pattern::new(0..SIZE) {
            input.write_all(&piece).await.expect("curl reads");
        }
    });
    let received = curl.tally().await;
    sending.await.expect("everything is sent");
    curl.end().await.expect_success();
    assert_eq!(received.total(), Tally::of(0..SIZE));
    is_modest(&supervisor, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stops_reading_holds_up_no_other() {
    const SIZE: u64 = 200 * MIB;
    let Some(host) = Host::new().await else {
        return;
    };
    let api = MindsApi::start().await;
    let supervisor = supervisor_before(&api.url()).await;
    let [lazy, other] =
        ["lazy", "other"].map(|name| host.resident(supervisor.agent_on("shared", name)));
    for resident in [&lazy, &other] {
        host.announce(&supervisor, resident);
        reaches(&supervisor, resident).await;
    }
    let before = memory(&supervisor);
    let mut curl = curl(&supervisor, &lazy, &format!("blob/{SIZE}"), &[]);
    let mut received = Tally::default();
    let mut buffer = vec![0; 64 * 1024];
    let length = curl.read(&mut buffer).await;
    received.add(&buffer[..length]);
    let process =
        Pid::from_raw(curl.id().try_into().expect("a process number")).expect("a process");
    kill_process(process, Signal::STOP).expect("it can be stopped");
    for _ in 0..20 {
        assert_eq!(other.get("/permissions/self").await.status, 200);
    }
    is_modest(&supervisor, before);
    kill_process(process, Signal::CONT).expect("it can go on");
    loop {
        let length = curl.read(&mut buffer).await;
        if length == 0 {
            break;
        }
        received.add(&buffer[..length]);
    }
    curl.end().await.expect_success();
    assert_eq!(received.total(), Tally::of(0..SIZE));
    assert_eq!(host.sshd.sessions(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_does_not_take_an_upload_holds_up_no_other_and_no_keep_alive() {
    let Some(host) = Host::new().await else {
        return;
    };
    // It accepts, and never reads: what stands before it can pass nothing on.
    let upstream = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", upstream.local_addr().expect("an address"));
    let accepting = tokio::spawn(async move {
        let mut connections = Vec::new();
        while let Ok((stream, _)) = upstream.accept().await {
            connections.push(stream);
        }
    });
    let supervisor = supervisor_before(&url).await;
    let [sender, other] =
        ["sender", "other"].map(|name| host.resident(supervisor.agent_on("shared", name)));
    for resident in [&sender, &other] {
        host.announce(&supervisor, resident);
        reaches(&supervisor, resident).await;
    }
    eventually("the status calls it up", async || {
        status(&supervisor, &other)["state"] == "up"
    })
    .await;
    let since = status(&supervisor, &other)["since"].clone();
    let before = memory(&supervisor);
    let mut curl = curl(
        &supervisor,
        &sender,
        "sink",
        &["--request", "POST", "--upload-file", "-"],
    );
    let mut input = curl.take_input();
    let sending = tokio::spawn(async move {
        for piece in Pattern::new(0..4096 * MIB) {
            if input.write_all(&piece).await.is_err() {
                return;
            }
        }
    });
    // For longer than a keep-alive takes to fail.
    let until = tokio::time::Instant::now() + Duration::from_secs(75);
    eventually_within(
        Duration::from_secs(120),
        "the other agent is served all the while",
        async || {
            assert_eq!(other.get("/permissions/self").await.status, 200);
            tokio::time::sleep(Duration::from_millis(250)).await;
            tokio::time::Instant::now() > until
        },
    )
    .await;
    is_modest(&supervisor, before);
    // It is the same connection still.
    assert_eq!(host.sshd.sessions(), 1, "{}", host.sshd.log());
    assert_eq!(status(&supervisor, &other)["since"], since);
    sending.abort();
    drop(curl);
    accepting.abort();
    eventually("the other agent is served", async || {
        other.reaches_the_gateway().await
    })
    .await;
}
