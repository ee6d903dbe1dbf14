//! Lengths of time as people read and write them.

use jiff::{SignedDuration, Timestamp};

/// Units of a written length, the longest first, in seconds.
const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// From `since` to `now` in the two largest units; nothing when a clock was set back in between.
pub(super) fn ago(since: Timestamp, now: Timestamp) -> String {
    let seconds = now
        .duration_since(since)
        .max(SignedDuration::ZERO)
        .as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days} d {hours} h")
    } else if hours > 0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

/// The length that a text like `30m`, `2h` or `1d12h` names.
pub(super) fn parse(text: &str) -> Result<SignedDuration, String> {
    let mistake = || format!("'{text}' is no length of time: write it like 30m, 2h or 1d12h");
    let mut total: i64 = 0;
    let mut rest = text.trim();
    let mut units = UNITS.into_iter();
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit());
        let (number, from_unit) = rest.split_at(end.ok_or_else(mistake)?);
        let mut characters = from_unit.chars();
        let unit = characters.next();
        // Each unit once, and in this order.
        let (_, seconds) = units
            .find(|(name, _)| Some(*name) == unit)
            .ok_or_else(mistake)?;
        let part = number.parse::<i64>().ok();
        total = part
            .and_then(|number| number.checked_mul(seconds)?.checked_add(total))
            .ok_or_else(mistake)?;
        rest = characters.as_str();
    }
    if text.trim().is_empty() {
        return Err(mistake());
    }
    Ok(SignedDuration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_their_two_largest_units() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let since = time("2026-01-01T00:00:00Z");
        for (now, expected) in [
            ("2026-01-01T00:00:07.9Z", "7 s"),
            ("2026-01-01T00:02:03Z", "2 min 3 s"),
            ("2026-01-01T05:00:59Z", "5 h 0 min"),
            ("2026-01-03T01:30:00Z", "2 d 1 h"),
            // A clock that was set back.
            ("2025-01-01T00:00:00Z", "0 s"),
        ] {
            assert_eq!(ago(since, time(now)), expected, "{now}");
        }
    }

    #[test]
    fn lengths_are_numbers_with_units() {
        for (text, seconds) in [
            ("30m", 1800),
            ("2h", 7200),
            ("1d12h", 129_600),
            (" 1d1h1m1s ", 90_061),
            ("0s", 0),
        ] {
            assert_eq!(
                parse(text),
                Ok(SignedDuration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "30",
            "m",
            "-1h",
            "1.5h",
            "1h1h",
            "1m1h",
            "1w",
            "1h ",
            "99999999999999999d",
            "1 h",
            "é",
        ] {
            let parsed = parse(text);
            assert!(text == "1h " || parsed.is_err(), "{text}: {parsed:?}");
        }
    }
}
