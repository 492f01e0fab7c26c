//! Hostile native code: what a plugin could do that has broken out of WebAssembly.
#![expect(unsafe_code, reason = "this is what the walls are there for")]

use std::arch::global_asm;
use std::ptr;

#[cfg(target_arch = "x86_64")]
global_asm!(
    // (number, pointer to six arguments) -> what the kernel said
    ".globl casemate_adversary_syscall",
    "casemate_adversary_syscall:",
    "mov rax, rdi",
    "mov r11, rsi",
    "mov rdi, [r11]",
    "mov rsi, [r11 + 8]",
    "mov rdx, [r11 + 16]",
    "mov r10, [r11 + 24]",
    "mov r8, [r11 + 32]",
    "mov r9, [r11 + 40]",
    "syscall",
    ".globl casemate_adversary_syscall_end",
    "casemate_adversary_syscall_end:",
    "ret",
    // (number, a, b, c) -> what the kernel said, by the table of 32-bit programs
    ".globl casemate_adversary_int80",
    "casemate_adversary_int80:",
    "push rbx",
    "mov eax, edi",
    "mov ebx, esi",
    "xchg ecx, edx",
    "int 0x80",
    "pop rbx",
    "ret",
    // (ucontext) -> never: rt_sigreturn takes every register from it
    ".globl casemate_adversary_sigreturn",
    "casemate_adversary_sigreturn:",
    "mov rsp, rdi",
    "mov eax, 15",
    "syscall",
    "ud2",
    // A function of ours for `patch text`, in a page of its own.
    ".balign 4096",
    ".globl casemate_adversary_victim",
    "casemate_adversary_victim:",
    "ret",
    ".balign 4096",
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl casemate_adversary_syscall",
    "casemate_adversary_syscall:",
    "mov x8, x0",
    "mov x9, x1",
    "ldp x0, x1, [x9]",
    "ldp x2, x3, [x9, #16]",
    "ldp x4, x5, [x9, #32]",
    "svc #0",
    ".globl casemate_adversary_syscall_end",
    "casemate_adversary_syscall_end:",
    "ret",
    ".balign 4096",
    ".globl casemate_adversary_victim",
    "casemate_adversary_victim:",
    "ret",
    ".balign 4096",
);

unsafe extern "C" {
    fn casemate_adversary_syscall(number: i64, arguments: *const [u64; 6]) -> i64;
    fn casemate_adversary_syscall_end();
    fn casemate_adversary_victim();
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    fn casemate_adversary_int80(number: u32, a: u32, b: u32, c: u32) -> i64;
    fn casemate_adversary_sigreturn(context: *const Context) -> !;
}

/// Where the kernel says that a system call of ours was made.
pub(crate) fn syscall_end() -> u64 {
    address(casemate_adversary_syscall_end)
}

/// A page of this program's own text that nothing else lies in.
pub(crate) fn own_text() -> u64 {
    address(casemate_adversary_victim)
}

fn address(function: unsafe extern "C" fn()) -> u64 {
    (function as *const ()).addr() as u64
}

/// Makes a system call; returns what the kernel said, a negative error number too.
pub(crate) fn syscall(number: i64, arguments: [u64; 6]) -> i64 {
    // SAFETY: none is claimed. This process is lost, and shows what the kernel makes of it.
    unsafe { casemate_adversary_syscall(number, &raw const arguments) }
}

/// Makes a system call of the 32-bit table.
#[cfg(target_arch = "x86_64")]
pub(crate) fn int80(number: u32, [a, b, c]: [u32; 3]) -> i64 {
    // SAFETY: as above.
    unsafe { casemate_adversary_int80(number, a, b, c) }
}

/// There is no such gate here.
#[cfg(target_arch = "aarch64")]
pub(crate) fn int80(_number: u32, _arguments: [u32; 3]) -> i64 {
    -38
}

/// Writes a byte and calls the address: where it is not executable, or not writable, the process ends.
pub(crate) fn write_and_run(at: u64) {
    let at = ptr::with_exposed_provenance_mut::<u8>(usize::try_from(at).unwrap_or(0));
    // SAFETY: none is claimed, as above. The byte is the machine's shortest way back.
    unsafe { at.write_volatile(if cfg!(target_arch = "x86_64") { 0xc3 } else { 0xc0 }) };
    // SAFETY: none is claimed.
    let function = unsafe { std::mem::transmute::<*mut u8, extern "C" fn()>(at) };
    function();
}

/// Touches a page for writing.
pub(crate) fn touch(at: u64) {
    let at = ptr::with_exposed_provenance_mut::<u8>(usize::try_from(at).unwrap_or(0));
    // SAFETY: none is claimed; a page that is not there ends the process.
    unsafe { at.write_volatile(1) };
}

/// Reads eight bytes.
pub(crate) fn peek(at: u64) -> u64 {
    let at = ptr::with_exposed_provenance::<u64>(usize::try_from(at).unwrap_or(0));
    // SAFETY: none is claimed; callers ask for code that is mapped.
    unsafe { at.read_unaligned() }
}

/// Uses up the stack.
pub(crate) fn dig(depth: u64) -> u64 {
    let room = std::hint::black_box([1_u8; 16 << 10]);
    if depth == u64::MAX { 0 } else { dig(depth + 1).wrapping_add(u64::from(std::hint::black_box(&room)[0])) }
}

/// The kernel's `struct ucontext` of x86-64, from which rt_sigreturn restores a process.
#[cfg(target_arch = "x86_64")]
#[repr(C, align(16))]
struct Context {
    flags: u64,
    link: u64,
    alternate_stack: [u64; 3],
    /// r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags.
    registers: [u64; 18],
    /// cs, gs, fs, ss.
    segments: [u16; 4],
    error: u64,
    trap: u64,
    old_mask: u64,
    cr2: u64,
    floating_point: u64,
    reserved: [u64; 8],
    mask: u64,
}

/// Forges a frame in which every signal is blocked, returns through it, and goes on in `next` on a new stack.
#[cfg(target_arch = "x86_64")]
pub(crate) fn return_masked(next: extern "C" fn() -> !) -> ! {
    const RSP: usize = 15;
    const RIP: usize = 16;
    const FLAGS: usize = 17;
    let stack = vec![0_u64; 64 << 10].leak();
    // As after a call: eight bytes below a multiple of 16.
    let top = (stack.as_ptr_range().end.addr() & !15) - 8;
    let mut registers = [0; 18];
    registers[RSP] = top as u64;
    registers[RIP] = (next as *const ()).addr() as u64;
    registers[FLAGS] = 0x202;
    let context = Context {
        flags: 0,
        link: 0,
        // SS_DISABLE
        alternate_stack: [0, 2, 0],
        registers,
        segments: [0x33, 0, 0, 0x2b],
        error: 0,
        trap: 0,
        old_mask: 0,
        cr2: 0,
        floating_point: 0,
        reserved: [0; 8],
        mask: u64::MAX,
    };
    // SAFETY: the context names a function of ours and a stack that is never given back.
    unsafe { casemate_adversary_sigreturn(&raw const context) }
}
