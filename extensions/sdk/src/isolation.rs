//! Keeps what nobody asked for out of a component's imports.
//!
//! The panic path of `std` prints to standard error and looks up `RUST_BACKTRACE`; through the C library's table of file
//! descriptors that alone makes a component import `wasi:filesystem`, standard streams, clocks, the environment and `exit`.
//! The definitions here come before the C library's when the component is linked, so that none of it is reached. Standard
//! output and error go nowhere (a panic is reported through [`crate::log`] instead), and the environment is empty.

#![allow(
    unsafe_code,
    reason = "the C library's symbols can only be replaced by symbols of the same name"
)]

use std::ffi::{c_char, c_int, c_void};

const STANDARD_OUTPUT: c_int = 1;
const STANDARD_ERROR: c_int = 2;
const FAILED: isize = -1;

#[unsafe(no_mangle)]
extern "C" fn write(descriptor: c_int, _bytes: *const c_void, length: usize) -> isize {
    match descriptor {
        STANDARD_OUTPUT | STANDARD_ERROR => isize::try_from(length).unwrap_or(isize::MAX),
        // Nothing else is open; to claim otherwise would lose data in silence.
        _ => FAILED,
    }
}

#[unsafe(no_mangle)]
extern "C" fn writev(_descriptor: c_int, _slices: *const c_void, _count: c_int) -> isize {
    // Printing does not come here, it writes one slice at a time.
    FAILED
}

#[unsafe(no_mangle)]
extern "C" fn getenv(_name: *const c_char) -> *mut c_char {
    std::ptr::null_mut()
}
