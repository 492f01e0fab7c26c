//! The attacker's cell, and a good plugin beside it that must not notice.

use crate::verdict::{self, Word};
use casemate::Casemate;
use casemate::attack::{Attacker, End, Sibling, numbers};
use casemate_protocol::certificate::Profile;
use casemate_protocol::policy::Policy;
use casemate_protocol::syscalls::{Arch, syscall_name};
use casemate_tests::{casemate, guests, policy};

/// A module that takes its place in such a worker.
pub(crate) fn module(profile: Profile) -> Vec<u8> {
    let path = match profile {
        Profile::Wasi => guests::wasi("reactor"),
        _ => guests::wat("minimal"),
    };
    std::fs::read(path).unwrap()
}

/// An attacker, and the sibling of another supervisor.
pub(crate) struct Cell {
    profile: Profile,
    attacker: Attacker,
    sibling: Sibling,
    _home: Casemate,
}

impl Cell {
    pub(crate) async fn open(profile: Profile) -> Self {
        Self::under(profile, policy(|_| ())).await
    }

    /// In the place of a worker with a policy of one's own.
    pub(crate) async fn under(profile: Profile, policy_of_attacker: Policy) -> Self {
        let attacker = Attacker::start(&module(profile), policy_of_attacker).await.unwrap();
        assert_ne!(attacker.site(), 0, "it does not take orders");
        assert_eq!(attacker.plugin().certificate().profile, profile, "it is in another worker's place");
        let home = casemate();
        let good = home.load(guests::wat("minimal"), policy(|_| ())).await.unwrap();
        Self { profile, attacker, sibling: Sibling::start(good, "m"), _home: home }
    }

    pub(crate) fn marker(&self) -> String {
        self.attacker.marker()
    }

    pub(crate) async fn order(&self, order: &str) -> End {
        self.attacker.order(order).await
    }

    /// Makes a call; the live process, the filters' instructions and the written list must agree on it.
    pub(crate) async fn meets(&self, number: u32, args: [u64; 6]) -> Word {
        let words: Vec<String> = args.iter().map(|arg| format!("{arg:#x}")).collect();
        let order = format!("syscall {} {}", number.cast_signed(), words.join(" "));
        let word = verdict::of(self.profile, number, args);
        let end = self.order(&order).await;
        match (&end, word) {
            (End::Reported(report), Word::Report) => {
                let seen = (report.number.cast_unsigned(), report.args, report.instruction_pointer);
                assert_eq!(seen, (number, args, self.attacker.site()), "{order}");
                let name = syscall_name(Arch::NATIVE, number);
                assert_eq!((report.arch, report.name), (Arch::NATIVE.audit(), name), "{order}");
            }
            (End::Sigsys, Word::Kill) => {}
            (end, Word::Report) if numbers::past_seccomp(number, end) => {}
            // It ran; what it came to is the kernel's business: an error, an end, a hole in the attacker's own memory.
            (End::Answered(_) | End::Exited(_) | End::Crashed, Word::Allow) => {}
            _ => panic!("{order}: {end:?}, and the filters say {word:?}"),
        }
        word
    }

    /// Ends both; the sibling says whether it was disturbed.
    pub(crate) async fn close(self) {
        assert!(self.sibling.finish().await.unwrap().is_some(), "the sibling got another's answer");
        self.attacker.close().await;
    }
}
