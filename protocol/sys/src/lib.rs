//! The safe face of the kernel calls that Casemate needs and that nix or rustix lack or leave raw.
//!
//! This is the one unsafe room that supervisor and worker share. Every function does one thing, checks what the kernel
//! says, and returns [`std::io::Error`]; what a failure means is for the caller to say.
#![expect(unsafe_code, reason = "the room for raw kernel calls; each block says what makes it sound")]

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!(
    "Casemate runs on Linux on x86_64 and aarch64 only: its walls are made of that kernel's features"
);

pub mod allocator;
pub mod descriptors;
pub mod memory;
pub mod mount;
pub mod packet;
pub mod privileges;
pub mod process;
pub mod seccomp;
pub mod signal;
pub mod support;

use std::io;

/// Turns the -1 of a system call into an error.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A descriptor from a system call's result.
fn descriptor(result: libc::c_long) -> io::Result<libc::c_int> {
    libc::c_int::try_from(check(result)?)
        .or(Err(io::Error::other("the kernel returned an impossible descriptor")))
}
