//! Identity and privileges: who the process is, and that it can never be more.

use crate::error::{LockdownError, Step};
use crate::experiment::{self, raise};
use casemate_protocol::spawn::Identity;
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

/// Gives root away for an identity of the plugin's own.
pub(crate) fn become_identity(identity: Identity) -> Result<(), LockdownError> {
    if experiment::is_left_out("unprivileged-uid") {
        return Ok(());
    }
    let step = "dropping root";
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    setgroups(&[]).step(step)?;
    setresgid(gid, gid, gid).step(step)?;
    setresuid(uid, uid, uid).step(step)?;
    // Changing the uid cleared it, and without it our own /proc/self/uid_map belongs to root.
    prctl::set_dumpable(true).step(step)
}

/// exec cannot raise privileges, and there are none to keep. Undumpable unless the supervisor then could not look.
pub(crate) fn give_up(dumpable: bool) -> Result<(), LockdownError> {
    raise("no-new-privs", prctl::set_no_new_privs).step("setting NO_NEW_PRIVS")?;
    raise("not-dumpable", || prctl::set_dumpable(dumpable)).step("setting DUMPABLE")?;
    raise("capabilities", casemate_sys::privileges::drop_capabilities).step("dropping capabilities")
}
