//! The world around a machine: what it orders happens, later and not always as ordered.

use super::oracle::{At, Oracle, Zygote};
use super::{Plant, Tale};
use crate::lifecycle::breaker::Dice;
use crate::lifecycle::{
    Action, CallNo, End, Event, ForkFailure, Generation, InstanceNo, Machine, Rules, State,
};
use casemate_protocol::ids::ClientId;
use casemate_protocol::policy::{Instances, Isolation, Restart};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is going to happen.
#[derive(Debug, Clone, Copy)]
enum Due {
    NewCall,
    GiveUp(CallNo),
    ForkDone(InstanceNo),
    CallDone(InstanceNo),
    /// A start or a probe has come to its end.
    StartDone(Generation),
    /// A zygote dies; that is noticed a little later.
    Death(Generation),
    DeathNoticed(Generation),
    Order(Event),
    /// The operator has other rules: for what runs, or for the new version.
    Rules,
    Tick(Duration),
}

/// Beyond so many steps nothing will ever come to rest.
const STEPS_MAX: u64 = 20_000;

pub(super) struct World {
    machine: Machine,
    oracle: Oracle,
    plant: Plant,
    dice: Dice,
    now: Duration,
    agenda: BTreeMap<(Duration, u64), Due>,
    scheduled: u64,
    calls: u64,
    /// From here on nothing fails any more.
    calm_at: Duration,
    /// How often things go wrong in this world, in hundredths.
    trouble: u64,
    tale: Tale,
}

type Verdict = Result<(), String>;

fn any_rules(dice: &mut Dice) -> Rules {
    let max = 1 + below(dice, 4);
    let isolation = [Isolation::Plugin, Isolation::Client, Isolation::Call][below(dice, 3) as usize];
    let some =
        |dice: &mut Dice, most: u32| if dice.roll().is_multiple_of(2) { 0 } else { below(dice, most + 1) };
    Rules {
        instances: Instances {
            min: some(dice, max),
            max,
            spare: some(dice, max),
            idle_timeout: Duration::from_millis(100 + u64::from(below(dice, 20_000))),
            max_calls: 1 + dice.roll() % 8,
            recycle_memory_bytes: (dice.roll().is_multiple_of(2)).then_some(1 << 20),
        },
        isolation,
        restart: Restart {
            first: Duration::from_millis(dice.roll() % 3_000),
            give_up_after: 1 + below(dice, 5),
            within: Duration::from_millis(1 + dice.roll() % 100_000),
            ..Restart::default()
        },
        queue: below(dice, 10),
    }
}

fn below(dice: &mut Dice, end: u32) -> u32 {
    u32::try_from(dice.roll() % u64::from(end)).unwrap_or_default()
}

impl World {
    pub(super) fn new(seed: u64, plant: Plant) -> Self {
        let mut dice = Dice::new(seed);
        let rules = any_rules(&mut dice);
        let trouble = [0, 5, 25][below(&mut dice, 3) as usize];
        let mut world = Self {
            machine: Machine::new(rules.clone(), dice.roll()),
            oracle: Oracle::new(rules),
            plant,
            now: Duration::ZERO,
            agenda: BTreeMap::new(),
            scheduled: 0,
            calls: 0,
            calm_at: Duration::from_secs(60),
            trouble,
            tale: Tale { is_spoilt: plant != Plant::Nothing, ..Tale::default() },
            dice,
        };
        world.plan();
        world
    }

    /// Calls and orders, ahead of everything.
    fn plan(&mut self) {
        self.after(0, Due::Order(Event::Enable));
        for _ in 0..40 + self.dice.roll() % 30 {
            // In bursts, so that some wait.
            let at = self.dice.roll() % 60 * 1000 + self.dice.roll() % 50;
            self.after(at, Due::NewCall);
        }
        let orders = [
            Event::Disable,
            Event::Enable,
            Event::Drain,
            Event::Enable,
            Event::Reset,
            Event::Reload,
            Event::Reload,
        ];
        for _ in 0..self.dice.roll() % 8 {
            let at = self.dice.roll() % 60_000;
            let order = orders[below(&mut self.dice, 7) as usize];
            self.after(at, Due::Order(order));
        }
        for _ in 0..self.dice.roll() % 3 {
            let at = self.dice.roll() % 60_000;
            self.after(at, Due::Rules);
        }
        // Some are set right by the operator in the end, the others have to come to rest by themselves.
        if self.dice.roll().is_multiple_of(2) {
            self.after(60_000, Due::Order(Event::Enable));
            self.after(61_000, Due::Order(Event::Reset));
        }
        self.after(62_000, Due::NewCall);
    }

