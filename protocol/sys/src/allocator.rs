//! The allocator of a program that works under a memory cap.

use crate::process::exit_now;
use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, but where it has no memory left the process ends, with an exit code and without a word: the
/// standard library would write one to standard error first, which a process behind its walls is killed for.
#[derive(Debug)]
pub struct Capped {
    code: i32,
}

impl Capped {
    /// Ends the process with this code.
    pub const fn new(code: i32) -> Self {
        Self { code }
    }

    fn given(&self, memory: *mut u8) -> *mut u8 {
        if memory.is_null() {
            exit_now(self.code);
        }
        memory
    }
}

// SAFETY: every call is passed on to the system's allocator as it is, and what comes back is handed over as it is.
unsafe impl GlobalAlloc for Capped {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the same contract.
        self.given(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the same contract.
        self.given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_bytes: usize) -> *mut u8 {
        // SAFETY: the caller keeps to the same contract.
        self.given(unsafe { System.realloc(memory, layout, new_bytes) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.dealloc(memory, layout) }
    }
}
