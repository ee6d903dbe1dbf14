//! Generated patterns and texts, answered by both of our matchers and by another implementation of ECMAScript's patterns.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::backtrack::Program;
use super::super::{Pattern, syntax};

const ATOMS: [&str; 57] = [
    "a",
    "b",
    "1",
    "-",
    "_",
    "é",
    "😀",
    "/",
    ".",
    "^",
    "$",
    r"\d",
    r"\D",
    r"\w",
    r"\W",
    r"\s",
    r"\S",
    r"\b",
    r"\B",
    r"\.",
    r"\/",
    r"\x61",
    r"\u0061",
    r"\u{1F600}",
    r"\uD83D\uDE00",
    r"\cJ",
    r"\n",
    r"\0",
    r"\1",
    r"\2",
    r"\k<n>",
    "[]",
    "[^]",
    "[ab]",
    "[^a]",
    "[a-c1]",
    r"[\w-]",
    r"[^\W\d]",
    r"[\p{L}_]",
    r"[^\P{Lu}é]",
    r"[\b\n]",
    r"[é-😀]",
    r"[\]\\^]",
    r"\p{L}",
    r"\P{L}",
    r"\p{Lu}",
    r"\p{ASCII}",
    r"\p{Script=Latin}",
    "{",
    "]",
    r"\-",
    r"\e",
    "[b-a]",
    r"\p{x}",
    r"\u{110000}",
    "a{2,1}",
    "*",
];
/// The last nine of them are refused where they stand.
const VALID: usize = 48;

fn atom() -> impl Strategy<Value = String> {
    prop_oneof![
        40 => select(&ATOMS[..VALID]),
        1 => select(&ATOMS[VALID..]),
    ]
    .prop_map(str::to_owned)
}

fn pattern() -> impl Strategy<Value = String> {
    atom().prop_recursive(4, 16, 4, |inner| {
        let open = select(&["(", "(?:", "(", "(?=", "(?!", "(?<=", "(?<!", "(?<n>"][..]);
        let quantifier = select(&["*", "+", "?", "{2}", "{0,2}", "{1,}", "{0}"][..]);
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..4).prop_map(|parts| parts.concat()),
            1 => (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one}|{other}")),
            2 => (open, inner.clone()).prop_map(|(open, inner)| format!("{open}{inner})")),
            2 => (inner, quantifier, any::<bool>())
                .prop_map(|(inner, quantifier, lazy)| format!("{inner}{quantifier}{}", if lazy { "?" } else { "" })),
        ]
    })
}

fn oracle(pattern: &str) -> Option<regress::Regex> {
    let flags = regress::Flags {
        unicode: true,
        ..regress::Flags::default()
    };
    regress::Regex::with_flags(pattern, flags).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn another_implementation_gives_the_same_answer(
        pattern in pattern(),
        texts in prop::collection::vec(r"[ab1é😀_/\n\x00 -]{0,7}", 4),
    ) {
        let (ours, oracle) = (Pattern::new(&pattern), oracle(&pattern));
        // It lets boundaries be repeated, which ECMAScript does not.
        let is_refused = ours.as_ref().is_err_and(|reason| reason != "nothing to repeat");
        prop_assert!(ours.is_err() || oracle.is_some(), "/{}/u", pattern);
        prop_assert!(!is_refused || oracle.is_none(), "/{}/u: {:?}", pattern, ours);
        if let (Ok(ours), Some(oracle)) = (ours, oracle) {
            let tree = syntax::parse(&pattern).expect("it was parsed");
            let program = Program::compile(&tree).expect("a small pattern");
            for text in texts {
                let expected = Ok(oracle.find(&text).is_some());
                prop_assert_eq!(ours.is_match(&text).map_err(drop), expected, "/{}/u on {:?}", pattern, text);
                prop_assert_eq!(program.counted(&text).0.map_err(drop), expected, "/{}/u on {:?}, backtracking", pattern, text);
            }
        }
    }
}
