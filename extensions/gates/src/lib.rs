//! What stands before everything that an extension may import.
//!
//! The enums are written from the WIT when this is built, so that each answer here is exhaustive: a function, a field of the
//! manifest or an interface of WASI that is new stops the build until somebody says what stands before it. The gates themselves
//! are in the gateway; `tests/tests/gates` shows that they hold, `docs/capabilities.md` shows them to people.

mod grant;
mod standard;
mod world {
    include!(concat!(env!("OUT_DIR"), "/world.rs"));
}

pub use grant::{Gate, Grant};
pub use world::{Field, Function, Standard, VERSIONS};
