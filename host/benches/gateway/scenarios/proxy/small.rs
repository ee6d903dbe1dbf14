//! What a small request costs.

use super::Stage;
use crate::Outcome;
use crate::report::{Row, Verdict};
use crate::scenarios::rounds::compare;
use crate::scenarios::{Effort, progress};
use crate::upstream::SMALL;

pub async fn measure(effort: &Effort) -> Outcome<Vec<Row>> {
    progress("small requests through the proxy");
    let stage = Stage::set().await?;
    let sides = [&stage.gateway, &stage.plain, &stage.upstream];
    let sides = sides.map(|server| (server, stage.small(server)));
    let [(own_cpu, own), (plain_cpu, plain), (direct_cpu, direct)] = compare(effort, sides).await?;
    stage.strike().await?;
    let verdict = Verdict::at_least(
        own.rate() / plain.rate(),
        0.5,
        "the plain reverse proxy's rate",
    );
    Ok(vec![
        Row::of_round(
            &format!("GET through minds-api-proxy, {SMALL} bytes"),
            &own,
            Some(own_cpu),
        )
        .with_verdict(verdict),
        Row::of_round("  through a plain reverse proxy", &plain, Some(plain_cpu)),
        Row::of_round("  straight to the upstream", &direct, Some(direct_cpu)),
    ])
}
