//! How it ends: with 0, its record gone and nothing of it left.

use end_to_end::{Home, Supervisor, eventually, is_running, record};
use rustix::process::Signal;

async fn ends_cleanly(signal: Signal) {
    let supervisor = Supervisor::start().await;
    let observe = supervisor.mngr().started(1).await.process;
    let gateway = supervisor.gateway().expect("a gateway child").id;
    let follow = supervisor.admin().follow().await;
    supervisor.signal(signal);
    let (status, home) = supervisor.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(!record(&home).exists(), "the record stays behind");
    assert!(!is_running(observe), "observe stays behind");
    assert!(!is_running(gateway), "the gateway stays behind");
    assert_eq!(
        follow.rest().await,
        Vec::<String>::new(),
        "the stream has a regular end"
    );
    // Nothing stands in the way of the next one.
    Supervisor::in_home(home)
        .start()
        .await
        .admin()
        .get("/")
        .await
        .expect(200);
}

#[tokio::test]
async fn sigterm_ends_it_with_nothing_left() {
    ends_cleanly(Signal::TERM).await;
}

#[tokio::test]
async fn sigint_ends_it_with_nothing_left() {
    ends_cleanly(Signal::INT).await;
}

#[tokio::test]
async fn an_observe_that_ignores_signals_does_not_keep_it() {
    let options = Supervisor::in_home(Home::new());
    options.mngr().begin_with("trap '' TERM INT HUP\n");
    let supervisor = options.start().await;
    let observe = supervisor.mngr().started(1).await.process;
    let (status, home) = supervisor.terminate().await;
    assert_eq!(status.code(), Some(0));
    assert!(!is_running(observe), "observe stays behind");
    assert!(!record(&home).exists(), "the record stays behind");
}

#[tokio::test]
async fn a_gateway_that_is_stuck_does_not_keep_it() {
    let supervisor = Supervisor::start().await;
    let gateway = supervisor.gateway().expect("a gateway child");
    gateway.signal(Signal::STOP);
    let (status, home) = supervisor.terminate().await;
    assert_eq!(status.code(), Some(0));
    eventually("the gateway is gone", async || !is_running(gateway.id)).await;
    assert!(!record(&home).exists(), "the record stays behind");
}

#[tokio::test]
async fn a_second_ctrl_c_ends_it_at_once() {
    let supervisor = Supervisor::start().await;
    let observe = supervisor.mngr().started(1).await.process;
    let gateway = supervisor.gateway().expect("a gateway child");
    // It would wait for it for seconds.
    gateway.signal(Signal::STOP);
    supervisor.signal(Signal::INT);
    supervisor
        .process()
        .logged("that it stops", |line| {
            line.contains("stopping").then_some(())
        })
        .await;
    assert!(is_running(gateway.id), "it has not been waited for");
    supervisor.signal(Signal::INT);
    let (status, home) = supervisor.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(!record(&home).exists(), "the record stays behind");
    eventually("the gateway is gone", async || !is_running(gateway.id)).await;
    eventually("observe is gone", async || !is_running(observe)).await;
}

#[tokio::test]
async fn signals_during_its_start_end_it_too() {
    for signal in [Signal::TERM, Signal::INT] {
        let options = Supervisor::in_home(Home::new());
        let mut process = crate::start_bare(options.command(), options.home()).await;
        process.signal(signal);
        assert_eq!(
            process.ended().await.code(),
            Some(0),
            "{}",
            process.stderr()
        );
        assert!(!record(options.home()).exists(), "the record stays behind");
    }
}
