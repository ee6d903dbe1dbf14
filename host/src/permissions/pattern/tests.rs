//! What V8 answers for each pattern (flag `u`), and properties that hold for all of them.

mod limits;
mod oracle;

use proptest::prelude::*;
use regex::Regex;

use super::backtrack::Program;
use super::{Pattern, TooCostly, linear, syntax};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Found,
    Absent,
    Rejected,
}

use Answer::{Absent, Found, Rejected};

#[rustfmt::skip]
const CASES: &[(&str, &str, Answer)] = &[
    ("", "x", Found),
    ("a", "cat", Found),
    ("^a$", "a", Found),
    ("^a$", "a\u{a}", Absent),
    ("^b", "a\u{a}b", Absent),
    ("a.b", "a\u{a}b", Absent),
    ("a.b", "a\u{2028}b", Absent),
    ("a.b", "a\u{85}b", Found),
    ("a.b", "a😀b", Found),
    ("^.$", "😀", Found),
    (r"\d", "٣", Absent),
    (r"\D", "٣", Found),
    (r"\w", "é", Absent),
    (r"\W", "é", Found),
    (r"\w", "\u{17f}", Absent),
    (r"\w", "\u{212a}", Absent),
    (r"\s", "\u{feff}", Found),
    (r"\s", "\u{85}", Absent),
    (r"\s", "\u{180e}", Absent),
    (r"\s", "\u{a0}", Found),
    (r"\S", "\u{2028}", Absent),
    (r"[^\W]", "é", Absent),
    (r"[\d\-x]", "-", Found),
    (r"[\w-]", "-", Found),
    (r"\bé", "aé", Found),
    (r"a\b", "aé", Found),
    (r"\Bb", "ab", Found),
    (r"\B", "é", Found),
    (r"\B", "", Found),
    (r"\b", "", Absent),
    ("[]", "a", Absent),
    ("[^]", "\u{a}", Found),
    ("[^]", "", Absent),
    ("[[a]", "[", Found),
    ("[a&&b]", "&", Found),
    ("[~~a]", "~", Found),
    ("[a--]", "-", Rejected),
    (r"[\b]", "\u{8}", Found),
    (r"[\]]", "]", Found),
    (r"[^\]]", "]", Absent),
    (r"\u{1F600}", "😀", Found),
    (r"\uD83D\uDE00", "😀", Found),
    (r"\ud800", "😀", Absent),
    (r"[\uD800-\uDFFF]", "😀", Absent),
    (r"[\u{0}-\u{10FFFF}]", "😀", Found),
    (r"\x41", "A", Found),
    (r"\cJ", "\u{a}", Found),
    (r"\0", "\u{0}", Found),
    (r"\/", "/", Found),
    (r"\.", "x", Absent),
    (r"\ud800\u{1F600}?", "a", Absent),
    (r"\p{L}", "é", Found),
    (r"\P{L}", "é", Absent),
    (r"\p{Lu}", "é", Absent),
    (r"\p{Script=Greek}", "α", Found),
    (r"\p{sc=Grek}", "a", Absent),
    (r"\p{scx=Greek}", "α", Found),
    (r"\p{General_Category=Decimal_Number}", "٣", Found),
    (r"\p{ASCII}", "é", Absent),
    (r"\p{Any}", "é", Found),
    (r"\p{Emoji}", "😀", Found),
    (r"[^\p{L}\d]", "1", Absent),
    (r"[^\P{L}]", "é", Found),
    (r"\p{lu}", "a", Rejected),
    (r"\p{Foo}", "a", Rejected),
    (r"\pL", "a", Rejected),
    (r"\p{greek}", "a", Rejected),
    (r"\p{IsGreek}", "a", Rejected),
    (r"\p{RGI_Emoji}", "a", Rejected),
    (r"\p{Script}", "a", Rejected),
    (r"\p{L", "a", Rejected),
    (r"(a)(b)\2\1", "abba", Found),
    (r"(a)|\1b", "b", Found),
    (r"\1(a)", "a", Found),
    (r"(?:(a)|b)*\1$", "ab", Found),
    (r"(?<n>a+)-\k<n>", "aa-aa", Found),
    (r"(?<n>a+)-\k<n>$", "aa-a", Found),
    (r"\k<n>(?<n>a)", "a", Found),
    (r"(?<𝒜>a)\k<𝒜>", "aa", Found),
    ("(?<$_>a)", "a", Found),
    ("(?<1>a)", "a", Rejected),
    ("(?<a>a)(?<a>b)", "ab", Rejected),
    ("a(?=b)", "ab", Found),
    ("a(?!b)", "ab", Absent),
    ("(?<=a)b", "ab", Found),
    ("(?<!a)b", "ab", Absent),
    ("(?<=^/x/)[^/]+$", "/x/y", Found),
    ("(?<=a.*)c", "abbc", Found),
    (r"(?<=(\w){2})c", "abc", Found),
    (r"(?<=\1(a))b", "aab", Found),
    (r"(?=(a+))a*b\1", "baaabac", Found),
    (r"(?!(a)b)\1c", "c", Found),
    (r"^(?!.*\.\.).*$", "/a/../b", Absent),
    (r"^(?!.*\.\.).*$", "/a/b", Found),
    (r"(z)((a+)?(b+)?(c))*\4?$", "zaacbbbcac", Found),
    ("(a*)*", "b", Found),
    ("(?:a*?)+?$", "aa", Found),
    ("^(?:a?){3}$", "aaaa", Absent),
    ("^(?:a|ab)(?:c|bcd)(?:d*)$", "abcd", Found),
    ("a{2}", "aba", Absent),
    ("a{0}", "b", Found),
    ("a{2,}", "aa", Found),
    ("^a{1,2}$", "aaa", Absent),
    ("a{2147483648}", "a", Absent),
    ("(", "(", Rejected),
    (")", ")", Rejected),
    ("[", "[", Rejected),
    ("]", "]", Rejected),
    ("{", "{", Rejected),
    ("}", "}", Rejected),
    ("a{", "a{", Rejected),
    ("a{,2}", "a", Rejected),
    ("a{2,1}", "aa", Rejected),
    ("*", "*", Rejected),
    ("a**", "a", Rejected),
    ("^*", "a", Rejected),
    ("(?=a)*", "a", Rejected),
    ("(?<=a)?", "a", Rejected),
    (r"\b+", "a", Rejected),
    ("(?i:a)", "A", Rejected),
    ("(?a)", "a", Rejected),
    ("(?<n", "n", Rejected),
    (r"\", "\\", Rejected),
    (r"\-", "-", Rejected),
    (r"\_", "_", Rejected),
    (r"\ ", " ", Rejected),
    (r"\8", "8", Rejected),
    (r"\00", "\u{0}", Rejected),
    (r"\01", "1", Rejected),
    (r"\2(a)", "a", Rejected),
    (r"\k<m>", "m", Rejected),
    (r"\k", "k", Rejected),
    (r"\c", "c", Rejected),
    (r"\c1", "1", Rejected),
    (r"\x4", "4", Rejected),
    (r"\u12", "1", Rejected),
    (r"\u{110000}", "a", Rejected),
    (r"\u{}", "a", Rejected),
    ("[b-a]", "a", Rejected),
    (r"[\d-z]", "a", Rejected),
    (r"[a-\d]", "a", Rejected),
    (r"[\1]", "1", Rejected),
    (r"[\B]", "B", Rejected),
    (r"[\c]", "c", Rejected),
    ("^/permissions/available/[a-z0-9][a-z0-9-]*$", "/permissions/available/slack", Found),
    ("^/minds-api-proxy/api/v1/agents/[^/]+(/.*)?$", "/minds-api-proxy/api/v1/agents/a/x", Found),
    ("^/minds-api-proxy/api/v1/agents/[^/]+(/.*)?$", "/minds-api-proxy/api/v1/agents/", Absent),
    ("^/files/a%20b(/.*)?$", "/files/a%20b/c", Found),
    ("#", " #", Found),
    (" x", "x", Absent),
    ("a|", "b", Found),
    ("(|a)b", "b", Found),
    ("()", "", Found),
];

fn answer(pattern: &str, text: &str) -> Result<Answer, TooCostly> {
    let Ok(pattern) = Pattern::new(pattern) else {
        return Ok(Rejected);
    };
    Ok(if pattern.is_match(text)? {
        Found
    } else {
        Absent
    })
}

#[test]
fn patterns_mean_what_ecmascript_says() {
    for (pattern, text, expected) in CASES {
        assert_eq!(
            answer(pattern, text),
            Ok(*expected),
            "/{pattern}/u on {text:?}"
        );
    }
}

#[test]
fn the_backtracking_matcher_agrees_where_both_apply() {
    for (pattern, text, expected) in CASES.iter().filter(|case| case.2 != Rejected) {
        let tree = syntax::parse(pattern).expect("a valid pattern");
        let program = Program::compile(&tree).expect("a small pattern");
        assert_eq!(
            program.counted(text).0,
            Ok(*expected == Found),
            "/{pattern}/u on {text:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_pattern_panics(pattern in "\\PC{0,40}", text in "\\PC{0,40}") {
        let _ = answer(&pattern, &text);
    }

    #[test]
    fn no_pattern_of_the_usual_signs_panics(
        pattern in r"([ab.^$|()\[\]{}*+?,\-]|\\[dDwWsSbBk1-3]|\(\?(:|=|!|<=|<!|<n>)|\{[0-3],?[0-3]?\}){0,12}",
        text in "[ab\\-]{0,12}",
    ) {
        let _ = answer(&pattern, &text);
    }

    #[test]
    fn both_matchers_agree(
        pattern in r"([ab.^$|]|\\[dDwWsSbB]|\[\^?[ab]\]|\((\?:)?[ab|]{1,4}\)[*+?]?|[ab][*+?]){0,8}",
        text in "[ab1 é\n]{0,10}",
    ) {
        if let Ok(tree) = syntax::parse(&pattern) {
            let translated = linear::translate(&tree.root).expect("a regular pattern");
            let regex = Regex::new(&translated).expect("a valid translation");
            let program = Program::compile(&tree).expect("a small pattern");
            prop_assert_eq!(program.counted(&text).0, Ok(regex.is_match(&text)));
        }
    }
}
