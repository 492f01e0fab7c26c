//! Landlock: no file, no TCP port, and no signal or abstract socket to anything outside.

use crate::error::{LockdownError, Step};
use crate::experiment;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr,
    RulesetError, RulesetStatus, Scope,
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
    if experiment::is_left_out("landlock") {
        return Ok(Enforced::Abi(ABI_KNOWN as u32));
    }
    let step = "restricting with Landlock";
    let status = restrict().map_err(|error| std::io::Error::other(error.to_string())).step(step)?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Ok(Enforced::Absent),
        (_, LandlockStatus::Available { effective_abi, kernel_abi }) => Ok(Enforced::Abi(
            kernel_abi.and_then(|abi| u32::try_from(abi).ok()).unwrap_or(effective_abi as u32),
        )),
        _ => Err(std::io::Error::other("a ruleset is enforced by a kernel without Landlock")).step(step),
    }
}

fn restrict() -> Result<landlock::RestrictionStatus, RulesetError> {
    Ruleset::default()
        // Older kernels know fewer rights: take what there is, and report it.
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI_KNOWN))?
        .handle_access(AccessNet::from_all(ABI_KNOWN))?
        .scope(Scope::from_all(ABI_KNOWN))?
        .create()?
        .restrict_self()
}
