//! Made-up lives: a world in which zygotes start slowly, fail and die, instances crash, callers give up and operators
//! disable, enable, reload and drain, all in an order that a seed decides, with an oracle that looks at every step.

mod oracle;
mod world;

use super::{Action, Answer, Machine, State};
use std::collections::BTreeSet;
use world::World;

/// A mistake put between the machine and the world, to see that the oracle finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plant {
    Nothing,
    /// One answer is never given.
    DropAnswer,
    /// One answer is given twice.
    AnswerTwice,
    /// One refusal of a call that waits is never given.
    DropRefusal,
    /// One instance that was to be ended is kept.
    DropZygoteEnd,
    /// One alarm is never set.
    DropAlarm,
}

impl Plant {
    /// Spoils the first action that it can, once.
    fn spoil(&mut self, actions: &mut Vec<Action>) {
        let is_its = |action: &Action| match self {
            Self::Nothing => false,
            Self::DropAnswer | Self::AnswerTwice => matches!(action, Action::Answer { .. }),
            Self::DropRefusal => matches!(action, Action::Answer { answer: Answer::Refused(_), .. }),
            Self::DropZygoteEnd => matches!(action, Action::EndZygote { .. }),
            Self::DropAlarm => matches!(action, Action::Arm { .. }),
        };
        let Some(at) = actions.iter().position(is_its) else { return };
        if *self == Self::AnswerTwice {
            actions.push(actions[at]);
        } else {
            actions.remove(at);
        }
        *self = Self::Nothing;
    }
}

/// What was met in a life, so that a quiet world is noticed.
#[derive(Debug, Default)]
struct Tale {
    states: BTreeSet<State>,
    kinds: BTreeSet<&'static str>,
    steps: u64,
    calls: u64,
    answered: u64,
    /// A mistake was planted: it has to be found from outside, without a look into the machine.
    is_spoilt: bool,
}

impl Tale {
    fn meet(&mut self, machine: &Machine, actions: &[Action]) {
        self.steps += 1;
        self.states.insert(machine.state());
        self.kinds.extend(actions.iter().map(|action| match action {
            Action::Start { .. } => "start",
            Action::Probe { .. } => "probe",
            Action::Adopt { .. } => "adopt",
            Action::RefuseReload { .. } => "refuse reload",
            Action::EndZygote { .. } => "end zygote",
            Action::Fork { call: Some(_), .. } => "fork for a call",
            Action::Fork { call: None, .. } => "fork a spare",
            Action::Hand { .. } => "hand",
            Action::Answer { answer: Answer::Outcome, .. } => "outcome",
            Action::Answer { answer: Answer::Refused(why), .. } => match why {
                super::Refusal::Overloaded { .. } => "overloaded",
                super::Refusal::Disabled(super::DisabledBy::Operator) => "disabled by the operator",
                super::Refusal::Disabled(super::DisabledBy::Crashes(_)) => "disabled for crashes",
                super::Refusal::Stopped => "stopped",
                super::Refusal::Closed => "closed",
                super::Refusal::Reloading => "reloading",
            },
            Action::Kill { .. } => "kill",
            Action::Arm { .. } => "arm",
            Action::Say { .. } => "say",
        }));
    }

    fn add(&mut self, other: Self) {
        self.states.extend(other.states);
        self.kinds.extend(other.kinds);
        self.steps += other.steps;
        self.calls += other.calls;
        self.answered += other.answered;
    }
}

const LIVES: u64 = 10_000;

#[test]
fn ten_thousand_lives_lose_no_call_and_answer_none_twice() {
    let mut all = Tale::default();
    for seed in 0..LIVES {
        match World::new(seed, Plant::Nothing).live() {
            Ok(tale) => all.add(tale),
            Err(fault) => panic!("seed {seed}: {fault}"),
        }
    }
    assert_eq!(all.states, BTreeSet::from(State::ALL), "every state was met");
    let kinds = [
        "start",
        "probe",
        "adopt",
        "refuse reload",
        "end zygote",
        "fork for a call",
        "fork a spare",
        "hand",
        "outcome",
        "overloaded",
        "disabled by the operator",
        "disabled for crashes",
        "stopped",
        "closed",
        "kill",
        "arm",
        "say",
        "rule",
    ];
    assert_eq!(all.kinds, BTreeSet::from(kinds), "everything was done");
    assert!(all.answered * 2 > all.calls, "most calls run: {} of {}", all.answered, all.calls);
    assert!(all.steps > LIVES * 100, "lives are long: {} steps", all.steps);
}

#[test]
fn planted_mistakes_are_found() {
    for (plant, words) in [
        (Plant::DropAnswer, "was not answered"),
        (Plant::AnswerTwice, "is answered with"),
        (Plant::DropRefusal, "before Some"),
        (Plant::DropZygoteEnd, "lives on without a reason"),
        (Plant::DropAlarm, "a call is lost"),
    ] {
        let faults: Vec<String> = (0..500).filter_map(|seed| World::new(seed, plant).live().err()).collect();
        let named = faults.iter().filter(|fault| fault.contains(words)).count();
        assert!(named > 0, "{plant:?} is never called {words:?}, but {:?}", faults.first());
    }
}
