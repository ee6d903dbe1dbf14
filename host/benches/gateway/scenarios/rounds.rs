//! Rounds of load: compared sides take turns, and of the rounds of each the median counts.

use std::time::Duration;

use super::Effort;
use crate::Outcome;
use crate::load::{Load, Round};
use crate::process::Server;

/// The processor time that one request took the server, and the round that it was measured in.
pub type Measured = (Duration, Round);

/// The median round of each side.
pub async fn compare<const SIDES: usize>(
    effort: &Effort,
    sides: [(&Server, Load); SIDES],
) -> Outcome<[Measured; SIDES]> {
    for (_, load) in &sides {
        load.round(effort.warm_up).await?;
    }
    let mut rounds = [const { Vec::new() }; SIDES];
    for _ in 0..effort.rounds {
        for ((server, load), rounds) in sides.iter().zip(&mut rounds) {
            let before = server.cpu_time()?;
            let round = load.round(effort.round).await?;
            let cpu = server.cpu_time()?.saturating_sub(before);
            rounds.push((cpu.div_f64(round.operations as f64), round));
        }
    }
    Ok(rounds.map(median))
}

/// The round with the median rate.
pub fn median(mut rounds: Vec<Measured>) -> Measured {
    rounds.sort_by(|(_, a), (_, b)| a.rate().total_cmp(&b.rate()));
    rounds.swap_remove(rounds.len() / 2)
}
