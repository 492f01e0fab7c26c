//! What is different where instances are native programs: their one exec, a second look, and what no certificate of theirs has.

use super::{Zygote, processes_max};
use crate::inspect::{Moment, Observed, judge_program, judge_unwalled_program};
use crate::process::control::broken;
use crate::process::guard::Process;
use crate::tree::cause_of;
use casemate_protocol::certificate::{Certificate, Layer, LayerSet, Profile};
use casemate_protocol::outcome::Failure;
use casemate_protocol::policy::Sandbox;
use casemate_protocol::syscalls::{CANARY_OUTSIDE, CANARY_OUTSIDE_PROGRAM};

/// Threads that a native program may have; the plugin's programs share what all of them may.
pub(super) const PROGRAM_THREADS: u64 = 16;
/// What a certificate of native programs cannot have, and why.
pub(super) const NOT_OF_PROGRAMS: &[(Layer, &str)] = &[
    (
        Layer::EmptyRoot,
        "a program's root has what it needs to run: seen from outside, and read-only but for what is granted",
    ),
    (Layer::SingleThread, "a program may make threads, and no process"),
    (
        Layer::NotDumpable,
        "its exec makes it dumpable: no process of its own user is behind its filter that could trace it",
    ),
    (Layer::SealedCode, "a program's code is its files', which are read-only for it"),
    (Layer::SealedProgram, "the program is a file of the host's"),
];

/// Why a certificate of programs without walls has next to nothing.
const WITHOUT_WALLS: &str = "sandbox = \"none\": its operator wants no walls around it";
/// What it has all the same.
const HELD_WITHOUT_WALLS: [Layer; 6] = [
    Layer::NoNewPrivs,
    Layer::Capabilities,
    Layer::UserNamespace,
    Layer::PidNamespace,
    Layer::ResourceLimits,
    Layer::UnprivilegedUid,
];

impl Zygote {
    /// Whether its instances are native programs.
    pub(super) fn is_native(&self) -> bool {
        self.certificate.profile == Profile::External
    }

    /// Whether its instances are native programs without walls.
    pub(super) fn is_unwalled(&self) -> bool {
        self.is_native() && self.policy.sandbox() == Sandbox::None
    }

    /// What the certificate of programs without walls still has.
    pub(super) fn certify_unwalled(&mut self) {
        let mut certificate = Certificate::new(Profile::External);
        self.tree.observed.enter(&mut certificate, LayerSet::EMPTY);
        // Whatever else was seen of its zygote, the program can change.
        for layer in LayerSet::all().minus(HELD_WITHOUT_WALLS.into_iter().collect()).iter() {
            certificate.off(layer, WITHOUT_WALLS);
        }
        self.certificate = certificate;
    }

    /// Lets a native program have its one exec, once it waits there and was looked at. Other workers have none, and one without
    /// walls has had it.
    pub(crate) async fn let_exec(&self, process: &Process) -> Result<(), Failure> {
        if !self.is_native() || self.is_unwalled() {
            return Ok(());
        }
        let step = "starting a program";
        let fate = process.until(|fate| fate.at_exec || fate.violation.is_some()).await;
        if !fate.at_exec {
            let ended = cause_of(&fate).map(Failure::not_started);
            return Err(ended.unwrap_or_else(|| broken(step, "it ended before it could be executed")));
        }
        self.judge_program(process, Moment::AtExec)?;
        process.let_exec();
        Ok(())
    }

    /// An instance has been looked at and has nothing to do.
    pub(crate) fn rest(&self, process: &Process) {
        if self.is_native() {
            process.rest_after(self.context.spawn_timeout);
        } else {
            process.rest();
        }
    }

    fn judge_program(&self, process: &Process, moment: Moment) -> Result<Observed, Failure> {
        // It may have ended by itself already, or be about to. Its first call tells how.
        let Ok(pidfd) = process.pidfd() else { return Ok(Observed::default()) };
        let processes_max = processes_max(&self.policy, Profile::External);
        self.tree.look_if_it_lives(&pidfd, |view, expect| {
            if self.is_unwalled() {
                judge_unwalled_program(view, expect, self.given, processes_max)
            } else {
                judge_program(view, expect, self.given, processes_max, moment)
            }
        })
    }

    /// Looks at an instance from outside, before it gets a byte of input.
    pub(crate) fn judge_instance(&self, process: &Process) -> Result<Observed, Failure> {
        if !self.is_native() {
            return self.judge(process);
        }
        self.judge_program(process, Moment::Runs)
    }
}

/// The call that a canary makes and no list has.
pub(super) fn outside_of(profile: Profile) -> i64 {
    match profile {
        Profile::External => CANARY_OUTSIDE_PROGRAM,
        _ => CANARY_OUTSIDE,
    }
}
