//! What an instance takes of the machine: its linear memories and its tables, each bounded as a whole.
//!
//! A guest that asks for more is told that there is none, which most do not survive; one line in the log names the limit. What
//! counts is what it was given: where the system itself had none left after that, the instance has a little less than it may.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::output::OutputLog;
use super::policy::{self, Limits};
use super::workers::Tally;

/// Core instances, memories and tables of one component's instance: more than any compiler or composition makes.
const MOST_INSTANCES: usize = 256;
const MOST_MEMORIES: usize = 64;
const MOST_TABLES: usize = 256;

const MIB: usize = 1024 * 1024;

/// What one instance has, and may have.
pub(super) struct Resources {
    memory: Share,
    tables: Share,
    output: Arc<OutputLog>,
    /// Counts the memory of all instances of the extension.
    tally: Option<Arc<Tally>>,
}

/// Part of a limit.
struct Share {
    taken: usize,
    most: usize,
    /// Somebody has been told that there is no more.
    is_reported: bool,
}

/// There is no more; whether somebody has to be told is in it.
struct Exhausted {
    report: bool,
}

impl Share {
    fn of(most: usize) -> Self {
        Self {
            taken: 0,
            most,
            is_reported: false,
        }
    }

    /// Takes what growing from `current` to `desired` costs.
    fn grow(&mut self, current: usize, desired: usize) -> Result<usize, Exhausted> {
        let more = desired.saturating_sub(current);
        match self.taken.checked_add(more) {
            Some(taken) if taken <= self.most => {
                self.taken = taken;
                Ok(more)
            }
            _ => {
                let report = !self.is_reported;
                self.is_reported = true;
                Err(Exhausted { report })
            }
        }
    }
}

impl Resources {
    pub(super) fn new(limits: &Limits, output: Arc<OutputLog>) -> Self {
        Self {
            memory: Share::of(limits.memory_mib.saturating_mul(MIB)),
            tables: Share::of(limits.table_elements),
            output,
            tally: None,
        }
    }

    pub(super) fn count(&mut self, tally: Arc<Tally>) {
        tally.memory_grown(self.memory.taken as u64);
        self.tally = Some(tally);
    }
}

impl Drop for Resources {
    fn drop(&mut self) {
        if let Some(tally) = &self.tally {
            tally.memory_freed(self.memory.taken as u64);
        }
    }
}

impl ResourceLimiter for Resources {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Never given, so not to be counted.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        match self.memory.grow(current, desired) {
            Ok(more) => {
                if let Some(tally) = &self.tally {
                    tally.memory_grown(more as u64);
                }
                Ok(true)
            }
            Err(Exhausted { report }) => {
                if report {
                    policy::report_reached(
                        &self.output,
                        "an instance gets no more memory",
                        "memory_mib",
                        self.memory.most / MIB,
                    );
                }
                Ok(false)
            }
        }
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let grown = self.tables.grow(current, desired);
        if let Err(Exhausted { report: true }) = grown {
            policy::report_reached(
                &self.output,
                "an instance gets no larger tables",
                "table_elements",
                self.tables.most,
            );
        }
        Ok(grown.is_ok())
    }

    fn instances(&self) -> usize {
        MOST_INSTANCES
    }

    fn memories(&self) -> usize {
        MOST_MEMORIES
    }

    fn tables(&self) -> usize {
        MOST_TABLES
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::Grants;
    use super::*;

    fn resources(policy: &str) -> Resources {
        let grants: Grants = toml::from_str(policy).unwrap();
        Resources::new(&grants.limits(), OutputLog::unkept("notes"))
    }

    #[test]
    fn all_memories_share_one_limit() {
        let mut resources = resources("memory_mib = 3");
        assert!(resources.memory_growing(0, MIB, None).unwrap());
        assert!(resources.memory_growing(0, MIB, None).unwrap());
        assert!(!resources.memory_growing(MIB, 3 * MIB, None).unwrap());
        assert!(resources.memory_growing(MIB, 2 * MIB, None).unwrap());
        assert!(!resources.memory_growing(0, 1, None).unwrap());
    }

    #[test]
    fn what_a_memory_may_never_have_is_not_counted() {
        let mut resources = resources("memory_mib = 2");
        for _ in 0..10 {
            assert!(!resources.memory_growing(0, 2 * MIB, Some(MIB)).unwrap());
        }
        assert!(resources.memory_growing(0, 2 * MIB, None).unwrap());
    }

    #[test]
    fn absurd_wishes_do_not_overflow() {
        let mut resources = resources("memory_mib = 2\ntable_elements = 5");
        assert!(resources.memory_growing(0, 7, None).unwrap());
        assert!(!resources.memory_growing(0, usize::MAX, None).unwrap());
        assert!(!resources.table_growing(0, usize::MAX, None).unwrap());
    }

    #[test]
    fn all_tables_share_one_limit() {
        let mut resources = resources("table_elements = 10");
        assert!(resources.table_growing(0, 6, None).unwrap());
        assert!(resources.table_growing(0, 4, Some(4)).unwrap());
        assert!(!resources.table_growing(6, 7, None).unwrap());
    }

    #[test]
    fn memory_counts_for_as_long_as_the_instance_has_it() {
        let tally = Arc::new(Tally::default());
        let mut resources = resources("memory_mib = 2");
        assert!(resources.memory_growing(0, MIB, None).unwrap());
        resources.count(Arc::clone(&tally));
        assert!(resources.memory_growing(MIB, 2 * MIB, None).unwrap());
        assert_eq!(tally.activity().memory_bytes, 2 * MIB as u64);
        drop(resources);
        assert_eq!(tally.activity().memory_bytes, 0);
    }
}
