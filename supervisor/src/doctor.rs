//! What this machine can give of each layer, and how to turn on what it cannot. Nothing is started or changed, but for two
//! children that try the namespaces and a seccomp listener and end at once.

mod facts;

use crate::cgroup::{self, Controller};
use casemate_protocol::certificate::{Layer, LayerSet};
use facts::Facts;
use rustix::io::Errno;

/// One layer on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub layer: Layer,
    /// Whether a plugin started now would have it.
    pub available: bool,
    /// What that rests on, or what is missing.
    pub why: String,
    /// What to do to have it, or to have all of it; empty when there is nothing to do.
    pub how: String,
}

/// Looks at this machine, as the user that we are. One finding for each layer, in the certificate's order.
pub fn doctor() -> Vec<Finding> {
    judge(&Facts::gather())
}

/// What `limits.cgroup` of a policy rests on. It is no layer of the wall, so no certificate has it: a policy that asks for
/// it gets it, or is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlGroups {
    /// Whether a plugin started now could have memory, CPU time and processes limited by a group of its own.
    pub available: bool,
    /// Which version, and where; or what is missing.
    pub why: String,
    /// What to do to have them; empty when there is nothing to do.
    pub how: String,
}

/// Looks for a place where this process may make control groups, and makes none.
pub fn control_groups() -> ControlGroups {
    match cgroup::find(&Controller::ALL) {
        Ok(place) => ControlGroups { available: true, why: place.to_string(), how: String::new() },
        Err(missing) => ControlGroups { available: false, why: missing.why, how: missing.how },
    }
}

/// What to do to have these layers, each thing once: one cause often takes several of them.
pub fn remedies(findings: &[Finding], missing: LayerSet) -> Vec<&str> {
    let mut remedies = Vec::new();
    for finding in findings.iter().filter(|finding| missing.contains(finding.layer) && !finding.available) {
        if !remedies.contains(&finding.how.as_str()) {
            remedies.push(&finding.how);
        }
    }
    remedies
}

/// An answer before it has its layer.
struct Verdict {
    available: bool,
    why: String,
    how: String,
}

fn yes(why: impl Into<String>) -> Verdict {
    Verdict { available: true, why: why.into(), how: String::new() }
}

fn no(why: impl Into<String>, how: impl Into<String>) -> Verdict {
    Verdict { available: false, why: why.into(), how: how.into() }
}

impl Verdict {
    /// It holds, and could be more.
    fn but(self, how: impl Into<String>) -> Self {
        Self { how: how.into(), ..self }
    }
}

fn judge(facts: &Facts) -> Vec<Finding> {
    let finding = |layer| {
        let Verdict { available, why, how } = match &facts.proc {
            // Without it nothing can be looked at, and so nothing is started.
            Err(problem) => no(problem.clone(), "give the supervisor a /proc of its own pid namespace"),
            Ok(()) => layer_of(facts, layer),
        };
        Finding { layer, available, why, how }
    };
    Layer::all().map(finding).collect()
}

fn layer_of(facts: &Facts, layer: Layer) -> Verdict {
    match layer {
        Layer::Seccomp => seccomp(facts),
        Layer::ViolationReports => violation_reports(facts),
        Layer::NoNewPrivs | Layer::Capabilities | Layer::SingleThread | Layer::WriteXorExecute => {
            yes("every kernel that Casemate runs on has it")
        }
        Layer::ResourceLimits => yes("set afresh for each plugin"),
        Layer::UserNamespace
        | Layer::PidNamespace
        | Layer::NetNamespace
        | Layer::IpcNamespace
        | Layer::UtsNamespace
        | Layer::MountNamespace
        | Layer::CgroupNamespace => namespaces(facts),
        Layer::EmptyRoot => below_namespaces(facts, "a mount namespace of its own"),
        Layer::NotDumpable => not_dumpable(facts),
        Layer::Landlock => landlock(facts),
        Layer::Descriptors => match facts.kernel {
            Some(kernel) if kernel < (5, 9) => no("this kernel has no close_range", "a kernel from 5.9 on"),
            _ => yes("every descriptor but one is closed"),
        },
        Layer::UnprivilegedUid => unprivileged_uid(facts),
        Layer::DenyNewExecutable => deny_new_executable(facts),
        Layer::SealedCode => match &facts.sealing {
            Ok(()) => yes("mseal"),
            Err(Errno::NOSYS) => no("this kernel has no mseal", "a kernel from 6.10 on"),
            Err(errno) => {
                no(format!("mseal answers {errno}"), "allow mseal in the container's seccomp profile")
            }
        },
        Layer::SealedProgram => sealed_program(facts),
        other => no(format!("this doctor does not know {other}"), "nothing: tell the authors"),
    }
}

