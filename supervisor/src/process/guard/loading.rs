//! What a head may do between its filter and the moment its module is loaded, beyond what the filter allows anyway.
//!
//! The module's file comes from a compiler that nobody trusts, and the engine that maps it trusts what is in it. So the
//! filter stands first, and the few calls that loading needs are let through one by one, by us, for as long as it takes.
//! Only calls are here whose arguments are numbers: what a pointer names could be another thing by the time the kernel
//! looks.

use casemate_sys::seccomp::Notification;

/// Calls in all. Loading makes about a dozen.
const CALLS_MAX: u32 = 64;

const PROT_READ: u64 = 1;
const PROT_READ_WRITE: u64 = 3;
const PROT_READ_EXEC: u64 = 5;
const MAP_PRIVATE: u64 = 2;
/// As many as a zygote may have.
const DESCRIPTORS: u64 = 64;
const PR_SET_MDWE: u64 = 65;
const PR_MDWE_REFUSE_EXEC_GAIN: u64 = 1;

/// The calls that are left.
#[derive(Debug)]
pub(super) struct Loading {
    left: u32,
}

impl Default for Loading {
    fn default() -> Self {
        Self { left: CALLS_MAX }
    }
}

impl Loading {
    /// Whether this call is one of loading's. Each is allowed only so often.
    pub(super) fn allows(&mut self, call: &Notification) -> bool {
        let name = casemate_protocol::syscalls::name(call.arch, call.number).unwrap_or_default();
        let allowed = match (name, call.args) {
            // The file, whole, in pages of its own; what is code is then made executable and no longer writable.
            ("mmap", [_, _, PROT_READ_WRITE, MAP_PRIVATE, fd, 0]) => fd < DESCRIPTORS,
            ("mprotect", [_, _, PROT_READ | PROT_READ_EXEC, ..]) => true,
            // Its length.
            ("fstat" | "lseek" | "statx", _) => true,
            // The last two walls before the guest.
            ("mseal", [_, _, 0, ..]) => true,
            ("prctl", [PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0, _]) => true,
            _ => false,
        };
        let allowed = allowed && self.left > 0;
        self.left -= u32::from(allowed);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86_64: u32 = 0xc000_003e;

    fn call(number: i32, args: [u64; 6]) -> Notification {
        Notification { id: 0, pid: 1, arch: X86_64, number, args, instruction_pointer: 0 }
    }

    #[test]
    fn code_may_become_executable_but_never_writable_memory_of_a_file() {
        let mut loading = Loading::default();
        assert!(loading.allows(&call(10, [0x1000, 0x1000, PROT_READ_EXEC, 0, 0, 0])));
        assert!(!loading.allows(&call(10, [0x1000, 0x1000, 7, 0, 0, 0])), "writable and executable");
        assert!(!loading.allows(&call(9, [0, 0x1000, 7, 2, 3, 0])), "a writable and executable file");
        assert!(!loading.allows(&call(9, [0, 0x1000, 3, 1, 3, 0])), "shared");
        assert!(!loading.allows(&call(41, [1, 1, 0, 0, 0, 0])), "a socket");
    }

    #[test]
    fn it_ends() {
        let mut loading = Loading::default();
        let seal = call(462, [0x1000, 0x1000, 0, 0, 0, 0]);
        let allowed = (0..1000).filter(|_| loading.allows(&seal)).count();
        assert_eq!(allowed, 64);
    }
}
