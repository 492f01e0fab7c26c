//! Runs a filter as the kernel would: proof of what a program's final instructions say, not of what its source meant.

use crate::seccomp::bpf::{Action, INSTRUCTIONS_MAX, Insn, Program, op};
use thiserror::Error;

/// What the kernel shows a filter of one system call: `struct seccomp_data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeccompData {
    /// Its number.
    pub nr: u32,
    /// AUDIT_ARCH value of the table that the number is from.
    pub arch: u32,
    /// Where it was made.
    pub instruction_pointer: u64,
    /// Its arguments: whole registers, whatever the call reads of them.
    pub args: [u64; 6],
}

impl SeccompData {
    /// The 32-bit word at a byte offset, as a little-endian machine lays the struct out.
    fn word(&self, offset: u32) -> Option<u32> {
        if !offset.is_multiple_of(4) {
            return None;
        }
        match offset {
            0 => Some(self.nr),
            4 => Some(self.arch),
            8 | 12 => Some(half(self.instruction_pointer, offset)),
            16.. => {
                let index = usize::try_from((offset - 16) / 8).ok()?;
                self.args.get(index).map(|argument| half(*argument, offset))
            }
            _ => None,
        }
    }
}

/// The half of a 64-bit field that lies at this offset; fields lie at multiples of eight.
fn half(field: u64, offset: u32) -> u32 {
    let (low, high) = halves(field);
    if offset.is_multiple_of(8) { low } else { high }
}

/// Low and high 32 bits.
pub(crate) fn halves(value: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

/// Why instructions gave no verdict. A [`Program`] never gives any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InterpError {
    /// Execution left the program.
    #[error("execution went past the end to instruction {0}")]
    PastEnd(usize),
    /// A load outside the call's data.
    #[error("instruction {0} loads what is not a word of the call's data")]
    Load(usize),
    /// An operation outside the set our programs use.
    #[error("instruction {0} is of a kind that our programs do not have")]
    Operation(usize),
}

/// The verdict of a filter on one call.
pub fn run(program: &Program, data: &SeccompData) -> Result<u32, InterpError> {
    run_instructions(program.instructions(), data)
}

/// The verdict of instructions that nobody has checked: whatever they are, this ends, with a verdict or an error.
pub fn run_instructions(instructions: &[Insn], data: &SeccompData) -> Result<u32, InterpError> {
    let mut accumulator: u32 = 0;
    let mut at: usize = 0;
    // Every step leads forward; the bound says so a second time.
    for _ in 0..INSTRUCTIONS_MAX {
        let insn = instructions.get(at).ok_or(InterpError::PastEnd(at))?;
        let branch = |taken: bool| u32::from(if taken { insn.jt } else { insn.jf });
        let skip = match insn.code {
            op::RETURN => return Ok(insn.k),
            op::LOAD => {
                accumulator = data.word(insn.k).ok_or(InterpError::Load(at))?;
                0
            }
            op::AND => {
                accumulator &= insn.k;
                0
            }
            op::JUMP => insn.k,
            op::IF_EQUAL => branch(accumulator == insn.k),
            op::IF_GREATER => branch(accumulator > insn.k),
            op::IF_NOT_LESS => branch(accumulator >= insn.k),
            op::IF_ANY_BIT => branch(accumulator & insn.k != 0),
            _ => return Err(InterpError::Operation(at)),
        };
        at = usize::try_from(skip).unwrap_or(usize::MAX).saturating_add(at).saturating_add(1);
    }
    Err(InterpError::PastEnd(at))
}

