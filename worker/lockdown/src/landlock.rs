//! Landlock: no file, no TCP port, and no signal or abstract socket to anything outside.

use crate::error::{LockdownError, Step};
use crate::experiment;
use crate::walls::Grant;
use casemate_protocol::spawn::MountKind;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use std::os::fd::BorrowedFd;

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
    deny_all_but_rules(&[])
}

/// The same, but for what these folders hold.
pub(crate) fn deny_all_but(grants: &[Grant<'_>]) -> Result<Enforced, LockdownError> {
    let rights = |grant: &Grant<'_>| if grant.write { read() | write() } else { read() };
    let rules: Vec<_> = grants.iter().map(|grant| (grant.folder, rights(grant))).collect();
    deny_all_but_rules(&rules)
}

/// The same for the mounts of a native program's root, each open.
pub(crate) fn deny_all_but_mounts(mounts: &[(BorrowedFd<'_>, MountKind)]) -> Result<Enforced, LockdownError> {
    let rules: Vec<_> = mounts.iter().map(|(place, kind)| (*place, of_mount(*kind))).collect();
    deny_all_but_rules(&rules)
}

type Rule<'a> = (BorrowedFd<'a>, BitFlags<AccessFs>);

fn deny_all_but_rules(rules: &[Rule<'_>]) -> Result<Enforced, LockdownError> {
    if experiment::is_left_out("landlock") {
        return Ok(Enforced::Abi(ABI_KNOWN as u32));
    }
    let step = "restricting with Landlock";
    let status = restrict(rules).map_err(|error| std::io::Error::other(error.to_string())).step(step)?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Ok(Enforced::Absent),
        (_, LandlockStatus::Available { effective_abi, kernel_abi }) => Ok(Enforced::Abi(
            kernel_abi.and_then(|abi| u32::try_from(abi).ok()).unwrap_or(effective_abi as u32),
        )),
        _ => Err(std::io::Error::other("a ruleset is enforced by a kernel without Landlock")).step(step),
    }
}

fn restrict(rules: &[Rule<'_>]) -> Result<landlock::RestrictionStatus, RulesetError> {
    let mut ruleset = Ruleset::default()
        // Older kernels know fewer rights: take what there is, and report it.
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI_KNOWN))?
        .handle_access(AccessNet::from_all(ABI_KNOWN))?
        .scope(Scope::from_all(ABI_KNOWN))?
        .create()?;
    for (place, rights) in rules {
        ruleset = ruleset.add_rule(PathBeneath::new(*place, *rights))?;
    }
    ruleset.restrict_self()
}

fn of_mount(kind: MountKind) -> BitFlags<AccessFs> {
    match kind {
        MountKind::Programs => read() | AccessFs::Execute,
        MountKind::Folder => read(),
        MountKind::WritableFolder => read() | write(),
        MountKind::File => AccessFs::ReadFile.into(),
        MountKind::Device => AccessFs::ReadFile | AccessFs::WriteFile,
    }
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
