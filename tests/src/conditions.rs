//! What a host process may be subject to, and hand on to everything it starts.

use casemate_sys::seccomp::{Instruction, install, install_with_listener};
use std::os::fd::OwnedFd;

/// A system call that is not there for this process and what it starts.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    number: u32,
    /// Only with this value as the argument of this index.
    argument: Option<(u32, u32)>,
    errno: u32,
}

const ENOSYS: u32 = rustix::io::Errno::NOSYS.raw_os_error().cast_unsigned();
const EPERM: u32 = rustix::io::Errno::PERM.raw_os_error().cast_unsigned();
const EINVAL: u32 = rustix::io::Errno::INVAL.raw_os_error().cast_unsigned();
const ENOTTY: u32 = rustix::io::Errno::NOTTY.raw_os_error().cast_unsigned();

const PRCTL: u32 = if cfg!(target_arch = "x86_64") { 157 } else { 167 };
const IOCTL: u32 = if cfg!(target_arch = "x86_64") { 16 } else { 29 };
const MSEAL: u32 = 462;
/// `landlock_create_ruleset` and its two siblings.
const LANDLOCK: std::ops::RangeInclusive<u32> = 444..=446;

const PR_SET_MDWE: u32 = 65;
const PR_GET_MDWE: u32 = 66;
const PR_GET_AUXV: u32 = 0x4155_5856;
const PIDFD_GET_INFO: u32 = 0xc040_ff0b;

/// A filter that answers for Landlock as kernels without it do.
pub fn no_landlock() {
    without_landlock(ENOSYS);
}

/// A filter that forbids Landlock, as profiles of containers do that do not know it.
pub fn forbidden_landlock() {
    without_landlock(EPERM);
}

fn without_landlock(errno: u32) {
    let refusals: Vec<_> = LANDLOCK.map(|number| Refusal { number, argument: None, errno }).collect();
    refuse(&refusals);
}

/// A filter that answers as a kernel 6.1 does for what came later: MDWE, the auxiliary vector, mseal, and what a pidfd
/// tells of a process that has ended.
pub fn kernel_6_1() {
    let option = |value| Refusal { number: PRCTL, argument: Some((0, value)), errno: EINVAL };
    refuse(&[
        option(PR_SET_MDWE),
        option(PR_GET_MDWE),
        option(PR_GET_AUXV),
        Refusal { number: MSEAL, argument: None, errno: ENOSYS },
        Refusal { number: IOCTL, argument: Some((1, PIDFD_GET_INFO)), errno: ENOTTY },
    ]);
}

/// A listener of the host's own, of which the kernel allows one in a chain of filters.
pub fn own_listener() -> OwnedFd {
    rustix::thread::set_no_new_privs(true).unwrap();
    install_with_listener(&[ALLOW]).unwrap()
}

/// No new executable memory, as a service's `MemoryDenyWriteExecute=` sets it. `false`: this kernel has no such thing.
pub fn deny_new_executable() -> bool {
    casemate_sys::memory::deny_new_executable().is_ok()
}

const LOAD_WORD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const ALLOW: Instruction = Instruction { code: RETURN, jt: 0, jf: 0, k: 0x7fff_0000 };
const ERRNO: u32 = 0x0005_0000;
/// Where the kernel shows a filter the number, and the first argument, of which the lower half comes first.
const NUMBER_AT: u32 = 0;
const ARGUMENTS_AT: u32 = 16;

fn refuse(refusals: &[Refusal]) {
    let mut program = Vec::new();
    for Refusal { number, argument, errno } in refusals {
        let load = |at| Instruction { code: LOAD_WORD, jt: 0, jf: 0, k: at };
        // Past the rest of this refusal when it is about something else.
        let unless = |k, jf| Instruction { code: JUMP_IF_EQUAL, jt: 0, jf, k };
        program.push(load(NUMBER_AT));
        program.push(unless(*number, if argument.is_some() { 3 } else { 1 }));
        if let Some((index, value)) = argument {
            program.push(load(ARGUMENTS_AT + 8 * index));
            program.push(unless(*value, 1));
        }
        program.push(Instruction { code: RETURN, jt: 0, jf: 0, k: ERRNO | errno });
    }
    program.push(ALLOW);
    rustix::thread::set_no_new_privs(true).unwrap();
    install(&program).unwrap();
}
