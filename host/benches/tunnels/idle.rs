//! What connections cost while nothing passes: as many as the machine holds, each as if to a host of its own.

use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::report::{Row, Verdict, megabytes};
use crate::sshd::Sshd;
use crate::stage::{Tunnel, start_upstream};
use crate::usage::Usage;
use crate::{Effort, Outcome, own, progress};

/// Hosts that an operator may have.
const HOSTS: u64 = 1_000;
/// More than a session of sshd needs, and ours beside it.
const SESSION: u64 = 10_000_000;
const PORTS: RangeInclusive<u16> = 20_000..=30_000;
/// How long probes and allocators take to calm down.
const SETTLE: Duration = Duration::from_secs(5);
/// Of one processor, in percent.
const MOST_CPU: f64 = 2.0;

pub async fn measure(effort: &Effort) -> Outcome<Vec<Row>> {
    let held = usize::try_from(available_memory()? / 2 / SESSION)?;
    let count = effort.idle.min(held).max(2);
    progress(&format!("{count} idle connections"));
    let (_upstream, target) = start_upstream().await?;
    let sshd = Sshd::start().await?;
    let settle = SETTLE.min(effort.watch);

    let single = own::start(&sshd, target, ports(1)?).await?;
    tokio::time::sleep(settle).await;
    let one = single.usage()?.resident()?;
    single.stop().await?;

    let started = Instant::now();
    let many = own::start(&sshd, target, ports(count)?).await?;
    let up = started.elapsed();
    let work = many.usage()?.cpu_time()?;
    tokio::time::sleep(settle).await;
    let share = cpu_share(&many.usage()?, effort.watch).await?;
    let all = many.usage()?.resident()?;
    many.stop().await?;

    let openssh = Tunnel::openssh(&sshd, target).await?;
    tokio::time::sleep(settle).await;
    let process = openssh.usage()?.resident()?;

    let each = all.total.saturating_sub(one.total) / (count as u64 - 1);
    let extrapolated = one.total + each * (HOSTS - 1);
    Ok(vec![
        Row {
            cpu: Some(work.div_f64(count as f64)),
            ..Row::new(
                &format!("{count} connections, from start to up"),
                format!("{:.1} s", up.as_secs_f64()),
            )
        },
        Row::new("  idle, resident", megabytes(all.total)),
        Row::new("  one of them alone, resident", megabytes(one.total)),
        Row::new(
            &format!(
                "  extrapolated to {HOSTS}, {:.1} KB each",
                each as f64 / 1e3
            ),
            megabytes(extrapolated),
        ),
        Row::new(
            &format!("  {HOSTS} processes of ssh -R, what each has for itself"),
            megabytes(process.anonymous * HOSTS),
        ),
        Row::new(
            &format!("  idle, processor time in {:?}", effort.watch),
            format!("{share:.2} %"),
        )
        .with_verdict(Verdict::below(share, MOST_CPU, "2 % of one processor")),
    ])
}

/// So many free ports, none of those that the system gives to clients: each connection takes one of these itself.
fn ports(count: usize) -> Outcome<Vec<u16>> {
    let ports: Vec<u16> = PORTS
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .take(count)
        .collect();
    if ports.len() < count {
        return Err(format!("{PORTS:?} has no {count} free ports").into());
    }
    Ok(ports)
}

async fn cpu_share(usage: &Usage, watch: Duration) -> Outcome<f64> {
    let before = usage.cpu_time()?;
    tokio::time::sleep(watch).await;
    let used = usage.cpu_time()?.saturating_sub(before);
    Ok(used.as_secs_f64() / watch.as_secs_f64() * 100.0)
}

/// Memory that programs may still ask for, in bytes.
fn available_memory() -> Outcome<u64> {
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let kilobytes: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:")?.strip_suffix("kB"))
        .ok_or("/proc knows no MemAvailable")?
        .trim()
        .parse()?;
    Ok(kilobytes * 1024)
}
