//! What evaluating a schema can cost at most, worked out once for all schemas of a file.
//!
//! A schema is *certain* when its evaluation has an answer for every request: nothing broken can be reached, no pattern
//! has a limit to hit, no reference runs in circles, and the steps stay below their limit however large the request is.
//! Nobody can tell whether a certain schema that does not match was evaluated or skipped.

use super::evaluate::{MAX_DEPTH, MAX_STEPS};
use super::node::{Keywords, Node, NodeId, StringKeywords};

/// What every schema can cost, by its node.
#[derive(Debug, Default)]
pub(super) struct Bounds(Vec<Option<Cost>>);

#[derive(Debug, Clone, Copy)]
struct Cost {
    steps: u32,
    depth: u32,
}

impl Bounds {
    /// Takes time in proportion to the nodes and what they refer to.
    pub(super) fn of(nodes: &[Node]) -> Self {
        let mut work = Work::of(nodes);
        while let Some(place) = work.ready.pop() {
            work.finish(place);
        }
        Self(work.finished)
    }

    pub(super) fn is_certain(&self, id: NodeId) -> bool {
        self.0.get(id.0).is_some_and(Option::is_some)
    }
}

/// Nodes are finished after the parts that they refer to; those on a circle, or that lead to one, never are.
struct Work {
    finished: Vec<Option<Cost>>,
    pending: Vec<Pending>,
    ready: Vec<usize>,
}

#[derive(Default)]
struct Pending {
    parents: Vec<usize>,
    open_parts: usize,
    /// What the finished parts cost; `None` when that has no bound.
    parts: Option<Cost>,
}

impl Work {
    fn of(nodes: &[Node]) -> Self {
        let mut pending: Vec<Pending> = Vec::new();
        pending.resize_with(nodes.len(), Pending::default);
        for (place, node) in nodes.iter().enumerate() {
            let mut parts = Vec::new();
            let is_plain = match node {
                Node::Constant(_) => true,
                Node::Broken(_) => false,
                Node::Keywords(keywords) => {
                    collect_parts(keywords, &mut parts);
                    is_plain(keywords)
                }
            };
            if let Some(own) = pending.get_mut(place) {
                own.open_parts = parts.len();
                own.parts = is_plain.then_some(Cost { steps: 0, depth: 0 });
            }
            for part in parts {
                if let Some(part) = pending.get_mut(part.0) {
                    part.parents.push(place);
                }
            }
        }
        let ready = pending.iter().enumerate();
        let ready = ready.filter(|(_, node)| node.open_parts == 0);
        Self {
            finished: vec![None; nodes.len()],
            ready: ready.map(|(place, _)| place).collect(),
            pending,
        }
    }

    fn finish(&mut self, place: usize) {
        let Some(pending) = self.pending.get_mut(place) else {
            return;
        };
        let parents = std::mem::take(&mut pending.parents);
        let cost = pending.parts.and_then(|parts| {
            let cost = Cost {
                steps: parts.steps.saturating_add(1),
                depth: parts.depth + 1,
            };
            (cost.steps <= MAX_STEPS && cost.depth <= MAX_DEPTH).then_some(cost)
        });
        for parent in parents {
            let Some(pending) = self.pending.get_mut(parent) else {
                continue;
            };
            pending.parts = pending.parts.zip(cost).map(|(parts, part)| Cost {
                steps: parts.steps.saturating_add(part.steps),
                depth: parts.depth.max(part.depth),
            });
            pending.open_parts = pending.open_parts.saturating_sub(1);
            if pending.open_parts == 0 {
                self.ready.push(parent);
            }
        }
        if let Some(finished) = self.finished.get_mut(place) {
            *finished = cost;
        }
    }
}

/// Whether the keywords themselves cannot fail, and look at each of their parts once.
fn is_plain(keywords: &Keywords) -> bool {
    let is_bounded = |string: &StringKeywords| {
        string
            .pattern
            .as_ref()
            .is_none_or(|p| p.pattern.is_bounded())
    };
    keywords.first_fault().is_none()
        && keywords.string.as_deref().is_none_or(is_bounded)
        && keywords.array.as_ref().is_none_or(|array| {
            array.items.is_none() && array.contains.is_none() && array.unevaluated.is_none()
        })
        && keywords.object.as_ref().is_none_or(|object| {
            object.property_names.is_none()
                && object.pattern_properties.is_empty()
                && object.additional.is_none()
                && object.unevaluated.is_none()
        })
}

/// The parts that are looked at once for every look at `keywords`; the others leave it without a bound anyway.
fn collect_parts(keywords: &Keywords, parts: &mut Vec<NodeId>) {
    parts.extend(keywords.reference);
    parts.extend(keywords.not);
    for branches in [&keywords.any_of, &keywords.all_of, &keywords.one_of] {
        parts.extend(branches.iter().flatten());
    }
    if let Some(condition) = &keywords.condition {
        parts.push(condition.test);
        parts.extend(condition.then);
        parts.extend(condition.otherwise);
    }
    if let Some(object) = &keywords.object {
        let named = object.properties.iter().chain(&object.dependent_schemas);
        parts.extend(named.map(|(_, part)| part));
    }
    if let Some(array) = &keywords.array {
        parts.extend(&array.prefix);
    }
}
