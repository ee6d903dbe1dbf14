//! Many hosts, a third of which do not answer.

use std::time::{Duration, Instant};

use end_to_end::{Resident, Supervisor, processor_time, resident_memory};

use crate::host::{Host, reaches_within, supervisor};

const HOSTS: usize = 50;
const DEADLINE: Duration = Duration::from_secs(60);
/// How long the supervisor is looked at once the living are up.
const OBSERVED: Duration = Duration::from_secs(10);

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
    // With all of them up, and some tried in vain from time to time, there is next to nothing to do.
    tokio::time::sleep(OBSERVED).await;
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

/// For whoever reads the output: memory, and the time that the processor has spent since the start.
fn describe(supervisor: &Supervisor) {
    let id = supervisor.process().id();
    eprintln!(
        "the supervisor has {} KiB, and has worked for {:?}",
        resident_memory(id) / 1024,
        processor_time(id)
    );
}
