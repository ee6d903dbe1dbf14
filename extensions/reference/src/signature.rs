//! Functions and types as the WIT writes them.

use std::fmt::Write;

use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, Resolve, Type, TypeDef, TypeDefKind, TypeId,
};

/// `get: async func(name: string) -> option<string>`.
pub fn of_function(resolve: &Resolve, function: &Function) -> String {
    let parameters: Vec<_> = function
        .params
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, of_type(resolve, parameter.ty)))
        .collect();
    let is_async = matches!(
        function.kind,
        FunctionKind::AsyncFreestanding
            | FunctionKind::AsyncMethod(_)
            | FunctionKind::AsyncStatic(_)
    );
    let result = function
        .result
        .map(|result| format!(" -> {}", of_type(resolve, result)));
    format!(
        "{}: {}func({}){}",
        function.name,
        if is_async { "async " } else { "" },
        parameters.join(", "),
        result.unwrap_or_default()
    )
}

/// The types that an interface defines itself, with what the WIT says of them and of their parts.
pub fn of_types(resolve: &Resolve, interface: &Interface) -> String {
    let definitions = interface.types.iter().filter_map(|(name, id)| {
        let definition = resolve.types.get(*id)?;
        of_definition(resolve, name, definition)
    });
    definitions.collect::<Vec<_>>().join("\n")
}

/// None for a name that another interface defines.
fn of_definition(resolve: &Resolve, name: &str, definition: &TypeDef) -> Option<String> {
    let (keyword, parts): (_, Vec<_>) = match &definition.kind {
        TypeDefKind::Record(record) => (
            "record",
            record
                .fields
                .iter()
                .map(|field| {
                    let part = format!("{}: {}", field.name, of_type(resolve, field.ty));
                    (&field.docs, part)
                })
                .collect(),
        ),
        TypeDefKind::Variant(variant) => (
            "variant",
            variant
                .cases
                .iter()
                .map(|case| {
                    let carried = case.ty.map(|carried| of_type(resolve, carried));
                    let carried = carried.map(|carried| format!("({carried})"));
                    (&case.docs, case.name.clone() + &carried.unwrap_or_default())
                })
                .collect(),
        ),
        TypeDefKind::Enum(cases) => (
            "enum",
            cases
                .cases
                .iter()
                .map(|case| (&case.docs, case.name.clone()))
                .collect(),
        ),
        TypeDefKind::Flags(flags) => (
            "flags",
            flags
                .flags
                .iter()
                .map(|flag| (&flag.docs, flag.name.clone()))
                .collect(),
        ),
        TypeDefKind::Resource => ("resource", Vec::new()),
        TypeDefKind::Type(Type::Id(_)) | TypeDefKind::Unknown => return None,
        TypeDefKind::Type(other) => {
            let doc = comment(&definition.docs, "");
            return Some(format!(
                "{doc}type {name} = {};\n",
                of_type(resolve, *other)
            ));
        }
        other => {
            let doc = comment(&definition.docs, "");
            return Some(format!("{doc}type {name} = {};\n", of_kind(resolve, other)));
        }
    };
    let mut text = comment(&definition.docs, "");
    let _ = writeln!(text, "{keyword} {name} {{");
    for (docs, part) in parts {
        text += &comment(docs, "  ");
        let _ = writeln!(text, "  {part},");
    }
    text += "}\n";
    Some(text)
}

/// What stands above a definition.
fn comment(docs: &Docs, indent: &str) -> String {
    let lines = docs.contents.as_deref().unwrap_or_default().trim().lines();
    lines.map(|line| format!("{indent}/// {line}\n")).collect()
}

