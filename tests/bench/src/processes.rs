//! What is seen of workers from outside.

use crate::Outcome;
use std::fs;

/// The kernel's stack of a thread: THREAD_SIZE of x86_64 and of aarch64 with pages of 4 KiB.
const KERNEL_STACK_KIB: u64 = 16;

/// Processes behind the walls: those whose arguments hold the supervisor's marker, but for the stub.
pub(crate) fn walled(marker: &str) -> Vec<u32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let arguments: Vec<&[u8]> = arguments.split(|byte| *byte == 0).collect();
            arguments.contains(&marker.as_bytes()) && !arguments.contains(&b"stub".as_slice())
        })
        .collect()
}

/// The same with all that they have started, which have names of their own.
pub(crate) fn families(marker: &str) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            Some((pid, field(&status, "PPid:").ok()?.try_into().ok()?))
        })
        .collect();
    let mut family = walled(marker);
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        let children = parents.iter().filter(|(pid, of)| *of == parent && !family.contains(pid));
        let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
        family.extend(children);
        at += 1;
    }
    family
}

/// Memory of a process: its share of what it maps, its page tables and its kernel stack.
pub(crate) fn memory_kib(pid: u32) -> Outcome<u64> {
    let share = field(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?, "Pss:")?;
    let tables = field(&fs::read_to_string(format!("/proc/{pid}/status"))?, "VmPTE:")?;
    Ok(share + tables + KERNEL_STACK_KIB)
}

/// `Name:    123 kB`.
fn field(text: &str, name: &str) -> Outcome<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| format!("no {name} in /proc").into())
}

/// Bytes of the program that a process runs.
pub(crate) fn program_bytes(pid: u32) -> Outcome<u64> {
    Ok(fs::metadata(format!("/proc/{pid}/exe"))?.len())
}