    fn after(&mut self, ms: u64, due: Due) {
        self.scheduled += 1;
        self.agenda.insert((self.now + Duration::from_millis(ms), self.scheduled), due);
    }

    fn soon(&mut self, ms: u64, due: Due) {
        let ms = self.dice.roll() % ms;
        self.after(ms, due);
    }

    fn goes_wrong(&mut self) -> bool {
        self.now < self.calm_at && self.dice.roll() % 100 < self.trouble
    }

    /// Lives until nothing more happens, and is closed then.
    pub(super) fn live(mut self) -> Result<Tale, String> {
        while let Some(((at, _), due)) = self.agenda.pop_first() {
            self.now = at;
            self.happen(due).map_err(|fault| format!("at {at:?}, {due:?}: {fault}"))?;
            if self.tale.steps > STEPS_MAX {
                return Err(format!("it never comes to rest, {:?}", self.machine.report()));
            }
        }
        let stuck = self.oracle.calls.iter().find(|(_, (_, at))| !matches!(at, At::Answered | At::GivenUp));
        if let Some(stuck) = stuck {
            return Err(format!("a call is lost: {stuck:?}, {:?}", self.machine.report()));
        }
        self.step(Event::Close)?;
        self.new_call()?;
        self.oracle.conclude()?;
        self.tale.calls = self.calls;
        self.tale.answered = self.oracle.calls.values().filter(|(_, at)| *at == At::Answered).count() as u64;
        Ok(self.tale)
    }

    fn happen(&mut self, due: Due) -> Verdict {
        match due {
            Due::NewCall => self.new_call(),
            Due::GiveUp(call) => self.give_up(call),
            Due::ForkDone(instance) => self.fork_done(instance),
            Due::CallDone(instance) => self.call_done(instance),
            Due::StartDone(generation) => self.start_done(generation),
            Due::Death(generation) => {
                self.die(generation);
                Ok(())
            }
            Due::DeathNoticed(generation) => self.step(Event::Ended { generation }),
            Due::Order(order) => self.step(order),
            Due::Rules => self.other_rules(),
            Due::Tick(at) => {
                self.oracle.ticks.retain(|tick| *tick != at);
                self.step(Event::Tick)
            }
        }
    }

    /// With a new version everything may change; without one, not who shares an instance and how many there may be.
    fn other_rules(&mut self) -> Verdict {
        let mut rules = any_rules(&mut self.dice);
        if self.dice.roll().is_multiple_of(2) {
            if self.oracle.has_candidate() {
                self.oracle.proposed = Some(rules.clone());
                self.machine.propose(rules);
            }
            return Ok(());
        }
        let old = self.oracle.rules();
        rules.isolation = old.isolation;
        rules.instances.max = old.instances.max;
        rules.instances.spare = old.instances.spare;
        rules.instances.min = rules.instances.min.min(rules.instances.max);
        self.oracle.rule(rules.clone());
        let mut actions = Vec::new();
        self.machine.rule(rules, self.now, &mut actions);
        self.tale.kinds.insert("rule");
        // What follows is what follows from any event.
        self.carry_out(Event::Tick, actions)
    }

    fn new_call(&mut self) -> Verdict {
        self.calls += 1;
        let (call, client) = (CallNo(self.calls), ClientId(self.dice.roll() % 3));
        self.oracle.calls.insert(call, (client, At::Waiting));
        if self.goes_wrong() {
            self.soon(3_000, Due::GiveUp(call));
        }
        self.step(Event::Call { call, client })
    }

