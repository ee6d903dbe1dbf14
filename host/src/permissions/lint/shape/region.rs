//! A region: requests by what is demanded of each of their properties.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::Property;
use super::atom::{Atom, Conjunction};

/// Properties by whose values a region may be split, to lie in several others together.
const SPLIT: [Property; 4] = [
    Property::DOMAIN,
    Property::METHOD,
    Property::PROTOCOL,
    Property::PATH,
];
/// More values than are worth a split.
const MAX_VALUES: usize = 128;

/// The requests whose properties meet all demands.
#[derive(Debug, Clone)]
pub(super) struct Region {
    is_exact: bool,
    places: BTreeMap<Property, Place>,
}

/// What is demanded of one property.
#[derive(Debug, Clone, Default)]
struct Place {
    is_required: bool,
    /// Hold for the value, if there is one.
    demands: Conjunction,
    /// The values that meet every demand, where few could.
    values: Option<Vec<Value>>,
    /// What every text that meets the demands begins with.
    lead: String,
}

impl Region {
    pub(super) fn everything() -> Self {
        Self {
            is_exact: true,
            places: BTreeMap::new(),
        }
    }

    /// Requests of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self::everything().vague()
    }

    /// The same requests and perhaps fewer.
    pub(super) fn vague(self) -> Self {
        Self {
            is_exact: false,
            ..self
        }
    }

    /// Requests that have the property.
    pub(super) fn with(property: Property) -> Self {
        let mut region = Self::everything();
        region.places.entry(property).or_default().is_required = !property.is_constant();
        region
    }

    /// Requests whose value there, if any, meets the demands. `None` where there is no such request.
    pub(super) fn demanding(property: Property, demands: Conjunction) -> Option<Self> {
        let mut region = Self::everything();
        region.places.entry(property).or_default().demands = demands;
        region.narrowed()
    }

    pub(super) fn is_exact(&self) -> bool {
        self.is_exact
    }

    pub(super) fn is_everything(&self) -> bool {
        self.is_exact
            && self
                .places
                .values()
                .all(|place| place.demands.is_empty() && !place.is_required)
    }

    /// The requests of both; `None` where there is none for certain.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        both.is_exact &= other.is_exact;
        for (property, place) in &other.places {
            let own = both.places.entry(*property).or_default();
            own.is_required |= place.is_required;
            own.demands.extend(place.demands.iter().map(Rc::clone));
            own.values = None;
        }
        both.narrowed()
    }

    /// Whether there may be a request in both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.may_meet(other) && self.and(other).is_some()
    }

    /// With what is possible at every place; `None` where nothing is that must be.
    fn narrowed(mut self) -> Option<Self> {
        let is_possible = self.places.iter_mut().all(|(property, place)| {
            place.narrow(*property) || !(property.is_constant() || place.is_required)
        });
        is_possible.then_some(self)
    }

    /// Whether every request lies in one of `others`, which are exact.
    pub(super) fn is_within(&self, others: &[&Self]) -> bool {
        let near: Vec<&Self> = others
            .iter()
            .copied()
            .filter(|other| self.may_meet(other))
            .collect();
        if near.iter().any(|other| self.is_inside(other)) {
            return true;
        }
        let Some((property, values)) = self.split().filter(|_| near.len() > 1) else {
            return false;
        };
        values
            .iter()
            .all(|value| self.at(property, value).is_within(&near))
    }

    /// Whether parts of it may lie in different regions.
    pub(super) fn is_divisible(&self) -> bool {
        self.split().is_some()
    }

    /// The values by which it is worth a split.
    fn split(&self) -> Option<(Property, &[Value])> {
        SPLIT.into_iter().find_map(|property| {
            let values = self.values(property)?;
            (2..=MAX_VALUES)
                .contains(&values.len())
                .then_some((property, values))
        })
    }

    /// Those of the requests that have this value there.
    fn at(&self, property: Property, value: &Value) -> Self {
        let mut region = self.clone();
        region.places.entry(property).or_default().values = Some(vec![value.clone()]);
        region
    }

    /// A quick look at what tells most regions apart.
    fn may_meet(&self, other: &Self) -> bool {
        SPLIT.into_iter().all(|property| {
            let (Some(own), Some(other)) =
                (self.places.get(&property), other.places.get(&property))
            else {
                return true;
            };
            let share_values = match (&own.values, &other.values) {
                (Some(own), Some(other)) => own.iter().any(|value| other.contains(value)),
                _ => true,
            };
            let shorter = own.lead.len().min(other.lead.len());
            share_values
                && own.lead.as_bytes().get(..shorter) == other.lead.as_bytes().get(..shorter)
        })
    }

    fn values(&self, property: Property) -> Option<&[Value]> {
        self.places.get(&property)?.values.as_deref()
    }

    fn is_inside(&self, other: &Self) -> bool {
        let nothing = Place::default();
        other.places.iter().all(|(property, wanted)| {
            let own = self.places.get(property).unwrap_or(&nothing);
            (own.is_required || !wanted.is_required)
                && wanted.demands.iter().all(|demand| own.implies(demand))
        })
    }
}

impl Place {
    /// Finds the values that meet every demand; false where none can.
    fn narrow(&mut self, property: Property) -> bool {
        if self.values.is_none() {
            let listed = self
                .demands
                .iter()
                .filter_map(|demand| demand.values.as_ref());
            let fewest = listed.min_by_key(|values| values.len()).cloned();
            self.values = fewest.map(|mut values| {
                values.retain(|value| {
                    !property.rules_out(value)
                        && self
                            .demands
                            .iter()
                            .all(|demand| demand.is_met_by(value) != Some(false))
                });
                values
            });
        }
        let leads = self.demands.iter().map(|demand| demand.lead.as_str());
        let longest = leads.max_by_key(|lead| lead.len());
        self.lead = longest.unwrap_or_default().to_owned();
        self.values.as_ref().is_none_or(|values| !values.is_empty())
            && property.objection_to_lead(&self.lead).is_none()
            && self
                .demands
                .iter()
                .all(|demand| self.lead.starts_with(&demand.lead))
    }

    /// Whether every value here is sure to meet the demand.
    fn implies(&self, demand: &Atom) -> bool {
        let by_values = self.values.as_ref().is_some_and(|values| {
            values
                .iter()
                .all(|value| demand.is_met_by(value) == Some(true))
        });
        by_values
            || demand.lead_is_all && self.lead.starts_with(&demand.lead)
            || self.demands.iter().any(|own| own.is_same(demand))
    }
}
