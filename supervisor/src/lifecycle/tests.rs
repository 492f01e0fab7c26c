//! Single rules of the machine, and what holds whatever it is told.

use super::*;
use casemate_protocol::ids::ClientId;
use casemate_protocol::policy::{Instances, Isolation, Policy, Restart};
use proptest::prelude::*;
use std::time::Duration;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn rules(change: impl FnOnce(&mut Rules)) -> Rules {
    let mut rules = Rules::from(&Policy::default());
    rules.restart.jitter_percent = 0;
    change(&mut rules);
    rules
}

/// A machine with a little hand to tell it things.
struct Told {
    machine: Machine,
    now: Duration,
    calls: u64,
}

impl Told {
    fn new(rules: Rules) -> Self {
        Self { machine: Machine::new(rules, 7), now: ms(0), calls: 0 }
    }

    /// One that runs.
    fn running(rules: Rules) -> Self {
        let mut told = Self::new(rules);
        assert_eq!(told.tell(Event::Enable), [Action::Start { generation: Generation(1) }]);
        told.tell(Event::Started { generation: Generation(1) });
        assert_eq!(told.machine.state(), State::Running);
        told
    }

    fn tell(&mut self, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        self.machine.step(event, self.now, &mut out);
        out
    }

    fn call(&mut self, client: u64) -> Vec<Action> {
        self.calls += 1;
        self.tell(Event::Call { call: CallNo(self.calls), client: ClientId(client) })
    }

    /// A call that is answered at once by an instance that stays; which one that was.
    fn served(&mut self, client: u64) -> InstanceNo {
        let instance = match self.call(client).last() {
            Some(Action::Fork { instance, call: Some(_), .. }) => {
                self.tell(Event::Forked { instance: *instance });
                *instance
            }
            Some(Action::Hand { instance, .. }) => *instance,
            other => panic!("{other:?}"),
        };
        self.tell(finished(instance));
        instance
    }

    fn later(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.tell(Event::Tick)
    }
}

fn finished(instance: InstanceNo) -> Event {
    Event::Finished { instance, end: End::Reusable { memory_bytes: 65_536 } }
}

fn has_kill(actions: &[Action], instance: InstanceNo) -> bool {
    actions.contains(&Action::Kill { instance })
}

#[test]
fn a_call_takes_the_last_used_idle_instance_or_a_new_one() {
    let mut told = Told::running(rules(|_| {}));
    told.call(0);
    told.call(0);
    for instance in [InstanceNo(1), InstanceNo(2)] {
        told.tell(Event::Forked { instance });
    }
    told.tell(finished(InstanceNo(2)));
    told.tell(finished(InstanceNo(1)));
    assert_eq!(told.served(0), InstanceNo(1));
    assert_eq!(told.call(0), [Action::Hand { call: CallNo(4), instance: InstanceNo(1) }]);
}

#[test]
fn what_waits_runs_in_order_and_beyond_the_limit_is_refused_counted_and_said() {
    let mut told = Told::running(rules(|rules| {
        rules.instances.max = 1;
        rules.queue = 2;
    }));
    told.call(0);
    told.tell(Event::Forked { instance: InstanceNo(1) });
    assert_eq!((told.call(0), told.call(0)), (vec![], vec![]));
    let answer = Answer::Refused(Refusal::Overloaded { waiting: 2 });
    assert_eq!(told.call(0), [Action::Answer { call: CallNo(4), answer }]);
    let outcome = |call| Action::Answer { call: CallNo(call), answer: Answer::Outcome };
    let hand = |call| Action::Hand { call: CallNo(call), instance: InstanceNo(1) };
    assert_eq!(told.tell(finished(InstanceNo(1))), [outcome(1), hand(2)]);
    let last = [outcome(2), hand(3), Action::Say { dropped: 1 }];
    assert_eq!(told.tell(finished(InstanceNo(1))), last);
}

#[test]
fn an_event_that_waits_takes_no_place_of_a_calls() {
    let mut told = Told::running(rules(|rules| {
        rules.instances.max = 1;
        rules.queue = 1;
    }));
    told.call(0);
    told.tell(Event::Forked { instance: InstanceNo(1) });
    assert_eq!((told.call(0), told.call(ClientId::NOBODY.0)), (vec![], vec![]));
    let answer = Answer::Refused(Refusal::Overloaded { waiting: 1 });
    assert_eq!(told.call(0), [Action::Answer { call: CallNo(4), answer }]);
    let report = told.machine.report();
    assert_eq!((report.waiting, report.dropped), (1, 1));
    told.tell(Event::Disable);
    assert_eq!(told.machine.report().dropped, 2, "two calls and no event");
}

