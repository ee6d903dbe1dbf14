//! An index leaves out nothing that could matter, and does leave out what could not.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use url::Url;

use super::RuleIndex;
use crate::permissions::schema::{Compiler, Fault, NodeId, Registry, Schemas};
use crate::permissions::{BuiltinSchemas, Request};

/// Some schemas by number, compiled, and an index of all of them in that order.
struct Scene {
    schemas: Schemas,
    list: Vec<NodeId>,
    index: RuleIndex,
}

impl Scene {
    /// Fails where one of the schemas does not resolve.
    fn new(sources: Vec<Value>) -> Result<Self, Fault> {
        let names: Vec<_> = (0..sources.len())
            .map(|number| number.to_string())
            .collect();
        let sources = sources.into_iter().map(Arc::new);
        let defined: HashMap<_, _> = names.iter().cloned().zip(sources).collect();
        let registry = Registry {
            defined: &defined,
            builtin: BuiltinSchemas::none(),
        };
        let mut compiler = Compiler::new(&registry);
        let list = names
            .iter()
            .map(|name| Ok(compiler.named(name)?.expect("it is defined")))
            .collect::<Result<Vec<_>, Fault>>()?;
        let schemas = compiler.finish();
        Ok(Self {
            index: RuleIndex::of(list.iter().copied(), &schemas),
            schemas,
            list,
        })
    }

    fn of(sources: impl IntoIterator<Item = Value>) -> Self {
        Self::new(sources.into_iter().collect()).expect("schemas that resolve")
    }

    fn candidates(&self, request: &Request) -> Vec<usize> {
        self.index.candidates(request).collect()
    }

    /// The first of `places` whose schema matches, or whose evaluation fails.
    fn first(
        &self,
        mut places: impl Iterator<Item = usize>,
        request: &Request,
    ) -> Option<(usize, Result<bool, Fault>)> {
        places.find_map(|place| {
            let answer = self.schemas.matches(self.list[place], request.as_value());
            (answer != Ok(false)).then_some((place, answer))
        })
    }
}

fn request(method: &str, url: &str) -> Request {
    let url = Url::parse(url).expect("a URL");
    Request::new(method, &url, std::iter::empty(), None, None)
}

fn domain(value: Value) -> Value {
    json!({"properties": {"domain": value}})
}

fn path(pattern: &str) -> Value {
    json!({"properties": {"path": {"type": "string", "pattern": pattern}}, "required": ["path"]})
}

#[test]
fn what_names_another_domain_is_no_candidate() {
    let scene = Scene::of([
        domain(json!({"const": "one.com"})),
        domain(json!({"enum": ["one.com", "two.com", 3]})),
        domain(json!({"pattern": r"^(.+\.)?two\.com$"})),
        domain(json!({"pattern": r"\.two\.com$"})),
        domain(json!({"pattern": r"^(api|www)\.(two|three)\.com$"})),
        json!({"anyOf": [domain(json!({"const": "three.com"})), {"$ref": "#/$defs/0"}]}),
        json!({"allOf": [path("^/a"), {"$ref": "#/$defs/0"}]}),
        domain(json!({"pattern": r"two\.com"})),
        domain(json!({"const": 3})),
        json!({"anyOf": []}),
    ]);
    for (url, expected) in [
        ("https://one.com/", vec![0, 1, 5, 7]),
        ("https://one.com/a", vec![0, 1, 5, 6, 7]),
        ("https://two.com/", vec![1, 2, 7]),
        ("https://api.two.com/", vec![2, 3, 4, 7]),
        ("https://x.api.two.com/", vec![2, 3, 7]),
        ("https://xtwo.com/", vec![7]),
        ("https://three.com/", vec![5, 7]),
    ] {
        assert_eq!(scene.candidates(&request("GET", url)), expected, "{url}");
    }
}

#[test]
fn what_names_another_path_or_method_is_no_candidate() {
    let one_domain = |rest: Value| json!({"allOf": [domain(json!({"const": "a.com"})), rest]});
    let scene = Scene::of([
        one_domain(path("^/files/a(/.*)?$")),
        one_domain(path("^/files/a/b(/.*)?$")),
        one_domain(path("^/files/a%20b(/.*)?$")),
        one_domain(
            json!({"properties": {"path": {"const": "/files/a"}, "method": {"const": "PUT"}}}),
        ),
        one_domain(
            json!({"properties": {"path": {"enum": ["/files/a", "/"]}, "method": {"enum": ["GET", "MKCOL"]}}}),
        ),
        path("^/files/(a|b)/c$"),
        path("a"),
        path("^.*$"),
    ]);
    for (method, path, expected) in [
        ("GET", "/files/a", vec![0, 4, 6, 7]),
        ("PUT", "/files/a", vec![0, 3, 6, 7]),
        ("LOCK", "/files/a", vec![0, 4, 6, 7]),
        ("GET", "/files/a/b", vec![0, 1, 6, 7]),
        ("GET", "/files/a/c", vec![0, 5, 6, 7]),
        ("GET", "/files/a%20b/c", vec![2, 6, 7]),
        ("GET", "/", vec![4, 6, 7]),
    ] {
        let request = request(method, &format!("https://a.com{path}"));
        assert_eq!(scene.candidates(&request), expected, "{method} {path}");
    }
}

