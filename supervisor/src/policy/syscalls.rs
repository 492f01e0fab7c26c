//! The system calls that a worker has left, for people. The filters themselves are the worker's; the lists here are written
//! down from theirs, and a test of the suites compares the two.

pub use casemate_protocol::certificate::Profile;
pub use casemate_protocol::syscalls::Arch;

/// A system call that a worker can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowedSyscall {
    /// The kernel's name.
    pub name: &'static str,
    /// What its arguments must be.
    pub arguments: &'static str,
    /// What needs it.
    pub reason: &'static str,
}

/// The list of a profile on a machine.
pub fn of_worker(arch: Arch, profile: Profile) -> impl Iterator<Item = AllowedSyscall> {
    let text = match (profile, arch) {
        (Profile::Wasi, Arch::X86_64) => include_str!("syscalls/wasi-x86_64.txt"),
        (Profile::Wasi, Arch::Aarch64) => include_str!("syscalls/wasi-aarch64.txt"),
        (Profile::External, Arch::X86_64) => include_str!("syscalls/external-x86_64.txt"),
        (Profile::External, Arch::Aarch64) => include_str!("syscalls/external-aarch64.txt"),
        (_, Arch::X86_64) => include_str!("syscalls/x86_64.txt"),
        (_, Arch::Aarch64) => include_str!("syscalls/aarch64.txt"),
    };
    text.lines().filter_map(|line| {
        let mut columns = line.split('\t');
        Some(AllowedSyscall { name: columns.next()?, arguments: columns.next()?, reason: columns.next()? })
    })
}
