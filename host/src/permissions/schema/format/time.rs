//! Dates, times and durations, as RFC 3339 and ISO 8601 write them.

fn number(text: &str, length: usize) -> Option<u32> {
    let is_number = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

pub(super) fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let mut next = |length| number(parts.next()?, length);
    let (Some(year), Some(month), Some(day)) = (next(4), next(2), next(2)) else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=last).contains(&day)
}

/// The offset from UTC is optional.
pub(super) fn is_time(text: &str) -> bool {
    clock(text).is_some()
}

/// Here the offset is not optional, and `T` may be a space.
pub(super) fn is_date_time(text: &str) -> bool {
    let is_separator = |c: char| matches!(c, 't' | 'T') || super::is_space(c);
    let mut parts = text.split(is_separator);
    let (Some(date), Some(time), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    is_date(date) && clock(time) == Some(true)
}

/// Whether an offset follows the time; `None` when it is no time.
fn clock(text: &str) -> Option<bool> {
    let (clock, rest) = text.split_at_checked(8)?;
    let mut parts = clock.splitn(3, ':');
    let mut next = || number(parts.next()?, 2);
    let (hour, minute, second) = (next()?, next()?, next()?);
    let is_leap_second = (hour, minute, second) == (23, 59, 60);
    if !is_leap_second && (hour > 23 || minute > 59 || second > 59) {
        return None;
    }
    let offset = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (offset.len() < fraction.len()).then_some(offset)?
        }
    };
    if offset.is_empty() {
        return Some(false);
    }
    let is_offset = offset.eq_ignore_ascii_case("z")
        || offset.strip_prefix(['+', '-']).is_some_and(|offset| {
            let (hours, minutes) = offset.split_at_checked(2).unwrap_or((offset, ""));
            let minutes_are_right = minutes.is_empty()
                || number(minutes.strip_prefix(':').unwrap_or(minutes), 2).is_some();
            number(hours, 2).is_some() && minutes_are_right
        });
    is_offset.then_some(true)
}

/// Only the last number may have a fraction.
pub(super) fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P').filter(|_| text.len() < 80) else {
        return false;
    };
    if let Some(weeks) = rest.strip_suffix('W') {
        return is_decimal(weeks);
    }
    let (date, time) = match rest.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (rest, None),
    };
    match time {
        None => !date.is_empty() && has_units(date, "YMD", true),
        Some(time) => {
            !time.is_empty() && has_units(date, "YMD", false) && has_units(time, "HMS", true)
        }
    }
}

fn has_units(mut rest: &str, units: &str, may_end_in_fraction: bool) -> bool {
    for unit in units.chars() {
        let Some((count, others)) = rest.split_once(unit) else {
            continue;
        };
        let is_last = others.is_empty() && may_end_in_fraction;
        let is_count =
            is_decimal(count) && (is_last || count.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_count {
            return false;
        }
        rest = others;
    }
    rest.is_empty()
}

fn is_decimal(text: &str) -> bool {
    let mut parts = text.splitn(2, ['.', ',']);
    parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}
