use proptest::prelude::*;

use super::*;
use crate::permissions::Request;

fn normalise(target: &str) -> Result<String, TargetError> {
    let uri: Uri = target.parse().unwrap();
    Target::normalise(&Method::GET, &uri).map(|target| target.into_uri().to_string())
}

#[test]
fn paths_are_normalised_as_browsers_do() {
    for (target, normal) in [
        ("/", "/"),
        ("/permissions/../permissions/self", "/permissions/self"),
        ("/permissions/%2e%2E/x", "/x"),
        ("/a\\..\\b", "/b"),
        ("/a\\b", "/a/b"),
        ("/a%2fb", "/a%2fb"),
        ("/a%5cb", "/a%5cb"),
        ("/a/..%2fb", "/a/..%2fb"),
        ("//x/permissions/self", "//x/permissions/self"),
        ("/\\x", "//x"),
        ("/a?b=%20&c=d", "/a?b=%20&c=d"),
        ("/a?../b", "/a?../b"),
        ("/a?b?c", "/a?b?c"),
        ("/a?", "/a?"),
        ("/a?%00%0d%0a%c0%ae", "/a?%00%0d%0a%c0%ae"),
        ("/a%00%0d%0A%c0%ae/..%2f", "/a%00%0d%0A%c0%ae/..%2f"),
        ("/a?'`", "/a?%27`"),
        ("/..", "/"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/a//..", "/a/"),
        ("/C:/../a", "/a"),
        ("/a/C:/%2e%2E/../b", "/b"),
        ("/a/c|/..", "/a/"),
        ("/a/...", "/a/..."),
        ("/a/%2e%2e%2e", "/a/%2e%2e%2e"),
        ("/a/%252e%252e/b", "/a/%252e%252e/b"),
        ("/%", "/%"),
        ("/%zz/%4", "/%zz/%4"),
        ("/a\"{b}", "/a%22%7Bb%7D"),
        ("/a^b|c", "/a^b|c"),
        ("/%C3%A9/%e9", "/%C3%A9/%e9"),
        ("/a@b:c", "/a@b:c"),
    ] {
        assert_eq!(normalise(target).as_deref(), Ok(normal), "{target}");
    }
}

#[test]
fn only_a_path_is_a_target() {
    for target in [
        "http://latchkey-self.invalid:1/x",
        "http://h/x",
        "http://user:password@h/x",
        "h:1",
        "*",
    ] {
        assert_eq!(normalise(target), Err(TargetError::Form), "{target}");
    }
}

#[test]
fn what_is_not_ascii_is_refused() {
    for target in ["/é", "/a?é", "/\u{202e}"] {
        assert_eq!(normalise(target), Err(TargetError::NotAscii), "{target}");
    }
}

#[test]
fn methods_that_mean_something_else_elsewhere_are_refused() {
    let uri = Uri::from_static("/");
    for method in ["TRACE", "CONNECT"] {
        let refused = Target::normalise(&method.parse().unwrap(), &uri);
        assert!(matches!(refused, Err(TargetError::Method(_))), "{method}");
    }
    for method in ["get", "Get", "patch", "propFIND"] {
        let refused = Target::normalise(&method.parse().unwrap(), &uri).unwrap_err();
        assert!(matches!(refused, TargetError::MethodCase(_)), "{method}");
        assert!(
            refused.to_string().contains(&method.to_uppercase()),
            "{refused}"
        );
    }
    for method in ["PROPFIND", "M-SEARCH", "X1"] {
        assert!(Target::normalise(&method.parse().unwrap(), &uri).is_ok());
    }
}

/// What the URL standard makes of a path, by way of RFC 3986 section 5.2.4: a buffer of input is moved to a buffer of output.
fn reference_path(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut output: Vec<String> = Vec::new();
    let mut input = path.as_str();
    while let Some(rest) = input.strip_prefix('/') {
        let end = rest.find('/').unwrap_or(rest.len());
        let (segment, after) = rest.split_at(end);
        input = after;
        let last = after.is_empty();
        match segment.to_lowercase().replace("%2e", ".").as_str() {
            "." => output.extend(last.then(String::new)),
            ".." => {
                output.pop();
                output.extend(last.then(String::new));
            }
            _ => output.push(segment.to_owned()),
        }
    }
    let mut encoded = String::new();
    for character in format!("/{}", output.join("/")).chars() {
        match character {
            ' ' | '"' | '<' | '>' | '`' | '{' | '}' | '#' => {
                encoded.push_str(&format!("%{:02X}", u32::from(character)));
            }
            _ => encoded.push(character),
        }
    }
    encoded
}

/// Targets in which everything that a parser could stumble over is frequent.
fn target() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => Just("/".to_owned()),
        2 => prop::sample::select(vec!["..", ".", "%2e", "%2E", "\\", "%2f", "%5C", "%", "C:", "c|", "//", "?", "%25", "%c3%a9"])
            .prop_map(str::to_owned),
        1 => "[!-~]{1,3}",
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn what_is_checked_is_what_is_passed_on(sent in target()) {
        let Ok(uri) = sent.parse::<Uri>() else { return Ok(()) };
        let Ok(target) = Target::normalise(&Method::GET, &uri) else { return Ok(()) };
        prop_assert!(target.path().split('/').all(|segment| dots(segment) == 0));
        let checked = Request::new("GET", target.url(), std::iter::empty(), None, None);
        let (path, query) = (target.path().to_owned(), target.query().map(str::to_owned));
        let uri = target.into_uri();
        prop_assert_eq!(&checked.as_value()["domain"], "latchkey-self.invalid");
        prop_assert_eq!(&checked.as_value()["port"], 1);
        prop_assert_eq!(&checked.as_value()["path"], uri.path());
        let parameters: serde_json::Map<_, _> = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect();
        prop_assert_eq!(checked.as_value()["queryParams"].as_object(), Some(&parameters));
        prop_assert_eq!(uri.path(), path);
        prop_assert_eq!(uri.query().map(str::to_owned), query);
    }

    #[test]
    fn what_is_normal_stays_as_it_is(sent in target()) {
        let Ok(uri) = sent.parse::<Uri>() else { return Ok(()) };
        let Ok(once) = Target::normalise(&Method::GET, &uri) else { return Ok(()) };
        let once = once.into_uri();
        let twice = Target::normalise(&Method::GET, &once).unwrap().into_uri();
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn a_second_parser_finds_the_same(sent in target()) {
        let Ok(uri) = sent.parse::<Uri>() else { return Ok(()) };
        let Ok(target) = Target::normalise(&Method::GET, &uri) else { return Ok(()) };
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str).split('?').next().unwrap_or_default();
        prop_assert_eq!(target.path(), reference_path(path));
        // As one address, too, but for the segments that look like a drive.
        if !sent.contains([':', '|']) {
            let whole = Url::parse(&format!("https://latchkey-self.invalid:1{uri}")).unwrap();
            prop_assert_eq!(target.url(), &whole);
        }
    }
}