fn has_action(facts: &Facts, action: &str) -> bool {
    facts
        .seccomp_actions
        .as_deref()
        .is_some_and(|actions| actions.split_whitespace().any(|known| known == action))
}

fn seccomp(facts: &Facts) -> Verdict {
    if has_action(facts, "kill_process") {
        yes("filters that kill")
    } else {
        no(
            "this kernel has no seccomp filters that kill a process",
            "a kernel from 4.14 on, built with CONFIG_SECCOMP_FILTER",
        )
    }
}

fn violation_reports(facts: &Facts) -> Verdict {
    if !has_action(facts, "user_notif") {
        return no(
            "this kernel reports no forbidden calls: they kill without a word",
            "a kernel from 5.0 on",
        );
    }
    let verdict = match facts.listener {
        Ok(()) => yes("the kernel reports forbidden calls"),
        Err(Errno::BUSY) => {
            return no(
                "somebody has a seccomp listener over this process already, and the kernel allows one: forbidden calls kill \
                 without a word",
                "start the host program outside of what listens to its system calls, such as a container runtime that \
                 emulates some",
            );
        }
        Err(errno) => {
            return no(
                format!("making a seccomp listener answers {errno}: forbidden calls kill without a word"),
                "allow seccomp with SECCOMP_FILTER_FLAG_NEW_LISTENER to the host program",
            );
        }
    };
    match facts.kernel {
        Some(kernel) if kernel < (5, 19) => {
            verdict.but("a kernel from 5.19 on, or a signal may repeat a report")
        }
        Some(kernel) if kernel < (6, 15) => verdict
            .but("a kernel from 6.15 on, or how a worker ended is its zygote's word and not the kernel's"),
        _ => verdict,
    }
}

/// All seven come together or not at all.
fn namespaces(facts: &Facts) -> Verdict {
    let zero = |value: Option<u64>| value == Some(0);
    if zero(facts.max_user_namespaces) {
        return no("user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces=15000");
    }
    // Root gives its rights away before it makes a plugin's namespaces, so what ordinary users may counts for it too.
    if zero(facts.unprivileged_userns_clone) {
        return no("kernel.unprivileged_userns_clone is 0", "sysctl -w kernel.unprivileged_userns_clone=1");
    }
    if facts.apparmor_restricts == Some(1) && (facts.is_root() || facts.namespaces.is_err()) {
        return no(
            "AppArmor gives no rights in user namespaces of programs without a profile for that",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or a profile with `userns,` for the host program",
        );
    }
    match facts.namespaces {
        Ok(()) => yes("a process of ours can make all seven"),
        Err(Errno::NOSPC | Errno::USERS) => no(
            "the limit on namespaces is reached",
            "raise user.max_user_namespaces (and its siblings max_*_namespaces)",
        ),
        Err(Errno::INVAL | Errno::NOSYS) => no(
            "this kernel lacks one of the seven kinds",
            "a kernel built with CONFIG_USER_NS, PID_NS, NET_NS, IPC_NS, UTS_NS and CGROUPS",
        ),
        Err(Errno::PERM) if facts.filters == 0 => no(
            "the kernel forbids them, as it does in a chroot",
            "run outside of a chroot, as a user that its user namespace knows",
        ),
        Err(errno) => no(
            format!(
                "making them answers {errno}: this is a chroot, or a filter or security module forbids it"
            ),
            "run outside of a chroot; in a container, allow clone and unshare with namespaces in its seccomp profile",
        ),
    }
}