    fn give_up(&mut self, call: CallNo) -> Verdict {
        let Some((_, at)) = self.oracle.calls.get_mut(&call) else { return Ok(()) };
        let was = *at;
        if matches!(was, At::Answered | At::GivenUp) {
            return Ok(());
        }
        *at = At::GivenUp;
        let At::With(instance) = was else { return self.step(Event::GaveUp { call }) };
        let Some(worker) = self.oracle.workers.get_mut(&instance) else { return Ok(()) };
        worker.call = None;
        worker.is_spent = true;
        // A call is counted at its hand-over.
        if worker.calls > 0 {
            return self.step(Event::Finished { instance, end: End::GaveUp });
        }
        self.oracle.workers.remove(&instance);
        self.step(Event::ForkFailed { instance, why: ForkFailure::GaveUp })
    }

    fn fork_done(&mut self, instance: InstanceNo) -> Verdict {
        let Some(worker) = self.oracle.workers.get(&instance).copied() else {
            // Nobody wants it any more; its fork may be done all the same.
            return self.step(Event::Forked { instance });
        };
        if worker.is_idle || worker.calls > 0 {
            return Ok(());
        }
        let zygote = self.oracle.zygotes.get(&worker.generation).copied();
        let why = match zygote {
            Some(Zygote::Ready) if self.goes_wrong() => ForkFailure::Failed,
            Some(Zygote::Ready) => {
                if worker.call.is_none()
                    && let Some(worker) = self.oracle.workers.get_mut(&instance)
                {
                    worker.is_idle = true;
                }
                return self.step(Event::Forked { instance });
            }
            _ => ForkFailure::ZygoteGone,
        };
        self.oracle.workers.remove(&instance);
        if let Some(call) = worker.call {
            self.put(call, if why == ForkFailure::Failed { At::Over } else { At::Waiting });
        }
        self.step(Event::ForkFailed { instance, why })
    }

    fn call_done(&mut self, instance: InstanceNo) -> Verdict {
        let Some(worker) = self.oracle.workers.get(&instance).copied() else { return Ok(()) };
        let Some(call) = worker.call else { return Ok(()) };
        let is_alive = self.oracle.zygotes.get(&worker.generation) == Some(&Zygote::Ready);
        let end = if !is_alive {
            End::Spent
        } else if self.goes_wrong() {
            [End::Spent, End::Crashed, End::NotSetUp, End::NotServed][below(&mut self.dice, 4) as usize]
        } else {
            End::Reusable { memory_bytes: self.dice.roll() % (2 << 20) }
        };
        self.put(call, At::Over);
        if let Some(worker) = self.oracle.workers.get_mut(&instance) {
            worker.call = None;
            worker.is_idle = matches!(end, End::Reusable { .. });
            worker.is_spent = !worker.is_idle;
        }
        self.step(Event::Finished { instance, end })
    }

    fn start_done(&mut self, generation: Generation) -> Verdict {
        let Some(zygote) = self.oracle.zygotes.get(&generation).copied() else {
            // It was given up, and that came too late.
            return self.step(Event::Started { generation });
        };
        let is_probe = zygote == Zygote::Probing;
        if self.goes_wrong() {
            return self.step(if is_probe {
                Event::ProbeFailed { generation }
            } else {
                Event::StartFailed { generation }
            });
        }
        self.oracle.zygotes.insert(generation, Zygote::Ready);
        if self.goes_wrong() {
            self.soon(20_000, Due::Death(generation));
        }
        self.step(if is_probe { Event::Probed { generation } } else { Event::Started { generation } })
    }

    /// All its workers die with it, and each call's end is noticed by itself.
    fn die(&mut self, generation: Generation) {
        let Some(zygote) = self.oracle.zygotes.get_mut(&generation) else { return };
        *zygote = Zygote::Dead;
        self.soon(20, Due::DeathNoticed(generation));
        self.hurry(generation);
    }

