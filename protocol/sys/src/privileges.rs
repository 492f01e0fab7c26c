//! Capabilities, and the identity that a supervisor running as root gives away.

use crate::check;
use std::io;

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
const PR_CAP_AMBIENT: libc::c_int = 47;
const PR_CAP_AMBIENT_CLEAR_ALL: libc::c_ulong = 4;

/// Gives up every capability of this thread in every set but the bounding one (no exec can use that any more).
pub fn drop_capabilities() -> io::Result<()> {
    const NONE: libc::c_ulong = 0;
    // SAFETY: this prctl takes numbers only.
    let result = unsafe { libc::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, NONE, NONE, NONE) };
    check(result.into())?;
    let header = CapabilityHeader { version: CAPABILITY_VERSION_3, pid: 0 };
    let data = [CapabilityData::default(); 2];
    // SAFETY: version 3 reads one header and two data blocks, which is what the pointers name.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })?;
    Ok(())
}
