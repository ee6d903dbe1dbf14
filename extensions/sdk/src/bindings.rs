//! The generated side of the component boundary: types and functions of world `mngr:gateway/extension`, as they are in
//! `wit/`. The rest of this crate wraps them; they are public for what the wrappers do not cover.

#![allow(missing_docs, unsafe_code, clippy::all)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "mngr:gateway/extension",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "mngr_extension::bindings",
    runtime_path: "mngr_extension::wit_bindgen::rt",
});
