//! What a guest may have the host keep for it, beside its own memory.
//!
//! Handles, resources, timers and what a call hands over live in the host. Where an extension may have only so many requests
//! in progress, it may have only so much of these; more ends the instance. Where it may have any number, wasmtime's own bounds
//! stand. Each of a guest's header lists is bounded by itself: together they may come to the number of resources times
//! [`LARGEST_FIELDS`], which is the most that a guest can take beside its memory.

use wasmtime::Store;
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::WasiHttpCtx;

use super::policy::Limits;

/// The most random bytes that a guest gets in one call.
pub(super) const LONGEST_RANDOM: u64 = 1024 * 1024;
/// The largest list of header or trailer fields that a guest can make, in memory.
const LARGEST_FIELDS: usize = 64 * 1024;

/// Requests, responses, fields, streams of WASI 0.2: what one request needs at once, and what an instance needs beside.
const RESOURCES_PER_REQUEST: usize = 8;
const RESOURCES: usize = 512;
/// Handles of these, and of tasks, streams and futures.
const HANDLES_PER_REQUEST: usize = 32;
const HANDLES: usize = 4096;
/// Tasks, streams and futures in the host, for each handle: both ends, and whoever works on them.
const TASKS_PER_HANDLE: usize = 4;
/// The most that one call hands over, in bytes; what wasmtime has by itself.
const LARGEST_CALL: usize = 128 * 1024 * 1024;

/// The bounds of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keeping {
    /// None where wasmtime's own bounds stand.
    handles: Option<usize>,
    resources: Option<usize>,
    call_bytes: usize,
}

impl Keeping {
    pub(super) fn of(limits: &Limits) -> Self {
        let times = |each: usize, beside: usize| {
            let requests = limits.concurrency?;
            Some(each.saturating_mul(requests).saturating_add(beside))
        };
        Self {
            handles: times(HANDLES_PER_REQUEST, HANDLES),
            resources: times(RESOURCES_PER_REQUEST, RESOURCES),
            // A guest cannot mean to hand over more than it has.
            call_bytes: limits
                .memory_mib
                .saturating_mul(1024 * 1024)
                .min(LARGEST_CALL),
        }
    }

    pub(super) fn table(&self) -> ResourceTable {
        let mut table = ResourceTable::new();
        if let Some(resources) = self.resources {
            table.set_max_capacity(resources.min(table.max_capacity()));
        }
        table
    }

    pub(super) fn http(&self) -> WasiHttpCtx {
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(LARGEST_FIELDS);
        http
    }

    pub(super) fn bound<T>(&self, store: &mut Store<T>) {
        store.set_hostcall_fuel(self.call_bytes);
        let Some(handles) = self.handles else {
            return;
        };
        let handles = handles.min(store.max_component_handles());
        store.set_max_component_handles(handles);
        if let Some(tasks) = store.concurrent_resource_table() {
            let most = handles.saturating_mul(TASKS_PER_HANDLE);
            tasks.set_max_capacity(most.min(tasks.max_capacity()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extensions::policy::Grants;

    #[test]
    fn what_is_kept_follows_from_how_much_may_be_in_progress() {
        let usual = Keeping::of(&Grants::default().limits());
        assert_eq!(usual.resources, Some(8 * 256 + 512));
        assert_eq!(usual.handles, Some(32 * 256 + 4096));
        assert_eq!(usual.call_bytes, 64 * 1024 * 1024);
        assert_eq!(usual.table().max_capacity(), 8 * 256 + 512);
        let unlimited = Keeping::of(&Grants::default().without_request_limits().limits());
        assert_eq!((unlimited.resources, unlimited.handles), (None, None));
    }

    #[test]
    fn no_number_in_a_policy_raises_what_wasmtime_allows() {
        let grants = Grants {
            concurrency: usize::MAX,
            memory_mib: usize::MAX,
            ..Grants::default()
        };
        let most = Keeping::of(&grants.limits());
        assert_eq!(most.call_bytes, LARGEST_CALL);
        assert_eq!(
            most.table().max_capacity(),
            ResourceTable::new().max_capacity()
        );
    }
}