/// What the kernel does when several filters have spoken: the strictest verdict holds. No filter at all allows.
#[must_use]
pub fn strictest(verdicts: impl IntoIterator<Item = u32>) -> u32 {
    // The kernel orders actions as signed numbers, and of equals takes the filter installed last, which comes last here.
    let rank = |verdict: &u32| (verdict & 0xffff_0000).cast_signed();
    verdicts.into_iter().min_by_key(rank).unwrap_or(Action::Allow.verdict())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DATA: SeccompData = SeccompData {
        nr: 0x0001_0002,
        arch: 0x0003_0004,
        instruction_pointer: 0x1111_1111_2222_2222,
        args: [
            0xa0_0000_00a1,
            0xb0_0000_00b1,
            0xc0_0000_00c1,
            0xd0_0000_00d1,
            0xe0_0000_00e1,
            0xf0_0000_00f1,
        ],
    };

    #[test]
    fn words_lie_where_the_kernel_puts_them() {
        let words: Vec<_> = (0..64).step_by(4).map(|offset| DATA.word(offset).unwrap()).collect();
        let expected = [
            0x0001_0002,
            0x0003_0004,
            0x2222_2222,
            0x1111_1111,
            0xa1,
            0xa0,
            0xb1,
            0xb0,
            0xc1,
            0xc0,
            0xd1,
            0xd0,
            0xe1,
            0xe0,
            0xf1,
            0xf0,
        ];
        assert_eq!(words, expected);
        for offset in [1, 2, 3, 5, 63, 64, 65, 68, u32::MAX - 3, u32::MAX] {
            assert_eq!(DATA.word(offset), None);
        }
    }

    #[test]
    fn the_strictest_verdict_holds() {
        let [kill, notify, allow] = Action::ALL.map(Action::verdict);
        let (kill_thread, errno, log) = (0, 0x0005_0001, 0x7ffc_0000);
        assert_eq!(strictest([allow, kill, notify]), kill);
        assert_eq!(strictest([kill_thread, kill]), kill);
        assert_eq!(strictest([errno, notify, allow]), errno);
        assert_eq!(strictest([allow, notify]), notify);
        assert_eq!(strictest([allow, log]), log);
        assert_eq!(strictest([]), allow);
    }

    #[test]
    fn unchecked_instructions_end_in_an_error() {
        let insn = |code, jt, k| Insn { code, jt, jf: 0, k };
        assert_eq!(run_instructions(&[], &DATA), Err(InterpError::PastEnd(0)));
        assert_eq!(run_instructions(&[insn(op::LOAD, 0, 64)], &DATA), Err(InterpError::Load(0)));
        assert_eq!(run_instructions(&[insn(op::AND, 0, 1)], &DATA), Err(InterpError::PastEnd(1)));
        assert_eq!(run_instructions(&[insn(0xffff, 0, 1)], &DATA), Err(InterpError::Operation(0)));
        assert_eq!(run_instructions(&[insn(op::IF_EQUAL, 9, 0)], &DATA), Err(InterpError::PastEnd(10)));
        assert!(run_instructions(&[insn(op::JUMP, 0, u32::MAX)], &DATA).is_err());
    }

    fn any_insn() -> impl Strategy<Value = Insn> {
        let codes = [
            op::LOAD,
            op::AND,
            op::JUMP,
            op::IF_EQUAL,
            op::IF_GREATER,
            op::IF_NOT_LESS,
            op::IF_ANY_BIT,
            op::RETURN,
            0x02,
        ];
        (prop::sample::select(codes.to_vec()), 0..4_u8, 0..4_u8, prop_oneof![0..70_u32, any::<u32>()])
            .prop_map(|(code, jt, jf, k)| Insn { code, jt, jf, k })
    }

    proptest! {
        #[test]
        fn what_passes_the_check_gives_a_verdict(
            mut instructions in prop::collection::vec(any_insn(), 0..24),
            args in any::<[u64; 6]>(),
            nr in any::<u32>(),
        ) {
            let data = SeccompData { nr, arch: 0, instruction_pointer: 0, args };
            let _ = run_instructions(&instructions, &data);
            let end = Insn { code: op::RETURN, jt: 0, jf: 0, k: 7 };
            instructions.retain(|insn| crate::seccomp::bpf::verify(&[*insn, end]).is_ok());
            instructions.push(end);
            let program = Program::new(instructions).unwrap();
            prop_assert!(run(&program, &data).is_ok());
        }
    }
}