#[test]
fn what_cannot_be_set_up_pauses_as_what_cannot_be_started_and_is_given_up() {
    let mut told = Told::running(rules(|_| {}));
    for (crashes, pause) in [(1, 1000), (2, 2000)] {
        let actions = told.call(ClientId::NOBODY.0);
        let Some(Action::Fork { instance, .. }) = actions.last() else { panic!("{actions:?}") };
        told.tell(Event::Forked { instance: *instance });
        told.tell(Event::Finished { instance: *instance, end: End::NotSetUp });
        let report = told.machine.report();
        assert_eq!((report.state, report.crashes), (State::Backoff, crashes));
        assert_eq!(report.retry_at, Some(told.now + ms(pause)));
        assert!(!told.machine.may_poll(told.now));
        let actions = told.later(ms(pause));
        let Some(Action::Start { generation }) = actions.first() else { panic!("{actions:?}") };
        told.tell(Event::Started { generation: *generation });
        assert!(told.machine.may_poll(told.now));
    }
    told.call(ClientId::NOBODY.0);
    told.tell(Event::Forked { instance: InstanceNo(3) });
    told.tell(Event::Finished { instance: InstanceNo(3), end: End::NotSetUp });
    let report = told.machine.report();
    assert_eq!((report.state, report.disabled_by), (State::Disabled, Some(DisabledBy::Crashes(3))));
}

#[test]
fn what_nobody_serves_is_tried_again_and_not_counted() {
    let mut told = Told::running(rules(|_| {}));
    for instance in 1..10 {
        assert!(told.machine.may_poll(told.now));
        told.call(ClientId::NOBODY.0);
        told.tell(Event::Forked { instance: InstanceNo(instance) });
        told.tell(Event::Finished { instance: InstanceNo(instance), end: End::NotServed });
        let report = told.machine.report();
        assert_eq!((report.state, report.crashes), (State::Running, 0));
        assert!(!told.machine.may_poll(told.now + ms(999)), "it has its pause");
        told.later(ms(1000));
    }
}

#[test]
fn calls_that_run_finish_where_another_instance_cannot_be_set_up() {
    let mut told = Told::running(rules(|_| {}));
    told.call(0);
    told.call(ClientId::NOBODY.0);
    for instance in [InstanceNo(1), InstanceNo(2)] {
        told.tell(Event::Forked { instance });
    }
    told.tell(Event::Finished { instance: InstanceNo(2), end: End::NotSetUp });
    let report = told.machine.report();
    assert_eq!((report.state, report.crashes, report.busy), (State::Running, 1, 1));
    assert!(!told.machine.may_poll(told.now + ms(999)), "it has its pause");
    assert!(told.machine.may_poll(told.now + ms(1000)));
    let answer = Action::Answer { call: CallNo(1), answer: Answer::Outcome };
    assert!(told.tell(finished(InstanceNo(1))).contains(&answer));
}

#[test]
fn a_fresh_process_a_call_where_the_policy_says_so() {
    let mut told = Told::running(rules(|rules| rules.isolation = Isolation::Call));
    assert_ne!(told.served(0), told.served(0));
}

#[test]
fn no_instance_serves_two_clients_where_the_policy_says_so() {
    let mut told = Told::running(rules(|rules| {
        rules.isolation = Isolation::Client;
        rules.instances.max = 2;
    }));
    let (one, two) = (told.served(1), told.served(2));
    assert_eq!((told.served(1), told.served(2)), (one, two));
    // There may be no more than two: the one unused for longest makes room.
    let actions = told.call(3);
    assert!(has_kill(&actions, one), "{actions:?}");
    assert!(matches!(actions.last(), Some(Action::Fork { call: Some(_), .. })), "{actions:?}");
}

#[test]
fn instances_are_recycled_after_calls_and_bytes() {
    let mut told = Told::running(rules(|rules| rules.instances.max_calls = 2));
    let first = told.served(0);
    assert_eq!(told.served(0), first);
    assert_ne!(told.served(0), first);

    let mut told = Told::running(rules(|rules| rules.instances.recycle_memory_bytes = Some(1 << 20)));
    told.call(0);
    told.tell(Event::Forked { instance: InstanceNo(1) });
    let large =
        Event::Finished { instance: InstanceNo(1), end: End::Reusable { memory_bytes: (1 << 20) + 1 } };
    assert!(has_kill(&told.tell(large), InstanceNo(1)));
}