    /// What a zygote's end does to its calls is noticed soon.
    fn hurry(&mut self, generation: Generation) {
        let its = self.oracle.workers.iter().filter(|(_, worker)| worker.generation == generation);
        let its: Vec<_> = its.map(|(instance, worker)| (*instance, *worker)).collect();
        for (instance, worker) in its {
            let due = if worker.calls > 0 { Due::CallDone(instance) } else { Due::ForkDone(instance) };
            self.soon(20, due);
        }
    }

    fn put(&mut self, call: CallNo, at: At) {
        if let Some((_, was)) = self.oracle.calls.get_mut(&call) {
            *was = at;
        }
    }

    fn step(&mut self, event: Event) -> Verdict {
        let mut actions = Vec::new();
        self.machine.step(event, self.now, &mut actions);
        self.carry_out(event, actions)
    }

    fn carry_out(&mut self, event: Event, mut actions: Vec<Action>) -> Verdict {
        self.plant.spoil(&mut actions);
        self.tale.meet(&self.machine, &actions);
        let mut unfit = Vec::new();
        self.oracle.newest = if let Event::Call { call, .. } = event { Some(call) } else { None };
        for action in actions {
            if let Action::EndZygote { generation } = action {
                self.hurry(generation);
            }
            self.oracle.judge(action, self.now).map_err(|fault| format!("{event:?}: {fault}"))?;
            self.do_it(event, action, &mut unfit);
        }
        self.oracle.look().map_err(|fault| format!("{event:?}: {fault}"))?;
        self.compare().map_err(|fault| format!("{event:?}: {fault}"))?;
        unfit.into_iter().try_for_each(|event| self.step(event))
    }

    fn do_it(&mut self, event: Event, action: Action, unfit: &mut Vec<Event>) {
        match action {
            Action::Start { generation } | Action::Probe { generation } => {
                let slow = self.dice.roll().is_multiple_of(10);
                self.soon(if slow { 30_000 } else { 300 }, Due::StartDone(generation));
            }
            Action::Fork { instance, .. } => self.soon(30, Due::ForkDone(instance)),
            // One that was forked for its call a moment ago is not looked at again.
            Action::Hand { instance, .. } if event == (Event::Forked { instance }) => self.run(instance),
            Action::Hand { call, instance } if self.is_unfit(instance) => {
                self.put(call, At::Waiting);
                self.oracle.workers.remove(&instance);
                let crashed = self.now < self.calm_at && self.dice.roll().is_multiple_of(4);
                unfit.push(Event::Unfit { instance, crashed });
            }
            Action::Hand { instance, .. } => self.run(instance),
            Action::Arm { at } => {
                self.scheduled += 1;
                self.agenda.insert((at, self.scheduled), Due::Tick(at));
            }
            _ => {}
        }
    }

    fn is_unfit(&mut self, instance: InstanceNo) -> bool {
        let generation = self.oracle.workers.get(&instance).map(|worker| worker.generation);
        let zygote = generation.and_then(|generation| self.oracle.zygotes.get(&generation));
        zygote != Some(&Zygote::Ready) || self.goes_wrong()
    }

    fn run(&mut self, instance: InstanceNo) {
        if let Some(worker) = self.oracle.workers.get_mut(&instance) {
            worker.calls += 1;
        }
        let slow = self.dice.roll().is_multiple_of(10);
        self.soon(if slow { 10_000 } else { 200 }, Due::CallDone(instance));
    }

    /// The machine and the oracle agree on which calls there are.
    fn compare(&self) -> Verdict {
        // A planted mistake has to be found by what the world sees.
        if self.tale.is_spoilt {
            return Ok(());
        }
        for (call, (_, at)) in &self.oracle.calls {
            let is_open = matches!(at, At::Waiting | At::With(_));
            if is_open && !self.machine.has(*call) {
                return Err(format!("{call:?} is {at:?}, and the machine does not know"));
            }
        }
        let is_over = matches!(self.machine.state(), State::Stopped | State::Disabled);
        if is_over && self.oracle.waiting() > 0 {
            return Err("calls wait for a plugin that does not run".to_owned());
        }
        Ok(())
    }
}
