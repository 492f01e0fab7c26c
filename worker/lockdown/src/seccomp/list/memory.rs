//! Memory of one's own: anonymous, private, never executable.
//!
//! The rules for mmap and mprotect are what makes RLIMIT_DATA a real cap: without PROT_READ alone, MAP_SHARED or
//! MAP_GROWSDOWN every page that can be touched is one that the limit counts. Where a mapping goes is the kernel's choice:
//! with MAP_FIXED one could swap touched pages for empty ones, and keep the page tables, which nothing counts.

use crate::seccomp::list::{Arg, Rule, Syscall, Value, Want, ZERO, is, one_of, value};

const NONE: Value = value("NONE", 0);
const READ_WRITE: Value = value("READ|WRITE", 3);

const MAP_FLAGS: Arg = Arg {
    index: 3,
    name: "flags",
    want: Want::Bits {
        all: &[value("PRIVATE", 0x02), value("ANONYMOUS", 0x20)],
        may: &[value("NORESERVE", 0x4000)],
    },
};

/// The kernel reads 32 bits of this argument; musl and rustix pass 64 ones, other compilers may leave the high half zero.
const NO_FD: Arg = one_of(4, "fd", &[value("-1", u64::MAX), value("-1 in 32 bits", 0xffff_ffff)]);

const ANONYMOUS: Rule = &[is(0, "addr", ZERO), one_of(2, "prot", &[NONE, READ_WRITE]), MAP_FLAGS, NO_FD];

/// For whoever computes.
pub(super) const OWN: &[Syscall] = &[
    Syscall {
        name: "mmap",
        x86_64: Some(9),
        aarch64: Some(222),
        rules: &[ANONYMOUS],
        reason: "heap, linear memories and their guard pages, tables",
    },
    Syscall {
        name: "mprotect",
        x86_64: Some(10),
        aarch64: Some(226),
        rules: &[&[is(2, "prot", READ_WRITE)]],
        reason: "a growing linear memory turns reserved pages into usable ones",
    },
    Syscall {
        name: "munmap",
        x86_64: Some(11),
        aarch64: Some(215),
        rules: &[],
        reason: "heap and instances give memory back; sealed code cannot be unmapped",
    },
    Syscall {
        name: "mremap",
        x86_64: Some(25),
        aarch64: Some(216),
        // MREMAP_FIXED would let a mapping take another's place, MREMAP_DONTUNMAP leave an empty one behind.
        rules: &[&[is(3, "flags", value("MAYMOVE", 1))]],
        reason: "realloc of a large block moves its pages instead of copying them",
    },
    Syscall {
        name: "brk",
        x86_64: Some(12),
        aarch64: Some(214),
        rules: &[],
        reason: "musl's allocator books its blocks there, a page for each hundred groups of them; RLIMIT_DATA counts it",
    },
];
