//! Modules as compilers write them, and such as nobody writes.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::assigned_object;

#[test]
fn a_literal_is_read_as_javascript_has_it() {
    let source = r#"
        type Schemas = { generatedBuiltinSchemas: number };
        export const generated_builtin_schemas: Readonly<Record<string, unknown>> =
        { // a comment
          bare: {'quoted': "a\u0041\x41\u{1F600}\ud83d\ude00\
b\n\"\/", /* another */ list: [1, -2.5e3, true, false, null, ],},
        } as const;"#;
    let is_wanted = |name: &str| name.ends_with("schemas");
    let entries = assigned_object(source, is_wanted)
        .expect("a literal")
        .expect("a constant");
    assert_eq!(
        entries,
        [(
            "bare".to_owned(),
            json!({"quoted": "aAA\u{1F600}\u{1F600}b\n\"/", "list": [1, -2.5e3, true, false, null]})
        )]
    );
}

#[test]
fn a_literal_that_is_none_is_an_error_and_never_a_panic() {
    for source in [
        "const s = {",
        "const s = {a",
        "const s = {a:",
        "const s = {a: 'x}",
        "const s = {a: \"\\u12\"}",
        "const s = {a: \"\\ud800\"}",
        "const s = {a: \"\\u{110000}\"}",
        "const s = {a: `x`}",
        "const s = {...other}",
        "const s = {a: {b: 1, b: 2}}",
        "const s = {a: 1 b: 2}",
        "const s = {/*",
        "const s = {é: [}",
    ] {
        assert!(
            assigned_object(source, |name| name == "s").is_err(),
            "{source}"
        );
    }
    let deep = format!("const s = {{a: {}", "[".repeat(100_000));
    assert!(assigned_object(&deep, |name| name == "s").is_err());
    for source in [
        "",
        "s",
        "s =",
        "s == {}",
        "s => {}",
        "'s = {}'",
        "// s = {}",
        "`s = {}`",
    ] {
        assert_eq!(
            assigned_object(source, |name| name == "s"),
            Ok(None),
            "{source}"
        );
    }
}

/// JSON of any shape, not deep.
fn any_json() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    plain.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_is_read_as_json_has_it(value in any_json(), indented in any::<bool>()) {
        let text = if indented {
            serde_json::to_string_pretty(&value)
        } else {
            serde_json::to_string(&value)
        };
        let source = format!("export const s = {{\n  key: {},\n}};", text.expect("JSON"));
        let entries = assigned_object(&source, |name| name == "s");
        prop_assert_eq!(entries, Ok(Some(vec![("key".to_owned(), value)])));
    }

    #[test]
    fn no_source_makes_it_panic(source in "(const |s|=|[{]|[}]|[\\[]|[\\]]|:|,|\"|'|`|\\\\|u|x|[{]1|//|/\\*|\\*/|\n|é|1|-|a| ){0,40}") {
        let _ = assigned_object(&source, |name| name == "s");
        let _ = assigned_object(&format!("const s = {{{source}"), |name| name == "s");
    }
}
