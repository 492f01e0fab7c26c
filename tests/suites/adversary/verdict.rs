//! What must happen to a call: what the final instructions say, and what the written list says.

use casemate_lockdown::seccomp::interp::{SeccompData, run, strictest};
use casemate_lockdown::seccomp::list::{self, Arg, List, Want};
use casemate_lockdown::seccomp::{Action, Arch, Default, filter_a, filter_b};
use casemate_protocol::certificate::Profile;

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The supervisor is told, and kills.
    Report = 0,
    /// The kernel kills.
    Kill = 1,
    /// It runs.
    Allow = 2,
}

/// The verdict on a call. The filters' instructions, interpreted, and the list, read, say the same.
pub(crate) fn of(profile: Profile, number: u32, args: [u64; 6]) -> Word {
    let data = SeccompData { nr: number, arch: Arch::NATIVE.audit(), instruction_pointer: 0, args };
    let verdicts =
        [filter_a(Default::Notify, profile), filter_b(profile)].map(|filter| run(&filter, &data).unwrap());
    let interpreted = match Action::from_verdict(strictest(verdicts)) {
        Some(Action::Allow) => Word::Allow,
        Some(Action::Notify) => Word::Report,
        _ => Word::Kill,
    };
    assert_eq!(interpreted, written(profile, number, args), "{profile:?}: number {number} {args:x?}");
    interpreted
}

fn written(profile: Profile, number: u32, args: [u64; 6]) -> Word {
    if Arch::NATIVE.foreign_from().is_some_and(|first| number >= first) {
        return Word::Kill;
    }
    let holds = |arg: &Arg| {
        let actual = args[usize::from(arg.index)];
        match arg.want {
            Want::Is(value) => actual == value.bits,
            Want::OneOf(values) => values.iter().any(|value| value.bits == actual),
            Want::Bits { all, may } => {
                let sum = |values: &[list::Value]| values.iter().fold(0, |bits, value| bits | value.bits);
                actual & !sum(may) == sum(all)
            }
        }
    };
    let allows = |list: &List| {
        list.iter().filter(|syscall| syscall.number(Arch::NATIVE) == Some(number)).any(|syscall| {
            syscall.rules.is_empty() || syscall.rules.iter().any(|rule| rule.iter().all(holds))
        })
    };
    let names = |list: &List| list.iter().any(|syscall| syscall.number(Arch::NATIVE) == Some(number));
    let own = list::of_profile(profile);
    if allows(own) {
        Word::Allow
    } else if names(&list::ZYGOTE_EXTRA) && (!names(own) || allows(&list::ZYGOTE_EXTRA)) {
        Word::Kill
    } else {
        Word::Report
    }
}
