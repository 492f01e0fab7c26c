//! Landlock: no file, no TCP port, and no signal or abstract socket to anything outside.

use crate::error::{LockdownError, Step};
use crate::experiment;
use crate::walls::Grant;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

/// What the kernel enforces now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enforced {
    /// Everything this ABI knows is denied.
    Abi(u32),
    /// The kernel has no Landlock.
    Absent,
}

/// The newest ABI whose rights and scopes are named here.
const ABI_KNOWN: ABI = ABI::V6;

/// Denies everything that the kernel's Landlock can deny, with no rule to allow anything.
pub(crate) fn deny_all() -> Result<Enforced, LockdownError> {
    deny_all_but(&[])
}

/// The same, but for what these folders hold.
pub(crate) fn deny_all_but(grants: &[Grant<'_>]) -> Result<Enforced, LockdownError> {
    if experiment::is_left_out("landlock") {
        return Ok(Enforced::Abi(ABI_KNOWN as u32));
    }
    let step = "restricting with Landlock";
    let status = restrict(grants).map_err(|error| std::io::Error::other(error.to_string())).step(step)?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Ok(Enforced::Absent),
        (_, LandlockStatus::Available { effective_abi, kernel_abi }) => Ok(Enforced::Abi(
            kernel_abi.and_then(|abi| u32::try_from(abi).ok()).unwrap_or(effective_abi as u32),
        )),
        _ => Err(std::io::Error::other("a ruleset is enforced by a kernel without Landlock")).step(step),
    }
}

fn restrict(grants: &[Grant<'_>]) -> Result<landlock::RestrictionStatus, RulesetError> {
    let mut ruleset = Ruleset::default()
        // Older kernels know fewer rights: take what there is, and report it.
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI_KNOWN))?
        .handle_access(AccessNet::from_all(ABI_KNOWN))?
        .scope(Scope::from_all(ABI_KNOWN))?
        .create()?;
    for grant in grants {
        let rights = if grant.write { read() | write() } else { read() };
        ruleset = ruleset.add_rule(PathBeneath::new(grant.folder, rights))?;
    }
    ruleset.restrict_self()
}

fn read() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// Files, folders and symbolic links, and renaming between folders below. No device, no socket, no pipe, nothing to execute.
fn write() -> BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSym
        | AccessFs::Refer
}
