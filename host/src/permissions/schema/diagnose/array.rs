//! The keywords for lists.

use std::collections::HashSet;

use serde_json::Value;

use super::super::evaluate::{Evaluated, canonical};
use super::super::node::{ArrayKeywords, Contains};
use super::Mismatch;
use super::walk::{Here, Walk};

impl Walk<'_> {
    pub(super) fn array(
        &mut self,
        node: &ArrayKeywords,
        here: &Here<'_, '_>,
        items: &[Value],
        evaluated: &mut Evaluated,
    ) -> Vec<Mismatch> {
        let count = items.len() as f64;
        let mut reasons = Vec::new();
        if node.max_items.is_some_and(|max| count > max) {
            reasons.push(self.counted(here, "maxItems", items.len()));
        }
        if node.min_items.is_some_and(|min| count < min) {
            reasons.push(self.counted(here, "minItems", items.len()));
        }
        let mut stopped = false;
        for (index, item) in items.iter().enumerate() {
            let Some(schema) = node.prefix.get(index).copied().or(node.items) else {
                break;
            };
            let key = index.to_string();
            let found = self.member(schema, here.part, &key, item);
            evaluated.own.insert(key);
            if !found.is_empty() {
                reasons.extend(found);
                stopped = true;
                break;
            }
        }
        if let Some(contains) = &node.contains {
            reasons.extend(self.contains(contains, here, items, evaluated));
        }
        if !stopped && let Some(unevaluated) = node.unevaluated {
            let first = if node.items.is_some() {
                items.len()
            } else {
                node.prefix.len().min(items.len())
            };
            for (index, item) in items.iter().enumerate().skip(first) {
                let key = index.to_string();
                if !evaluated.contains(&key) {
                    reasons.extend(self.member(unevaluated, here.part, &key, item));
                    evaluated.own.insert(key);
                }
            }
        }
        let mut seen = HashSet::new();
        if node.unique && !items.iter().all(|item| seen.insert(canonical(item))) {
            reasons.push(self.reason(here, "uniqueItems"));
        }
        reasons
    }

    fn contains(
        &mut self,
        node: &Contains,
        here: &Here<'_, '_>,
        items: &[Value],
        evaluated: &mut Evaluated,
    ) -> Option<Mismatch> {
        let count = items.len() as f64;
        if node.min.is_some_and(|min| count < min) {
            return Some(self.counted(here, "minContains", items.len()));
        }
        if node.min.is_none() && items.is_empty() {
            return Some(self.counted(here, "contains", 0));
        }
        let mut matched = 0_usize;
        for (index, item) in items.iter().enumerate() {
            if self.schemas.matches(node.schema, item) == Ok(true) {
                matched += 1;
                evaluated.own.insert(index.to_string());
            }
        }
        let found = matched as f64;
        let keyword = match (node.min, node.max) {
            (None, None) if matched > 0 => return None,
            (None, None) => "contains",
            (Some(min), _) if found < min => "minContains",
            (_, Some(max)) if !max.is_nan() && found > max => "maxContains",
            _ => return None,
        };
        Some(self.counted(here, keyword, matched))
    }

    fn counted(&self, here: &Here<'_, '_>, keyword: &'static str, count: usize) -> Mismatch {
        Mismatch {
            actual: Some(count.into()),
            ..self.reason(here, keyword)
        }
    }
}