#[test]
fn idle_instances_end_down_to_the_least_and_spares_are_there_before_anybody_asks() {
    let mut told = Told::new(rules(|rules| {
        rules.instances.spare = 1;
        rules.instances.min = 1;
        rules.instances.idle_timeout = ms(1000);
    }));
    told.tell(Event::Enable);
    let fork =
        |instance| Action::Fork { instance: InstanceNo(instance), generation: Generation(1), call: None };
    assert_eq!(told.tell(Event::Started { generation: Generation(1) }), [fork(1)]);
    told.tell(Event::Forked { instance: InstanceNo(1) });
    // Somebody takes the spare: there is another.
    assert_eq!(told.call(0), [Action::Hand { call: CallNo(1), instance: InstanceNo(1) }, fork(2)]);
    told.tell(Event::Forked { instance: InstanceNo(2) });
    told.tell(finished(InstanceNo(1)));
    assert!(told.later(ms(999)).is_empty());
    assert_eq!(told.later(ms(2)), [Action::Kill { instance: InstanceNo(2) }]);
    assert_eq!(told.later(ms(100_000)), [], "one stays");
}

#[test]
fn a_crash_pauses_and_calls_wait_until_it_runs_again() {
    let mut told = Told::running(rules(|_| {}));
    let gone = told.tell(Event::Ended { generation: Generation(1) });
    assert_eq!(gone, [Action::EndZygote { generation: Generation(1) }, Action::Arm { at: ms(1000) }]);
    assert_eq!(told.machine.state(), State::Backoff);
    assert_eq!(told.call(0), []);
    assert_eq!(told.later(ms(999)), []);
    assert_eq!(told.later(ms(1)), [Action::Start { generation: Generation(2) }]);
    let run = told.tell(Event::Started { generation: Generation(2) });
    assert!(matches!(run[..], [Action::Fork { call: Some(CallNo(1)), .. }]), "{run:?}");
}

#[test]
fn starts_then_dies_counts_until_it_is_disabled_and_reset() {
    let mut told = Told::running(rules(|_| {}));
    for (generation, pause) in [(1, 1000), (2, 2000)] {
        told.tell(Event::Ended { generation: Generation(generation) });
        assert_eq!(told.machine.report().retry_at, Some(told.now + ms(pause)));
        assert_eq!(told.later(ms(pause)), [Action::Start { generation: Generation(generation + 1) }]);
        told.tell(Event::Started { generation: Generation(generation + 1) });
    }
    told.tell(Event::Ended { generation: Generation(3) });
    assert_eq!(told.machine.state(), State::Disabled);
    let answer = Answer::Refused(Refusal::Disabled(DisabledBy::Crashes(3)));
    assert_eq!(told.call(0)[0], Action::Answer { call: CallNo(1), answer });
    assert_eq!(told.tell(Event::Reset), [Action::Start { generation: Generation(4) }]);
    assert_eq!(told.machine.report().crashes, 0);
}

#[test]
fn a_reset_does_not_undo_the_operators_own_word() {
    let mut told = Told::running(rules(|_| {}));
    told.tell(Event::Disable);
    assert_eq!(told.machine.state(), State::Disabled);
    assert_eq!(told.tell(Event::Reset), []);
    assert!(!told.tell(Event::Enable).is_empty());
}

#[test]
fn workers_that_break_rules_disable_the_plugin_without_a_pause() {
    let mut told = Told::running(rules(|_| {}));
    for instance in 1..=3 {
        told.call(0);
        told.tell(Event::Forked { instance: InstanceNo(instance) });
        assert_eq!(told.machine.state(), State::Running);
        told.tell(Event::Finished { instance: InstanceNo(instance), end: End::Crashed });
    }
    assert_eq!(told.machine.state(), State::Disabled);
}

#[test]
fn a_spare_that_never_lives_is_not_forked_for_ever() {
    let mut told = Told::running(rules(|rules| rules.instances.spare = 1));
    let mut forks = 1;
    for _ in 0..100 {
        let instance = InstanceNo(forks);
        let failed = Event::ForkFailed { instance, why: ForkFailure::Failed };
        let actions = [told.tell(failed), told.later(ms(5000))].concat();
        forks += actions.iter().filter(|action| matches!(action, Action::Fork { .. })).count() as u64;
    }
    assert_eq!((forks, told.machine.state()), (3, State::Disabled));
}

#[test]
fn a_new_version_takes_over_and_the_old_one_finishes() {
    let mut told = Told::running(rules(|_| {}));
    told.call(0);
    told.tell(Event::Forked { instance: InstanceNo(1) });
    let (old, new) = (Generation(1), Generation(2));
    assert_eq!(told.tell(Event::Reload), [Action::Probe { generation: new }]);
    assert_eq!(told.tell(Event::Reload), [Action::RefuseReload { why: Refusal::Reloading }]);
    assert_eq!(told.tell(Event::Probed { generation: new }), [Action::Adopt { generation: new }]);
    assert!(matches!(told.call(0)[..], [Action::Fork { generation, .. }] if generation == new));
    let ended = told.tell(finished(InstanceNo(1)));
    assert!(ended.contains(&Action::EndZygote { generation: old }), "{ended:?}");
}

