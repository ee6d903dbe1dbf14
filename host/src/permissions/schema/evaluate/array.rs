//! The keywords for lists.

use std::collections::HashSet;

use serde_json::Value;

use super::super::Fault;
use super::super::node::{ArrayKeywords, Contains};
use super::scalar::canonical;
use super::{Evaluated, Evaluation};

impl Evaluation<'_> {
    pub(super) fn array(
        &mut self,
        node: &ArrayKeywords,
        items: &[Value],
        evaluated: &mut Evaluated,
    ) -> Result<bool, Fault> {
        let count = items.len() as f64;
        let mut valid = !node.max_items.is_some_and(|max| count > max)
            && !node.min_items.is_some_and(|min| count < min);
        let mut stopped = false;
        for (index, item) in items.iter().enumerate() {
            let Some(schema) = node.prefix.get(index).copied().or(node.items) else {
                break;
            };
            self.note(evaluated, &index.to_string());
            if !self.part(schema, item)? {
                stopped = true;
                break;
            }
        }
        valid &= !stopped;
        if let Some(contains) = &node.contains {
            valid &= self.contains(contains, items, evaluated)?;
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
                    valid &= self.part(unevaluated, item)?;
                    self.note(evaluated, &key);
                }
            }
        }
        if node.unique {
            let mut seen = HashSet::new();
            valid &= items.iter().all(|item| seen.insert(canonical(item)));
        }
        Ok(valid)
    }

    /// Without a minimum one item is asked for, unless only a maximum is given.
    fn contains(
        &mut self,
        node: &Contains,
        items: &[Value],
        evaluated: &mut Evaluated,
    ) -> Result<bool, Fault> {
        let count = items.len() as f64;
        if node.min.is_some_and(|min| count < min) || (node.min.is_none() && items.is_empty()) {
            return Ok(false);
        }
        let mut matched = 0.0;
        for (index, item) in items.iter().enumerate() {
            if self.part(node.schema, item)? {
                matched += 1.0;
                self.note(evaluated, &index.to_string());
            }
        }
        Ok(match (node.min, node.max) {
            (None, None) => matched > 0.0,
            (Some(min), _) if matched < min => false,
            (_, Some(max)) => max.is_nan() || matched <= max,
            (Some(_), None) => true,
        })
    }
}