#[test]
fn what_could_fail_is_always_a_candidate() {
    let elsewhere = domain(json!({"const": "else.com"}));
    let scene = Scene::of([
        json!({"allOf": [elsewhere, path("(")]}),
        json!({"allOf": [elsewhere, path("^/(?!a)")]}),
        json!({"allOf": [elsewhere, {"$ref": "#/$defs/3"}]}),
        json!({"allOf": [elsewhere, {"$ref": "#/$defs/2"}]}),
        json!({"allOf": [elsewhere, {"anyOf": 5}]}),
        json!({"allOf": [elsewhere, {"properties": {"parsedBody": {"items": {"type": "string"}}}}]}),
        elsewhere,
    ]);
    let candidates = scene.candidates(&request("GET", "https://a.com/"));
    assert_eq!(candidates, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_thousand_distinctive_schemas_leave_a_handful_to_try() {
    let files = "/minds-api-proxy/api/v1/files";
    let grants = (0..1000).map(|number| match number % 4 {
        0 => domain(json!({"const": format!("{number}.example.com")})),
        1 => domain(json!({"pattern": format!(r"^(.+\.)?{number}\.example\.com$")})),
        2 => json!({"allOf": [domain(json!({"const": "latchkey-self.invalid"})),
                              path(&format!("^{files}/home/user/{number}(/.*)?$"))]}),
        _ => json!({"properties": {"domain": {"const": "latchkey-self.invalid"}, "method": {"const": "GET"},
                                   "path": {"const": format!("/agents/{number}")}}}),
    });
    let scene = Scene::of(grants);
    for (url, place) in [
        ("https://400.example.com/".to_owned(), 400),
        ("https://a.b.401.example.com/".to_owned(), 401),
        (
            format!("https://latchkey-self.invalid{files}/home/user/402/x"),
            402,
        ),
        ("https://latchkey-self.invalid/agents/403".to_owned(), 403),
    ] {
        let request = request("GET", &url);
        let candidates = scene.candidates(&request);
        assert!(candidates.len() <= 3, "{url}: {candidates:?}");
        let first = scene.first(candidates.into_iter(), &request);
        assert_eq!(first, Some((place, Ok(true))), "{url}");
    }
}

#[test]
fn schemas_that_share_large_parts_are_indexed_within_bounds() {
    let domains: Vec<_> = (0..2000).map(|number| format!("{number}.com")).collect();
    let mut sources = vec![domain(json!({"enum": domains}))];
    // Each refers to the one before twice: two to the power of their number ways lead through them.
    for number in 0..60 {
        let before = json!({"$ref": format!("#/$defs/{number}")});
        sources.push(json!({"anyOf": [before, before]}));
    }
    let scene = Scene::of(sources);
    let candidates = scene.candidates(&request("GET", "https://7.com/"));
    assert_eq!(candidates.first(), Some(&0), "{candidates:?}");
}

const TEXTS: [&str; 9] = [
    "a.com", "b.a.com", "com", "/", "/x", "/x/y", "/é", "GET", "PUT",
];
const PATTERNS: [&str; 24] = [
    r"^(.+\.)?a\.com$",
    r"\.a\.com$",
    r"a\.com",
    "^a",
    "m$",
    "^/x(/.*)?$",
    "^/x/[yz]$",
    "^/(x|é)",
    "^/%C3",
    "^$",
    "",
    "^(GET|PUT)$",
    "^[A-Z]+$",
    "[^a]$",
    r"^/(?!x)",
    "(",
    "^/x|^/é",
    "(^/x)$",
    "x^/",
    "^/x{2}?",
    r"\b/x\b",
    "[]",
    r"^\w+\.a\.com$",
    "^(?:)/x$",
];

fn text_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        select(&TEXTS[..]).prop_map(|text| json!({"const": text})),
        prop::collection::vec(select(&TEXTS[..]), 0..3).prop_map(|texts| json!({"enum": texts})),
        select(&PATTERNS[..]).prop_map(|pattern| json!({"pattern": pattern})),
        select(&PATTERNS[..]).prop_map(|pattern| json!({"type": "string", "pattern": pattern})),
        Just(json!({"const": 1})),
        any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 6, 3, combined)
}

fn schema() -> impl Strategy<Value = Value> {
    let property = select(&["domain", "path", "method", "domain", "path", "body"][..]);
    let leaf = prop_oneof![
        6 => prop::collection::vec((property, text_schema()), 0..3).prop_map(|members| {
            let members: serde_json::Map<_, _> =
                members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
            json!({"properties": members})
        }),
        2 => (0..8_u8).prop_map(|number| json!({"$ref": format!("#/$defs/{number}")})),
        1 => Just(json!({"required": ["body"]})),
        1 => Just(json!({"required": 1})),
        1 => Just(json!({"unevaluatedProperties": {"type": ["string", "number", "object"]}})),
    ];
    leaf.prop_recursive(3, 12, 3, combined)
}

fn combined(inner: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let keyword = select(&["anyOf", "allOf", "oneOf"][..]);
    prop_oneof![
        (keyword, prop::collection::vec(inner.clone(), 0..3))
            .prop_map(|(keyword, branches)| json!({keyword: branches})),
        inner.clone().prop_map(|inner| json!({"not": inner})),
        (inner.clone(), inner.clone(), inner).prop_map(
            |(test, then, otherwise)| json!({"if": test, "then": then, "else": otherwise})
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn trying_the_candidates_is_trying_all(
        sources in prop::collection::vec(schema(), 8),
        domain in select(&["a.com", "b.a.com", "xa.com", "com"][..]),
        path in select(&["/", "/x", "/x/y", "/xx", "/é", "/x%20"][..]),
        method in select(&["GET", "PUT", "LOCK"][..]),
    ) {
        if let Ok(scene) = Scene::new(sources.clone()) {
            let request = request(method, &format!("https://{domain}{path}"));
            let all = scene.first(0..scene.list.len(), &request);
            let candidates = scene.first(scene.index.candidates(&request), &request);
            prop_assert_eq!(candidates, all, "{}", Value::from(sources));
        }
    }
}
