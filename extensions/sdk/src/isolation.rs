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

#[unsafe(no_mangle)]
extern "C" fn write(_descriptor: c_int, _bytes: *const c_void, length: usize) -> isize {
    isize::try_from(length).unwrap_or(isize::MAX)
}

#[unsafe(no_mangle)]
extern "C" fn writev(_descriptor: c_int, _slices: *const c_void, _count: c_int) -> isize {
    // A vectored write cannot be claimed as done without adding up its parts; `std` gives up on an error.
    -1
}

#[unsafe(no_mangle)]
extern "C" fn getenv(_name: *const c_char) -> *mut c_char {
    std::ptr::null_mut()
}
