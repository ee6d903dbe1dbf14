//! Which requests a schema can match, as far as that can be told without a request.
//!
//! A [`Shape`] is a union of regions. Together they take in every request that the schema matches, never fewer; a region
//! that is exact takes in no other. So two shapes without a common region have no request in common, and what lies in an
//! exact region is sure to match. What is not understood makes a region inexact, never wrong.

mod atom;
mod property;
mod reader;
mod region;
#[cfg(test)]
mod tests;

pub(super) use property::{Kind, Property};
pub(super) use reader::Reader;
use region::Region;

/// More branches than a schema for people has. Beyond, a shape is left vague.
const MAX_REGIONS: usize = 512;

/// The regions of one schema.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    regions: Vec<Region>,
}

impl Shape {
    /// Whether it is certain that no request matches.
    pub(super) fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// Whether it is certain that every request matches.
    #[cfg(test)]
    pub(super) fn is_everything(&self) -> bool {
        self.regions.iter().any(Region::is_everything)
    }

    /// Whether it is certain that no request matches both.
    pub(super) fn is_disjoint(&self, other: &Self) -> bool {
        !self
            .regions
            .iter()
            .any(|one| other.regions.iter().any(|other| one.meets(other)))
    }

    /// Whether several others may cover it together of which none does alone.
    pub(super) fn is_divisible(&self) -> bool {
        self.regions.len() > 1 || self.regions.iter().any(Region::is_divisible)
    }

    /// Whether it is certain that every request that matches this one matches one of `others`.
    pub(super) fn is_covered_by(&self, others: &[&Self]) -> bool {
        let exact: Vec<&Region> = others
            .iter()
            .flat_map(|other| &other.regions)
            .filter(|region| region.is_exact())
            .collect();
        self.regions.iter().all(|region| region.is_within(&exact))
    }
}
