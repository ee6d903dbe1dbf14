//! What a component imports and exports, by name.

use serde::Serialize;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::extensions::output::printable;

/// Of interfaces, and of functions of one; a component made to annoy has any number.
const MOST: usize = 1000;
/// In bytes.
const LONGEST_NAME: usize = 300;

/// One import or export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// As WIT names it: `wasi:clocks/monotonic-clock@0.3.0`.
    pub name: String,
    /// Its functions, if it is an interface; those of a resource as `[method]request.get-path`.
    pub functions: Vec<String>,
}

/// Imports and exports, in the component's order.
pub(super) fn of(engine: &Engine, component: &Component) -> (Vec<Interface>, Vec<Interface>) {
    let component = component.component_type();
    let imports = component.imports(engine);
    let imports = listed(imports.map(|(name, item)| interface(engine, name, &item.ty)));
    let exports = component.exports(engine);
    let exports = listed(exports.map(|(name, item)| interface(engine, name, &item.ty)));
    (imports, exports)
}

fn interface(engine: &Engine, name: &str, item: &ComponentItem) -> Interface {
    let mut functions = Vec::new();
    if let ComponentItem::ComponentInstance(instance) = item {
        let named = instance.exports(engine).filter_map(|(name, item)| {
            let is_function = matches!(item.ty, ComponentItem::ComponentFunc(_));
            is_function.then(|| printable(name, LONGEST_NAME))
        });
        functions.extend(named.take(MOST));
    }
    Interface {
        name: printable(name, LONGEST_NAME),
        functions,
    }
}

fn listed(interfaces: impl ExactSizeIterator<Item = Interface>) -> Vec<Interface> {
    let left_out = interfaces.len().saturating_sub(MOST);
    let mut listed: Vec<_> = interfaces.take(MOST).collect();
    if left_out > 0 {
        listed.push(Interface {
            name: format!("… and {left_out} more"),
            functions: Vec::new(),
        });
    }
    listed
}
