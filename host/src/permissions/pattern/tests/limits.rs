//! Hostile patterns are refused, decided, or given up after a number of steps that is the same for all of them.

use super::super::backtrack::{MAX_STEPS, Program};
use super::super::{TooCostly, syntax};
use super::{Absent, Found, Rejected, answer};

/// The steps of the backtracking matcher, also where a finite automaton would do.
fn steps(pattern: &str, text: &str) -> u32 {
    let tree = syntax::parse(pattern).expect("a valid pattern");
    Program::compile(&tree).expect("a program").counted(text).1
}

#[test]
fn catastrophic_backtracking_is_given_up_after_a_fixed_number_of_steps() {
    let text = "a".repeat(5000);
    for pattern in [
        r"(a+)+\1!$",
        r"(a*)*\1!",
        r"(a|a)*\1b",
        r"((a*)*)*\2!",
        r"(?=(a*)*b)",
        r"(?=((a+)+)+!)",
        r"(?<=b(a|a)*)!",
        r"(?!(?!(?!(a|aa)+$)!)!)\1!",
        r"(?=(?:(?=(a+)+b)|a)*b)",
        r"(.*)(.*)(.*)(.*)\1\2\3\4!",
    ] {
        assert_eq!(answer(pattern, &text), Err(TooCostly), "{pattern}");
        assert_eq!(steps(pattern, &text), MAX_STEPS + 1, "{pattern}");
    }
}

#[test]
fn a_regular_pattern_is_decided_however_it_would_backtrack() {
    let text = "a".repeat(5000);
    for pattern in [
        "(a+)+!$",
        "(a|a)*!",
        "(a*)*!",
        "^(a|aa)+!$",
        "(.*)(.*)(.*)!",
        "(a?){500}!",
    ] {
        assert_eq!(answer(pattern, &text), Ok(Absent), "{pattern}");
        assert_eq!(
            steps(pattern, &text),
            MAX_STEPS + 1,
            "{pattern} would not backtrack"
        );
    }
}

#[test]
fn what_people_write_takes_steps_in_proportion_to_the_text() {
    for pattern in [
        r"^(?!.*\.\.).*$",
        r"^/api/(?!admin/)[^/]+(/.*)?$",
        "(?<=^/x/)[^/]+$",
        r"^/([^/]+)/\1(/.*)?$",
        r"^(?=.*/)(?=.*a)[a/]+$",
    ] {
        let [short, long] = [100, 1000].map(|length| steps(pattern, &"/a".repeat(length)));
        assert!(long <= short * 11, "{pattern}: {short} steps, then {long}");
        assert!(long <= 25_000, "{pattern}: {long}");
    }
}

#[test]
fn what_a_step_does_is_counted_too() {
    // Each round forgets a thousand captures; each comparison reads a thousand bytes.
    let groups = format!("(?=(?:{}a)*!)", "()".repeat(1000));
    let bytes = format!(r"^({}+)(?:x|\1)*!", "a".repeat(1000));
    assert_eq!(steps(&groups, &"a".repeat(300)), MAX_STEPS + 1);
    let few = steps(&bytes, &"a".repeat(2_000));
    assert!(few > 1000 / 32 * 1000, "{few}");
}

#[test]
fn large_patterns_are_refused_or_compiled() {
    let nested = |open: &str, times: usize| format!("{}a{}", open.repeat(times), ")".repeat(times));
    for (pattern, text, expected) in [
        ("(".repeat(60_000), "a", Ok(Rejected)),
        (nested("(", 100_000), "a", Ok(Rejected)),
        (nested("(?:", 10_000), "a", Ok(Rejected)),
        (nested("(?=", 10_000), "a", Ok(Rejected)),
        (nested("(?=", 150), "a", Ok(Found)),
        (nested("(", 150), "a", Ok(Found)),
        ("()".repeat(30_000), "a", Ok(Found)),
        (format!(r"{}\1", "()".repeat(30_000)), "a", Ok(Found)),
        ("a|".repeat(20_000), "b", Ok(Found)),
        ("a".repeat(100_000), "b", Ok(Rejected)),
        (r"\p{L}".repeat(9_000), "b", Ok(Absent)),
        (
            format!(r"{}(?=b)", r"[\p{L}\d]".repeat(5_000)),
            "b",
            Ok(Absent),
        ),
        ("a{1000}{1000}{1000}".to_owned(), "a", Ok(Rejected)),
        ("((a{1000}){1000}){1000}".to_owned(), "a", Ok(Absent)),
        ("(?=((a{1000}){1000}){1000})".to_owned(), "a", Ok(Absent)),
        (
            "(?:(?:a{4294967295}){4294967295}){99999999999}".to_owned(),
            "a",
            Ok(Absent),
        ),
        ("(?:a{0,1000}){0,1000}$".to_owned(), "b", Ok(Found)),
        ("\0".to_owned(), "a\0", Ok(Found)),
        (r"[\0-\x1f]".to_owned(), "a\0", Ok(Found)),
        (
            r"\ud800|\udc00|[\ud800-\udfff]".to_owned(),
            "😀",
            Ok(Absent),
        ),
    ] {
        let shown: String = pattern.chars().take(40).collect();
        assert_eq!(
            answer(&pattern, text),
            expected,
            "{shown} of {}",
            pattern.len()
        );
    }
}
