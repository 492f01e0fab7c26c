//! Programs in the kernel's classic BPF, as data that has passed the kernel's rules.

use casemate_sys::seccomp::Instruction;
use thiserror::Error;

/// One instruction, laid out as the kernel's `struct sock_filter`.
pub type Insn = Instruction;

/// Instructions a program may have: the kernel's BPF_MAXINSNS.
pub const INSTRUCTIONS_MAX: usize = 4096;

/// Bytes of `struct seccomp_data`; a load must lie within.
pub(crate) const DATA_BYTES: u32 = 64;

/// The operations our programs are made of. The kernel takes more; a smaller set is easier to interpret rightly.
pub(crate) mod op {
    /// A = 32-bit word of `seccomp_data` at K.
    pub(crate) const LOAD: u16 = 0x20;
    /// A &= K.
    pub(crate) const AND: u16 = 0x54;
    /// Skip K instructions.
    pub(crate) const JUMP: u16 = 0x05;
    /// A == K.
    pub(crate) const IF_EQUAL: u16 = 0x15;
    /// A > K, unsigned.
    pub(crate) const IF_GREATER: u16 = 0x25;
    /// A >= K, unsigned.
    pub(crate) const IF_NOT_LESS: u16 = 0x35;
    /// A & K != 0.
    pub(crate) const IF_ANY_BIT: u16 = 0x45;
    /// The verdict is K.
    pub(crate) const RETURN: u16 = 0x06;
}

/// What happens to a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The process ends by SIGSYS.
    KillProcess,
    /// It waits until the listener's reader has decided.
    Notify,
    /// It runs.
    Allow,
}

impl Action {
    /// All of them, the strictest first.
    pub const ALL: [Self; 3] = [Self::KillProcess, Self::Notify, Self::Allow];

    /// The kernel's SECCOMP_RET value.
    #[must_use]
    pub const fn verdict(self) -> u32 {
        match self {
            Self::KillProcess => 0x8000_0000,
            Self::Notify => 0x7fc0_0000,
            Self::Allow => 0x7fff_0000,
        }
    }

    /// The action a verdict stands for, if it is one of these.
    #[must_use]
    pub fn from_verdict(verdict: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.verdict() == verdict)
    }
}

/// Why instructions are no program that the kernel would take, or not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Flaw {
    /// There is nothing to run.
    #[error("a program has at least one instruction")]
    Empty,
    /// More than [`INSTRUCTIONS_MAX`].
    #[error("{0} instructions, the kernel takes {INSTRUCTIONS_MAX}")]
    TooLong(usize),
    /// An operation outside the set our programs use.
    #[error("instruction {0} is of a kind that our programs do not have")]
    Operation(usize),
    /// A load that is not a whole word of `seccomp_data`.
    #[error("instruction {0} loads what is not a word of the call's data")]
    Load(usize),
    /// A jump past the last instruction.
    #[error("instruction {0} jumps past the end")]
    Jump(usize),
    /// The last instruction does not return.
    #[error("the last instruction returns no verdict")]
    NoReturn,
}

/// A program that every kernel takes: jumps lead forward to instructions that exist, loads stay inside the call's data,
/// and the last instruction returns. So every run ends with a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(Vec<Insn>);

impl Program {
    /// Takes instructions that keep the kernel's rules (`bpf_check_classic`, `seccomp_check_filter`).
    pub fn new(instructions: Vec<Insn>) -> Result<Self, Flaw> {
        verify(&instructions)?;
        Ok(Self(instructions))
    }

    /// Kills whatever is called.
    #[must_use]
    pub(crate) fn kill_everything() -> Self {
        Self(vec![Insn { code: op::RETURN, jt: 0, jf: 0, k: Action::KillProcess.verdict() }])
    }

    /// What the kernel is given.
    #[must_use]
    pub fn instructions(&self) -> &[Insn] {
        &self.0
    }
}

