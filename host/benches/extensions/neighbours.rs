//! How long neighbours wait for their answers while a hostile component does its worst, beside how long they wait without.

use std::sync::Arc;
use std::time::Duration;

use crate::attacks::{ATTACKS, Attack};
use crate::callers::{Callers, expect};
use crate::load::{Load, Round};
use crate::process::{Home, Server};
use crate::report::{Row, Verdict};
use crate::wire::{Connection, Outline};
use crate::{Effort, Outcome, components, is_wanted, progress};

/// The target: at most twice as long.
const MOST: f64 = 2.0;

const NEIGHBOUR: &str = "rival";
const NEIGHBOURS_POLICY: &str = r#"routes = ["GET /rival"]"#;

/// Those who must not notice: an extension that came with the gateway, and another third party's.
const NEIGHBOURS: [&str; 2] = ["/permissions/self", "/rival"];

/// The rows of every wanted attack.
pub async fn measure(effort: &Effort, words: &[&str]) -> Outcome<Vec<Row>> {
    let wanted = |attack: &&Attack| is_wanted(words, "neighbours") || is_wanted(words, attack.name);
    let attacks: Vec<_> = ATTACKS.iter().filter(wanted).collect();
    if attacks.is_empty() {
        return Ok(Vec::new());
    }
    let home = Arc::new(Home::new()?);
    let callers = Callers::create(&home).await?;
    components::install(&home, NEIGHBOUR, NEIGHBOURS_POLICY)?;
    for attack in &attacks {
        components::install(&home, attack.component, &attack.policy())?;
    }
    progress("nothing yet: components are compiled");
    home.start_gateway().await?.stop().await?;
    let mut rows = Vec::new();
    for attack in attacks {
        progress(attack.name);
        rows.extend(beside(effort, &home, &callers, attack).await?);
    }
    Ok(rows)
}

/// Both neighbours' rows, in a gateway of their own: what an attack leaves behind shall not meet the next.
async fn beside(
    effort: &Effort,
    home: &Arc<Home>,
    callers: &Callers,
    attack: &Attack,
) -> Outcome<Vec<Row>> {
    let gateway = home.start_gateway().await?;
    let [own, other] = NEIGHBOURS.map(|target| neighbour(&gateway, callers, target));
    let loads = [own.await?, other.await?];
    for load in &loads {
        load.visit(effort.round / 2).await?;
    }
    let (mut alone, mut attacked) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..effort.rounds {
        visit_all(effort, &loads, &mut alone).await?;
        let under_way = attack.start(home, &gateway, callers)?;
        tokio::time::sleep(effort.lead).await;
        visit_all(effort, &loads, &mut attacked).await?;
        drop(under_way);
        // What has begun may end first.
        tokio::time::sleep(effort.lead).await;
    }
    gateway.stop().await?;
    components::install(home, attack.component, &attack.policy())?;
    let mut rows = Vec::new();
    for ((target, alone), attacked) in NEIGHBOURS.into_iter().zip(alone).zip(attacked) {
        let (alone, attacked) = (median(alone)?, median(attacked)?);
        let ratio = attacked.p99.as_secs_f64() / alone.p99.as_secs_f64().max(f64::EPSILON);
        rows.push(
            attacked
                .row(&format!("GET {target} beside one that is {}", attack.name))
                .with_verdict(Verdict::at_most(ratio, MOST, "the p99 alone")),
        );
        rows.push(alone.row("  alone, in turns with it"));
    }
    Ok(rows)
}

/// What is asked of a neighbour, and what it answers.
async fn neighbour(gateway: &Server, callers: &Callers, target: &str) -> Outcome<Load> {
    let request = callers.admin_get(target);
    let mut connection = Connection::open(gateway.address).await?;
    let response = expect(200, connection.fetch(&request).await?)?;
    Ok(Load {
        address: gateway.address,
        request,
        expected: Outline {
            status: response.status,
            body_length: response.body.len(),
        },
    })
}

/// One visitor to each at the same time.
async fn visit_all(
    effort: &Effort,
    loads: &[Load; 2],
    rounds: &mut [Vec<Waits>; 2],
) -> Outcome<()> {
    let [own, other] = loads;
    let (own, other) = tokio::try_join!(own.visit(effort.round), other.visit(effort.round))?;
    for (round, rounds) in [own, other].into_iter().zip(rounds) {
        rounds.push(Waits::of(&round));
    }
    Ok(())
}

/// How long the answers of one round took.
#[derive(Clone, Copy)]
struct Waits {
    rate: f64,
    p50: Duration,
    p99: Duration,
}

impl Waits {
    fn of(round: &Round) -> Self {
        Self {
            rate: round.rate(),
            p50: round.percentile(50),
            p99: round.percentile(99),
        }
    }

    fn row(&self, name: &str) -> Row {
        Row {
            p50: Some(self.p50),
            p99: Some(self.p99),
            ..Row::new(name, format!("{:.0}/s", self.rate))
        }
    }
}

/// The round with the median p99.
fn median(mut rounds: Vec<Waits>) -> Outcome<Waits> {
    rounds.sort_by_key(|round| round.p99);
    let middle = rounds.get(rounds.len() / 2);
    Ok(*middle.ok_or("nothing was measured")?)
}