fn below_namespaces(facts: &Facts, what: &str) -> Verdict {
    let verdict = namespaces(facts);
    if verdict.available { yes(what) } else { no(format!("it needs {what}: {}", verdict.why), verdict.how) }
}

fn not_dumpable(facts: &Facts) -> Verdict {
    let verdict = below_namespaces(facts, "a user namespace, for the supervisor to look all the same");
    match facts.yama {
        Some(0) => verdict_or(
            verdict,
            "sysctl -w kernel.yama.ptrace_scope=1 keeps the host's own processes apart too",
        ),
        _ => verdict,
    }
}

/// A suggestion, where nothing more important is to be done.
fn verdict_or(verdict: Verdict, how: &str) -> Verdict {
    if verdict.how.is_empty() { verdict.but(how) } else { verdict }
}

fn landlock(facts: &Facts) -> Verdict {
    match facts.landlock {
        Ok(abi) if abi >= 6 => yes(format!("Landlock ABI {abi}")),
        Ok(abi) => yes(format!("Landlock ABI {abi}: files{}", if abi >= 4 { " and TCP" } else { "" }))
            .but("a kernel from 6.12 on denies signals and abstract sockets to outside too"),
        Err(Errno::OPNOTSUPP) => {
            let lsms =
                facts.lsms.as_deref().map(|lsms| format!(" (now: {})", lsms.trim())).unwrap_or_default();
            no("Landlock is not enabled at boot", format!("add landlock to the kernel's lsm= list{lsms}"))
        }
        Err(Errno::NOSYS) if facts.filters == 0 => {
            no("this kernel has no Landlock", "a kernel from 5.13 on, built with CONFIG_SECURITY_LANDLOCK")
        }
        Err(Errno::NOSYS) => no(
            "this kernel has no Landlock, or a filter over this process hides it",
            format!("a kernel from 5.13 on, built with CONFIG_SECURITY_LANDLOCK; or {ALLOW_LANDLOCK}"),
        ),
        Err(errno) => no(format!("asking for Landlock answers {errno}"), ALLOW_LANDLOCK),
    }
}

const ALLOW_LANDLOCK: &str =
    "allow landlock_create_ruleset and landlock_restrict_self in the container's seccomp profile";

fn unprivileged_uid(facts: &Facts) -> Verdict {
    if !facts.is_root() {
        return yes(format!("we are user {}", facts.uid));
    }
    match (&facts.other_user, facts.may_change_user) {
        (Ok(true), true) => yes("we are root: each plugin gets a user of its own"),
        (Ok(true), false) => no(
            "we are root and may not change to another user",
            "give CAP_SETUID and CAP_SETGID, or run as a user",
        ),
        (Ok(false), _) => no(
            "we are root of a user namespace that knows no other user",
            "run as the user who made it, or map a range of ids into it",
        ),
        (Err(problem), _) => {
            no(problem.clone(), "map a range of user and group ids into this user namespace")
        }
    }
}

fn deny_new_executable(facts: &Facts) -> Verdict {
    match facts.bequeaths_mdwe {
        Ok(false) => yes("MDWE"),
        Ok(true) => no(
            "this process was itself started with it, and no compiled module can be loaded then",
            "remove MemoryDenyWriteExecute= from the service that starts the host program",
        ),
        Err(_) => no("this kernel has no MDWE", "a kernel from 6.3 on"),
    }
}

fn sealed_program(facts: &Facts) -> Verdict {
    match (facts.executable_memfd, facts.memfd_noexec) {
        (Ok(()), _) => yes("programs run from sealed memory files"),
        (Err(_), Some(2)) => no(
            "vm.memfd_noexec is 2: programs run from a private file on disk",
            "sysctl -w vm.memfd_noexec=1",
        ),
        (Err(errno), _) => no(
            format!(
                "making an executable memory file answers {errno}: programs run from a private file on disk"
            ),
            "allow executable memory files to the host program",
        ),
    }
}

#[cfg(test)]
mod tests;