/// Checks instructions as the kernel does before it takes them.
pub fn verify(instructions: &[Insn]) -> Result<(), Flaw> {
    let length = instructions.len();
    if length > INSTRUCTIONS_MAX {
        return Err(Flaw::TooLong(length));
    }
    for (at, insn) in instructions.iter().enumerate() {
        // A jump counts from the instruction behind it.
        let reaches =
            |skip: u32| usize::try_from(skip).is_ok_and(|skip| skip < length.saturating_sub(at + 1));
        let sound = match insn.code {
            op::LOAD if insn.k >= DATA_BYTES || !insn.k.is_multiple_of(4) => return Err(Flaw::Load(at)),
            op::LOAD | op::AND | op::RETURN => true,
            op::JUMP => reaches(insn.k),
            op::IF_EQUAL | op::IF_GREATER | op::IF_NOT_LESS | op::IF_ANY_BIT => {
                reaches(insn.jt.into()) && reaches(insn.jf.into())
            }
            _ => return Err(Flaw::Operation(at)),
        };
        if !sound {
            return Err(Flaw::Jump(at));
        }
    }
    match instructions.last() {
        None => Err(Flaw::Empty),
        Some(last) if last.code == op::RETURN => Ok(()),
        Some(_) => Err(Flaw::NoReturn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insn(code: u16, jt: u8, jf: u8, k: u32) -> Insn {
        Insn { code, jt, jf, k }
    }

    const END: Insn = Insn { code: op::RETURN, jt: 0, jf: 0, k: 0 };

    #[test]
    fn what_the_kernel_would_refuse_is_no_program() {
        let cases = [
            (vec![], Flaw::Empty),
            (vec![END; INSTRUCTIONS_MAX + 1], Flaw::TooLong(INSTRUCTIONS_MAX + 1)),
            (vec![insn(op::LOAD, 0, 0, 64), END], Flaw::Load(0)),
            (vec![insn(op::LOAD, 0, 0, 2), END], Flaw::Load(0)),
            (vec![insn(op::LOAD, 0, 0, u32::MAX), END], Flaw::Load(0)),
            (vec![END, insn(op::JUMP, 0, 0, 1), END], Flaw::Jump(1)),
            (vec![insn(op::JUMP, 0, 0, u32::MAX), END], Flaw::Jump(0)),
            (vec![insn(op::IF_EQUAL, 1, 0, 0), END], Flaw::Jump(0)),
            (vec![insn(op::IF_GREATER, 0, 1, 0), END], Flaw::Jump(0)),
            (vec![insn(op::IF_NOT_LESS, 255, 0, 0), END], Flaw::Jump(0)),
            (vec![END, insn(op::AND, 0, 0, 1)], Flaw::NoReturn),
            // BPF_ST, BPF_LD|BPF_B|BPF_ABS, BPF_RET|BPF_A.
            (vec![insn(0x02, 0, 0, 0), END], Flaw::Operation(0)),
            (vec![insn(0x30, 0, 0, 0), END], Flaw::Operation(0)),
            (vec![insn(0x16, 0, 0, 0), END], Flaw::Operation(0)),
        ];
        for (instructions, flaw) in cases {
            assert_eq!(Program::new(instructions), Err(flaw));
        }
    }

    #[test]
    fn the_longest_program_and_the_longest_jumps_are_taken() {
        assert!(Program::new(vec![END; INSTRUCTIONS_MAX]).is_ok());
        let mut far = vec![insn(op::JUMP, 0, 0, 4094)];
        far.resize(INSTRUCTIONS_MAX, END);
        assert!(Program::new(far).is_ok());
        let mut near = vec![insn(op::IF_ANY_BIT, 255, 0, 0)];
        near.resize(257, END);
        assert!(Program::new(near).is_ok());
    }

    #[test]
    fn a_verdict_names_its_action() {
        for action in Action::ALL {
            assert_eq!(Action::from_verdict(action.verdict()), Some(action));
        }
        assert_eq!(Action::from_verdict(0x0005_0001), None);
    }
}
