//! Memory: sealing mappings, refusing new executable ones.

use crate::check;
use std::io;
use std::ops::Range;

/// `mseal` has this number on every architecture.
const SYS_MSEAL: libc::c_long = 462;
const PR_SET_MDWE: libc::c_int = 65;
const PR_MDWE_REFUSE_EXEC_GAIN: libc::c_ulong = 1;

/// Seals the pages of a range: they can no longer be unmapped, moved or given other rights. Kernel 6.10.
pub fn seal(range: Range<usize>) -> io::Result<()> {
    let length = range.end.saturating_sub(range.start);
    // SAFETY: mseal only takes rights away from mappings of our own; the numbers name no memory to read or write.
    check(unsafe { libc::syscall(SYS_MSEAL, range.start, length, 0_usize) })?;
    Ok(())
}

/// No mapping of this process can become executable any more. Kernel 6.3.
pub fn deny_new_executable() -> io::Result<()> {
    const NONE: libc::c_ulong = 0;
    // SAFETY: this prctl takes numbers only.
    let result = unsafe { libc::prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, NONE, NONE, NONE) };
    check(result.into())?;
    Ok(())
}
