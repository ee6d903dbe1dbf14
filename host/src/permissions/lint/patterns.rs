//! Patterns that let more through than they seem to.

use serde_json::Value;

use super::keywords::pointer_step;
use super::policy::{Policy, Used};
use super::shape::Property;
use super::walk::{Spot, walk};
use super::{Code, Finding};
use crate::permissions::pattern::Survey;

/// What a stranger could put before or behind a name.
const BEFORE_DOMAIN: [&str; 1] = ["evil"];
const BEHIND_DOMAIN: [&str; 2] = [".evil.example", "evil"];
const BEFORE_PATH: [&str; 2] = ["/other", "/other/"];
const BEHIND_PATH: [&str; 3] = ["-other", "/other", "other"];

pub(super) fn look(policy: &Policy, findings: &mut Vec<Finding>) {
    for used in policy.used() {
        walk(used.schema, &mut |spot| look_at(&used, spot, findings));
    }
}

fn look_at(used: &Used<'_>, spot: &Spot<'_>, findings: &mut Vec<Finding>) {
    if let Some(Value::Object(members)) = spot.keywords.get("patternProperties") {
        for source in members.keys() {
            let place = format!("{}/patternProperties/{}", spot.place, pointer_step(source));
            look_at_cost(used, &place, source, findings);
        }
    }
    let Some(source) = spot.keywords.get("pattern").and_then(Value::as_str) else {
        return;
    };
    let place = format!("{}/pattern", spot.place);
    look_at_cost(used, &place, source, findings);
    let property = match spot.about.as_slice() {
        [name] if spot.is_positive => Property::named(name),
        _ => None,
    };
    if let (Some(property), Some(survey)) = (property, Survey::of(source)) {
        let pattern = Pattern {
            property,
            source,
            survey,
        };
        let found = pattern.findings();
        findings.extend(
            found
                .into_iter()
                .map(|(code, message, advice)| used.finding(&place, code, message, advice)),
        );
    }
}

fn look_at_cost(used: &Used<'_>, place: &str, source: &str, findings: &mut Vec<Finding>) {
    if Survey::of(source).is_some_and(|survey| survey.needs_backtracking()) {
        findings.push(used.finding(
            place,
            Code::BacktrackingPattern,
            format!("{source:?} takes the slower matcher, which denies with an error when a text is too hard for it"),
            "do without lookarounds and backreferences where you can, for instance by a \"not\" beside the pattern",
        ));
    }
}

/// A pattern for one property of a request.
struct Pattern<'a> {
    property: Property,
    source: &'a str,
    survey: Survey,
}

type Found = (Code, String, String);

impl Pattern<'_> {
    fn findings(&self) -> Vec<Found> {
        let is_line = [
            Property::DOMAIN,
            Property::METHOD,
            Property::PATH,
            Property::PROTOCOL,
        ];
        if !is_line.contains(&self.property) {
            return Vec::new();
        }
        let lead = (self.property == Property::PATH).then_some('/');
        if self.survey.takes_everything(lead) {
            return vec![(
                Code::MatchesEverything,
                format!("{:?} matches every {}", self.source, self.property.name()),
                "remove it, or say what is meant".to_owned(),
            )];
        }
        let mut found = Vec::new();
        found.extend(self.impossible());
        found.extend(self.unanchored());
        found.extend(self.loose_dot());
        found
    }

    fn impossible(&self) -> Option<Found> {
        let lead = self.survey.leading_text();
        let objection = self.property.objection_to_lead(&lead)?;
        let name = self.property.name();
        Some((
            Code::ImpossibleValue,
            format!("no request's {name} begins with {lead:?}: it {objection}"),
            "write it as requests have it".to_owned(),
        ))
    }

    fn unanchored(&self) -> Option<Found> {
        let (before, behind): (&[&str], &[&str]) = match self.property {
            Property::DOMAIN if !self.begins_with_dot() => (&BEFORE_DOMAIN, &BEHIND_DOMAIN),
            Property::DOMAIN => (&[], &BEHIND_DOMAIN),
            Property::PATH => (&BEFORE_PATH, &BEHIND_PATH),
            _ => return None,
        };
        let start = self.survey.open_start(before);
        let end = self.survey.open_end(behind);
        let lacking = match (&start, &end) {
            (None, None) => return None,
            (Some(_), None) => "no ^ at its beginning, so anything may stand before it",
            (None, Some(_)) => "no $ at its end, so anything may stand behind it",
            (Some(_), Some(_)) => "neither ^ nor $, so anything may stand around it",
        };
        let examples: Vec<_> = start
            .iter()
            .chain(&end)
            .map(|text| format!("{text:?}"))
            .collect();
        Some((
            Code::UnanchoredPattern,
            format!(
                "{:?} has {lacking}: it matches {} too",
                self.source,
                examples.join(" and ")
            ),
            "anchor every alternative, ^(...)$; write .* where anything may stand".to_owned(),
        ))
    }

    /// What is left open before a dot is a subdomain, which is hardly an oversight.
    fn begins_with_dot(&self) -> bool {
        self.source.starts_with("\\.")
    }

    fn loose_dot(&self) -> Option<Found> {
        if self.property != Property::DOMAIN {
            return None;
        }
        let (meant, other) = self.survey.loose_dot()?;
        Some((
            Code::UnescapedDot,
            format!(
                "a . in {:?} stands for any character: it matches {other:?} as well as {meant:?}",
                self.source
            ),
            "write \\. for a dot, in JSON \"\\\\.\"".to_owned(),
        ))
    }
}
