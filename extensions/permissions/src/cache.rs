//! A map of limited weight that forgets what was not asked for longest.

use std::collections::HashMap;

/// Values by name, together at most `limit` bytes of names and contents. A value that alone is heavier is not kept.
#[derive(Debug)]
pub struct Cache<V> {
    entries: HashMap<String, Entry<V>>,
    limit: usize,
    weight: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<V> Cache<V> {
    /// An empty cache for at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            entries: HashMap::new(),
            limit,
            weight: 0,
            clock: 0,
        }
    }

    /// The value of this name.
    pub fn get(&mut self, name: &str) -> Option<&V> {
        self.clock += 1;
        let entry = self.entries.get_mut(name)?;
        entry.used = self.clock;
        Some(&entry.value)
    }

    /// Keeps a value whose content has `bytes` bytes, in place of the one of the same name.
    pub fn insert(&mut self, name: &str, value: V, bytes: usize) {
        self.remove(name);
        let weight = name.len().saturating_add(bytes);
        if weight > self.limit {
            return;
        }
        while self.weight + weight > self.limit {
            let Some(oldest) = self
                .entries
                .iter()
                .min_by_key(|(_, entry)| entry.used)
                .map(|(name, _)| name.clone())
            else {
                break;
            };
            self.remove(&oldest);
        }
        self.clock += 1;
        self.weight += weight;
        self.entries.insert(
            name.to_owned(),
            Entry {
                value,
                weight,
                used: self.clock,
            },
        );
    }

    /// Forgets the value of this name.
    pub fn remove(&mut self, name: &str) {
        if let Some(entry) = self.entries.remove(name) {
            self.weight -= entry.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_was_not_used_longest_goes_first() {
        let mut cache = Cache::new(8);
        cache.insert("a", 1, 3);
        cache.insert("b", 2, 3);
        assert_eq!(cache.get("a"), Some(&1));
        cache.insert("c", 3, 3);
        assert_eq!(
            (
                cache.get("a").copied(),
                cache.get("b").copied(),
                cache.get("c").copied()
            ),
            (Some(1), None, Some(3))
        );
        assert_eq!(cache.weight, 8);
    }

    #[test]
    fn a_replaced_value_weighs_once_and_one_too_heavy_is_not_kept() {
        let mut cache = Cache::new(8);
        cache.insert("a", 1, 3);
        cache.insert("a", 2, 5);
        assert_eq!((cache.get("a").copied(), cache.weight), (Some(2), 6));
        cache.insert("a", 3, 9);
        assert_eq!((cache.get("a").copied(), cache.weight), (None, 0));
    }
}
