//! Memory and tables: refused exactly at the limit, whatever the kernel would still give.

use crate::fault::Fault;
use casemate_protocol::outcome::LimitName;
use wasmtime::ResourceLimiter;

/// Counts what all memories and tables of one guest have together.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes_max: u64,
    table_entries_max: u64,
    memory_bytes: u64,
    table_entries: u64,
    /// The last growth granted, to take back if the kernel then refuses it.
    memory_granted: u64,
    /// The first refusal since [`Limiter::forget`].
    denied: Option<Fault>,
}

impl Limiter {
    pub(crate) fn new(memory_bytes_max: u64, table_entries_max: u64) -> Self {
        Self {
            memory_bytes_max,
            table_entries_max,
            memory_bytes: 0,
            table_entries: 0,
            memory_granted: 0,
            denied: None,
        }
    }

    /// Linear memories together, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// A new call begins.
    pub(crate) fn forget(&mut self) {
        self.denied = None;
    }

    /// What was refused during this call.
    pub(crate) fn denied(&self) -> Option<&Fault> {
        self.denied.as_ref()
    }

    /// Memory of ours that a guest has asked for; it counts like its own.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), Fault> {
        let wanted = self.memory_bytes.saturating_add(bytes);
        if wanted > self.memory_bytes_max {
            self.deny(LimitName::Memory, self.memory_bytes_max, wanted);
            let (limit, configured) = (LimitName::Memory, self.memory_bytes_max);
            return Err(Fault::Limit { limit, configured, observed: wanted });
        }
        self.memory_bytes = wanted;
        Ok(())
    }

    /// It does not need so much of it any more.
    pub(crate) fn give_back(&mut self, bytes: u64) {
        self.memory_bytes = self.memory_bytes.saturating_sub(bytes);
    }

    fn deny(&mut self, limit: LimitName, configured: u64, observed: u64) -> bool {
        self.denied.get_or_insert(Fault::Limit { limit, configured, observed });
        false
    }
}

/// What a growth adds.
fn added(current: usize, desired: usize) -> u64 {
    u64::try_from(desired.saturating_sub(current)).unwrap_or(u64::MAX)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = added(current, desired);
        let wanted = self.memory_bytes.saturating_add(granted);
        if wanted > self.memory_bytes_max {
            return Ok(self.deny(LimitName::Memory, self.memory_bytes_max, wanted));
        }
        self.memory_bytes = wanted;
        self.memory_granted = granted;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        // Called also for growth that was never granted; then there is nothing to take back.
        self.memory_bytes = self.memory_bytes.saturating_sub(std::mem::take(&mut self.memory_granted));
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.table_entries.saturating_add(added(current, desired));
        if wanted > self.table_entries_max {
            return Ok(self.deny(LimitName::Tables, self.table_entries_max, wanted));
        }
        self.table_entries = wanted;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_count_together_and_exactly() {
        let mut limiter = Limiter::new(200, 10);
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert!(!limiter.memory_growing(100, 101, None).unwrap());
        assert_eq!(
            limiter.denied(),
            Some(&Fault::Limit { limit: LimitName::Memory, configured: 200, observed: 201 })
        );
        assert_eq!(limiter.memory_bytes(), 200);
        limiter.forget();
        assert_eq!(limiter.denied(), None);
    }

    #[test]
    fn growth_that_the_kernel_refuses_is_taken_back_once() {
        let mut limiter = Limiter::new(200, 10);
        assert!(limiter.memory_growing(0, 150, None).unwrap());
        limiter.memory_grow_failed(wasmtime::Error::msg("ENOMEM")).unwrap();
        limiter.memory_grow_failed(wasmtime::Error::msg("ENOMEM")).unwrap();
        assert_eq!(limiter.memory_bytes(), 0);
    }

    #[test]
    fn tables_have_a_limit_of_their_own() {
        let mut limiter = Limiter::new(200, 10);
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!limiter.table_growing(10, 11, None).unwrap());
    }
}