#[test]
fn a_new_version_that_fails_leaves_the_old_one() {
    let mut told = Told::running(rules(|_| {}));
    told.tell(Event::Reload);
    let end = Action::EndZygote { generation: Generation(2) };
    assert_eq!(told.tell(Event::ProbeFailed { generation: Generation(2) }), [end]);
    assert_eq!(
        (told.machine.state(), told.machine.report().generation),
        (State::Running, Some(Generation(1)))
    );
}

#[test]
fn draining_finishes_what_was_accepted_and_refuses_the_rest() {
    let mut told = Told::running(rules(|rules| rules.instances.max = 1));
    told.call(0);
    told.tell(Event::Forked { instance: InstanceNo(1) });
    told.call(0);
    told.tell(Event::Drain);
    let answer = Answer::Refused(Refusal::Stopped);
    assert_eq!(told.call(0), [Action::Answer { call: CallNo(3), answer }]);
    told.tell(finished(InstanceNo(1)));
    assert_eq!(told.machine.state(), State::Draining);
    told.tell(finished(InstanceNo(1)));
    assert_eq!(told.machine.state(), State::Stopped);
}

fn any_event() -> impl Strategy<Value = Event> {
    let small = 1..12_u64;
    prop_oneof![
        4 => (1..1000_u64, 0..3_u64)
            .prop_map(|(call, client)| Event::Call { call: CallNo(call), client: ClientId(client) }),
        1 => small.clone().prop_map(|n| Event::GaveUp { call: CallNo(n) }),
        3 => small.clone().prop_map(|n| Event::Forked { instance: InstanceNo(n) }),
        1 => small.clone().prop_map(|n| Event::ForkFailed { instance: InstanceNo(n), why: ForkFailure::Failed }),
        1 => small.clone().prop_map(|n| Event::ForkFailed { instance: InstanceNo(n), why: ForkFailure::ZygoteGone }),
        1 => (small.clone(), any::<bool>())
            .prop_map(|(n, crashed)| Event::Unfit { instance: InstanceNo(n), crashed }),
        4 => small.clone().prop_map(|n| finished(InstanceNo(n))),
        1 => small.clone().prop_map(|n| Event::Finished { instance: InstanceNo(n), end: End::Crashed }),
        3 => (1..6_u64).prop_map(|n| Event::Started { generation: Generation(n) }),
        1 => (1..6_u64).prop_map(|n| Event::StartFailed { generation: Generation(n) }),
        1 => (1..6_u64).prop_map(|n| Event::Ended { generation: Generation(n) }),
        1 => (1..6_u64).prop_map(|n| Event::Probed { generation: Generation(n) }),
        1 => (1..6_u64).prop_map(|n| Event::ProbeFailed { generation: Generation(n) }),
        2 => Just(Event::Enable),
        1 => prop::sample::select(vec![Event::Disable, Event::Drain, Event::Reset, Event::Reload, Event::Tick]),
    ]
}

proptest! {
    /// Also what no world would ever tell: nothing panics, nothing grows beyond its bounds, no process is forgotten.
    #[test]
    fn it_bears_any_events(
        events in prop::collection::vec((any_event(), 0..2000_u64), 1..200),
        spare in 0..3_u32,
        queue in 0..4_u32,
    ) {
        let rules = rules(|rules| {
            rules.instances = Instances { max: 3, spare, ..Instances::default() };
            rules.restart = Restart { give_up_after: 4, ..Restart::default() };
            rules.queue = queue;
        });
        let mut told = Told::new(rules);
        let mut zygotes = std::collections::BTreeSet::new();
        let mut begun = 0;
        for (event, wait) in events {
            told.now += ms(wait);
            for action in told.tell(event) {
                match action {
                    Action::Start { generation } | Action::Probe { generation } => {
                        prop_assert!(zygotes.insert(generation), "{generation:?} is started twice");
                        begun += 1;
                    }
                    Action::EndZygote { generation } => {
                        zygotes.remove(&generation);
                    }
                    Action::Fork { generation, .. } => prop_assert!(zygotes.contains(&generation)),
                    _ => {}
                }
            }
            let report = told.machine.report();
            // A zygote that goes takes its forks with it, and their calls go back: in no order, here, of several zygotes.
            prop_assert!(report.waiting <= queue + 3 * begun);
            let runs = matches!(report.state, State::Starting | State::Running | State::Draining);
            prop_assert_eq!(runs, report.generation.is_some());
            prop_assert_eq!(report.state == State::Disabled, report.disabled_by.is_some() && !runs);
            prop_assert_eq!(report.state == State::Backoff, report.retry_at.is_some());
        }
        for action in told.tell(Event::Close) {
            if let Action::EndZygote { generation } = action {
                zygotes.remove(&generation);
            }
        }
        prop_assert!(zygotes.is_empty(), "{zygotes:?} live on");
    }
}
