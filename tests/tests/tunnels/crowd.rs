//! Many hosts, a third of which do not answer.

use std::fs;
use std::time::{Duration, Instant};

use end_to_end::{Resident, Supervisor};

use crate::host::{Host, reaches_within, supervisor};

const HOSTS: usize = 50;
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_hosts_the_living_are_up_whatever_the_others_do() {
    let mut hosts = Vec::new();
    for _ in 0..HOSTS {
        let Some(host) = Host::new().await else {
            return;
        };
        hosts.push(host);
    }
    // Every third is in trouble; by turns it refuses connections, and answers nothing.
    for (index, host) in hosts
        .iter_mut()
        .enumerate()
        .filter(|(index, _)| index % 3 == 0)
    {
        if index % 2 == 0 {
            host.sshd.kill();
        } else {
            host.namespace.black_hole();
        }
    }
    let supervisor = supervisor().await;
    let residents: Vec<Resident<'_>> = hosts
        .iter()
        .enumerate()
        .map(|(index, host)| host.resident(supervisor.agent(&format!("agent {index}"))))
        .collect();
    let started = Instant::now();
    for (host, resident) in hosts.iter().zip(&residents) {
        host.announce(&supervisor, resident);
    }
    for (_, resident) in residents
        .iter()
        .enumerate()
        .filter(|(index, _)| index % 3 != 0)
    {
        reaches_within(DEADLINE, &supervisor, resident).await;
    }
    eprintln!("the living are up after {:?}", started.elapsed());
    describe(&supervisor);
    // What was in trouble may come back.
    for (index, host) in hosts.iter().enumerate().filter(|(index, _)| index % 6 == 3) {
        host.namespace.let_through();
        eprintln!("host {index} is let through again");
    }
    for (_, resident) in residents
        .iter()
        .enumerate()
        .filter(|(index, _)| index % 6 == 3)
    {
        reaches_within(DEADLINE, &supervisor, resident).await;
    }
    describe(&supervisor);
    let (status, _) = supervisor.terminate().await;
    assert_eq!(status.code(), Some(0));
}

/// For whoever reads the output: memory, and the time that the processor has spent.
fn describe(supervisor: &Supervisor) {
    let id = supervisor.process().id();
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let resident = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap_or_default();
    let times = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let ticks: Vec<&str> = times
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    eprintln!(
        "supervisor: {resident}, {} + {} ticks",
        ticks[11], ticks[12]
    );
}