/// `option<string>`.
pub fn of_type(resolve: &Resolve, wanted: Type) -> String {
    match wanted {
        Type::Bool => "bool".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::S8 => "s8".to_owned(),
        Type::S16 => "s16".to_owned(),
        Type::S32 => "s32".to_owned(),
        Type::S64 => "s64".to_owned(),
        Type::F32 => "f32".to_owned(),
        Type::F64 => "f64".to_owned(),
        Type::Char => "char".to_owned(),
        Type::String => "string".to_owned(),
        Type::ErrorContext => "error-context".to_owned(),
        Type::Id(id) => of_id(resolve, id),
    }
}

fn of_id(resolve: &Resolve, id: TypeId) -> String {
    match resolve.types.get(id) {
        Some(TypeDef {
            name: Some(name), ..
        }) => name.clone(),
        Some(definition) => of_kind(resolve, &definition.kind),
        None => "_".to_owned(),
    }
}

/// A type that has no name.
fn of_kind(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let text = |inner: &Type| of_type(resolve, *inner);
    let or_nothing = |inner: &Option<Type>| inner.as_ref().map_or("_".to_owned(), text);
    match kind {
        TypeDefKind::Option(inner) => format!("option<{}>", text(inner)),
        TypeDefKind::List(inner) => format!("list<{}>", text(inner)),
        TypeDefKind::FixedLengthList(inner, length) => format!("list<{}, {length}>", text(inner)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", text(key), text(value)),
        TypeDefKind::Tuple(tuple) => {
            let parts: Vec<_> = tuple.types.iter().map(text).collect();
            format!("tuple<{}>", parts.join(", "))
        }
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (None, None) => "result".to_owned(),
            (ok, None) => format!("result<{}>", or_nothing(ok)),
            (ok, err) => format!("result<{}, {}>", or_nothing(ok), or_nothing(err)),
        },
        TypeDefKind::Stream(inner) => format!("stream<{}>", or_nothing(inner)),
        TypeDefKind::Future(inner) => format!("future<{}>", or_nothing(inner)),
        TypeDefKind::Handle(Handle::Own(id)) => of_id(resolve, *id),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", of_id(resolve, *id)),
        TypeDefKind::Type(inner) => text(inner),
        // Always named.
        TypeDefKind::Record(_)
        | TypeDefKind::Variant(_)
        | TypeDefKind::Enum(_)
        | TypeDefKind::Flags(_)
        | TypeDefKind::Resource
        | TypeDefKind::Unknown => "_".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIT: &str = "package a:b@1.0.0;
        interface i {
          /// Where.
          record place { x: u8, y: option<list<tuple<string, u32>>> }
          variant error { gone, other(string) }
          type number = u64;
          go: async func(to: place, by: list<u8>) -> result<_, error>;
          stop: func();
          watch: func() -> stream<list<u8>>;
          ask: func() -> result<option<number>>;
        }";

    fn interface() -> (Resolve, wit_parser::InterfaceId) {
        let mut resolve = Resolve::default();
        resolve.push_str("a.wit", WIT).unwrap();
        let (id, _) = resolve.interfaces.iter().next().unwrap();
        (resolve, id)
    }

    #[test]
    fn a_signature_reads_as_in_the_wit() {
        let (resolve, id) = interface();
        let signatures: Vec<_> = resolve.interfaces[id]
            .functions
            .values()
            .map(|function| of_function(&resolve, function))
            .collect();
        assert_eq!(
            signatures,
            [
                "go: async func(to: place, by: list<u8>) -> result<_, error>",
                "stop: func()",
                "watch: func() -> stream<list<u8>>",
                "ask: func() -> result<option<number>>",
            ]
        );
    }

    #[test]
    fn types_read_as_in_the_wit_with_what_is_said_of_them() {
        let (resolve, id) = interface();
        assert_eq!(
            of_types(&resolve, &resolve.interfaces[id]),
            "/// Where.\nrecord place {\n  x: u8,\n  y: option<list<tuple<string, u32>>>,\n}\n\n\
             variant error {\n  gone,\n  other(string),\n}\n\ntype number = u64;\n"
        );
    }
}
