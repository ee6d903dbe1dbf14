use proptest::prelude::*;

use super::Survey;

fn survey(pattern: &str) -> Survey {
    Survey::of(pattern).expect(pattern)
}

#[test]
fn what_every_match_begins_with_is_told() {
    for (pattern, lead) in [
        ("^/api/v1/.*$", "/api/v1/"),
        ("^/a(bc|bd)e", "/ab"),
        ("^(?:/ab|/ac)$", "/a"),
        ("^/ab|^/ac", "/a"),
        ("^/ab|/ac", ""),
        ("^/a+b", "/a"),
        ("^/a?b", "/"),
        (r"^/a\.b(?=c)", "/a.b"),
        ("^/[a]b", "/ab"),
        ("/a", ""),
        ("", ""),
    ] {
        assert_eq!(survey(pattern).leading_text(), lead, "{pattern}");
    }
}

#[test]
fn what_asks_for_a_beginning_alone_is_recognised() {
    for (pattern, lead) in [
        ("^/api/", Some("/api/")),
        ("^/api/.*", Some("/api/")),
        ("^/api/(x)?", Some("/api/")),
        ("^/api/.*$", None),
        ("^/api/.", None),
        ("^/api/|^/b", None),
        ("/api/", None),
        ("^", Some("")),
    ] {
        assert_eq!(
            survey(pattern).leading_text_alone().as_deref(),
            lead,
            "{pattern}"
        );
    }
}

#[test]
fn few_texts_are_spelled_out() {
    let texts = |pattern: &str| survey(pattern).texts();
    assert_eq!(texts("^(GET|HEAD)$").unwrap(), ["GET", "HEAD"]);
    assert_eq!(texts(r"^api\.x\.[ab]{1,2}$").unwrap().len(), 6);
    assert_eq!(texts("^a$|^b$").unwrap(), ["a", "b"]);
    assert_eq!(texts("^[^a]$"), None);
    assert_eq!(texts("^a"), None);
    assert_eq!(texts("^a$|b"), None);
    assert_eq!(texts("^[a-z]{2}$"), None);
    assert_eq!(texts("^a(?!b)$"), None);
}

#[test]
fn what_takes_everything_is_recognised() {
    for pattern in [
        "",
        ".*",
        "^",
        "$",
        "^.*$",
        "(.*)",
        "^(?:.*)$",
        "a?",
        "^.+$",
        ".",
        "x|",
        r"[\s\S]*$",
        "^[^]*$",
    ] {
        assert!(survey(pattern).takes_everything(None), "{pattern}");
    }
    for pattern in [
        "a", "^$", "..", "^.{2,}$", "^a*$", r"\b", "(?=a)", "^[^/]*$", "^.$",
    ] {
        assert!(!survey(pattern).takes_everything(None), "{pattern}");
    }
    for pattern in ["/", "^/", "^/.*", "^/.*$", "/.*$", "^/(.*)$", ".*"] {
        assert!(survey(pattern).takes_everything(Some('/')), "{pattern}");
    }
    for pattern in ["^/.+$", "^//", "^/[^/]*$", "^/$"] {
        assert!(!survey(pattern).takes_everything(Some('/')), "{pattern}");
    }
}

#[test]
fn an_open_side_is_shown_by_what_it_lets_through() {
    let start = |pattern: &str| survey(pattern).open_start(&["evil"]);
    assert_eq!(start(r"github\.com$").as_deref(), Some("evilgithub.com"));
    assert_eq!(
        start(r"^a$|github\.com$").as_deref(),
        Some("evilgithub.com")
    );
    assert_eq!(start(r"^github\.com$"), None);
    assert_eq!(start(r"(^|\.)github\.com$"), None);
    assert_eq!(start(r".*\.github\.com$"), None);
    assert_eq!(start(r"(?<![\s\S])github\.com$"), None);
    let end = |pattern: &str| survey(pattern).open_end(&["-x", "/x"]);
    assert_eq!(end("^/charges").as_deref(), Some("/charges-x"));
    assert_eq!(end("^/charges(?!-)").as_deref(), Some("/charges/x"));
    assert_eq!(end("^/charges$"), None);
    assert_eq!(end("^/charges/.*"), None);
    assert_eq!(end("^/charges(/|$)"), None);
    assert_eq!(end("^/charges(?=/|$)"), None);
}

#[test]
fn a_dot_without_its_backslash_is_shown_by_what_it_lets_through() {
    let dot = |pattern: &str| survey(pattern).loose_dot();
    let shown = ("api.x.com".to_owned(), "apixxxcom".to_owned());
    assert_eq!(dot("^api.x.com$"), Some(shown));
    assert_eq!(dot(r"^api\.x\.com$"), None);
    assert_eq!(dot("^.*$"), None);
    assert_eq!(dot("^.+$"), None);
}

proptest! {
    #[test]
    fn what_is_said_of_a_pattern_holds_for_what_it_matches(
        pattern in r"(\^?[ab/](a|b|\.|\.\*|\(a\|b\)|\[ab\]|a\?|a\+){0,4}\$?)(\|\^?[ab/]{0,3}\$?)?",
        text in "[ab/]{1,6}",
    ) {
        let survey = survey(&pattern);
        let is_match = survey.takes(&text);
        if is_match {
            prop_assert!(text.starts_with(&survey.leading_text()), "{pattern} {text}");
        }
        if let Some(lead) = survey.leading_text_alone() {
            prop_assert_eq!(is_match, text.starts_with(&lead), "{} {}", pattern, text);
        }
        if let Some(texts) = survey.texts() {
            prop_assert_eq!(is_match, texts.contains(&text), "{} {}", pattern, text);
        }
        prop_assert!(is_match || !survey.takes_everything(None), "{pattern} {text}");
        if text.starts_with('/') {
            prop_assert!(is_match || !survey.takes_everything(Some('/')), "{pattern} {text}");
        }
    }
}
