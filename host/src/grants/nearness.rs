//! Which of the names that exist somebody may have meant.

/// More would be a list to read through.
const MOST: usize = 3;

/// Those of `known` that differ from `wrong` by little, the nearest first.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (wrong.chars().count() / 4).clamp(1, 5);
    let mut near: Vec<_> = known
        .filter_map(|name| {
            let distance = distance(wrong, name);
            // What begins as it does may be far away and still be meant.
            let is_begun = wrong.len() >= 4 && name.starts_with(wrong);
            (distance <= limit || is_begun).then_some((distance, name))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.truncate(MOST);
    near.into_iter().map(|(_, name)| name).collect()
}

/// How many characters must be put in, left out or exchanged to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, character) in one.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, candidate) in row.iter_mut().skip(1).zip(&other) {
            let replaced = diagonal + usize::from(character != *candidate);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_in_characters() {
        for (one, other, expected) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "é", 1),
            ("kitten", "sitting", 3),
            ("slack-raed-all", "slack-read-all", 2),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn the_nearest_come_first_and_strangers_not_at_all() {
        let known = [
            "slack-read-all",
            "slack-write-all",
            "github-read-all",
            "slack-read-users",
        ];
        let near = |wrong| nearest(wrong, known.into_iter());
        assert_eq!(near("slack-raed-all"), ["slack-read-all"]);
        assert_eq!(near("slack-read"), ["slack-read-all", "slack-read-users"]);
        assert!(near("zebra").is_empty() && near("").is_empty());
    }
}
