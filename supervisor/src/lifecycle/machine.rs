//! The machine of one plugin.

use super::State;
use super::breaker::{Breaker, Dice, pause};
use super::event::{
    Action, Answer, DisabledBy, End, Event, ForkFailure, Generation, InstanceNo, Refusal, Report, Rules,
};
use super::pool::{Pool, Stage};
use super::queue::{Queue, Waiting};
use super::table::{self, Signal, When};
use std::collections::BTreeSet;
use std::time::Duration;

/// One plugin's life. It begins stopped; [`Event::Enable`] starts it.
#[derive(Debug)]
pub(crate) struct Machine {
    rules: Rules,
    state: State,
    /// Nothing moves it any more.
    closed: bool,
    /// Why it is disabled, or will be once it is empty.
    disabled_by: Option<DisabledBy>,
    /// The zygote that is starting or takes calls.
    active: Option<Generation>,
    /// The zygote of a new version, until it takes over.
    candidate: Option<Generation>,
    /// What holds once it has taken over, if that is not what holds now.
    candidate_rules: Option<Rules>,
    /// Zygotes of old versions that have calls to finish.
    old: BTreeSet<Generation>,
    last_generation: u64,
    pool: Pool,
    queue: Queue,
    breaker: Breaker,
    dice: Dice,
    /// When it is started again.
    retry_at: Option<Duration>,
    /// Before that no instance is forked that nobody has asked for: the last such did not live.
    refill_at: Option<Duration>,
    /// Before that it is not polled: the last time it could not be set up for it.
    poll_at: Option<Duration>,
    /// When the next [`Event::Tick`] will come.
    armed: Option<Duration>,
}

impl Machine {
    /// A stopped plugin; the seed is for jitter.
    pub(crate) fn new(rules: Rules, seed: u64) -> Self {
        Self {
            rules,
            state: State::Stopped,
            closed: false,
            disabled_by: None,
            active: None,
            candidate: None,
            candidate_rules: None,
            old: BTreeSet::new(),
            last_generation: 0,
            pool: Pool::default(),
            queue: Queue::default(),
            breaker: Breaker::default(),
            dice: Dice::new(seed),
            retry_at: None,
            refill_at: None,
            poll_at: None,
            armed: None,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Takes an event; what is to be done is added to `out`, to be done in that order. An event about something that is
    /// no more changes nothing.
    pub(crate) fn step(&mut self, event: Event, now: Duration, out: &mut Vec<Action>) {
        match event {
            Event::Call { call, client } => return self.call(Waiting { call, client }, now, out),
            Event::GaveUp { call } => self.queue.remove(call),
            Event::Forked { instance } => self.forked(instance, now, out),
            Event::ForkFailed { instance, why } => self.fork_failed(instance, why, now, out),
            Event::Unfit { instance, crashed } => self.unfit(instance, crashed, now, out),
            Event::Finished { instance, end } => self.finished(instance, end, now, out),
            Event::Started { generation } if self.is_starting(generation) => {
                self.go(Signal::Started, now, out)
            }
            Event::Started { generation } => self.end_stranger(generation, out),
            Event::StartFailed { generation } | Event::Ended { generation } => {
                self.zygote_ended(generation, now, out);
            }
            Event::Enable => self.go(Signal::Enable, now, out),
            Event::Disable => self.go(Signal::Disable, now, out),
            Event::Drain => self.go(Signal::Drain, now, out),
            Event::Reset => self.go(Signal::Reset, now, out),
            Event::Close => self.go(Signal::Close, now, out),
            Event::Reload => self.reload(out),
            Event::Probed { generation } => self.probed(generation, now, out),
            Event::ProbeFailed { generation } => self.drop_candidate(generation, out),
            Event::Tick => self.tick(now, out),
        }
        self.settle(now, out);
    }

    /// Other rules hold from here on. How instances are shared, and how many there may be, changes by a new version only:
    /// see [`Machine::propose`].
    pub(crate) fn rule(&mut self, rules: Rules, now: Duration, out: &mut Vec<Action>) {
        let other_instances = rules.instances != self.rules.instances;
        self.rules = rules;
        // Those that wait for calls came to be under the old ones, and are cheap.
        if let (true, Some(generation)) = (other_instances, self.active) {
            self.pool.clear(generation, out);
        }
        self.settle(now, out);
    }

    /// Other rules hold once the new version that is being loaded takes over.
    pub(crate) fn propose(&mut self, rules: Rules) {
        if self.candidate.is_some() {
            self.candidate_rules = Some(rules);
        }
    }

    /// Whether it is time to do with it what it wants done again and again.
    pub(crate) fn may_poll(&self, now: Duration) -> bool {
        self.state == State::Running && self.poll_at.is_none_or(|at| at <= now)
    }

    /// How it is.
    pub(crate) fn report(&self) -> Report {
        let (busy, starting) = self.pool.busy_and_starting();
        Report {
            state: self.state,
            disabled_by: self.disabled_by,
            generation: self.active,
            reloading: self.candidate.is_some(),
            idle: self.pool.idle_count(),
            busy,
            starting,
            waiting: self.queue.calls(),
            dropped: self.queue.dropped(),
            crashes: self.breaker.count(),
            retry_at: self.retry_at,
        }
    }

    /// The way of most calls: nobody waits, and an instance is idle.
    fn call(&mut self, waiting: Waiting, now: Duration, out: &mut Vec<Action>) {
        let refused = match (self.state, self.active) {
            (State::Running, Some(generation)) => {
                if self.queue.len() == 0 && self.pool.place(waiting, generation, &self.rules, out) {
                    if self.rules.instances.spare > 0 {
                        self.settle(now, out);
                    }
                    return;
                }
                self.queue.push(waiting, self.rules.queue)
            }
            (State::Starting | State::Backoff, _) => self.queue.push(waiting, self.rules.queue),
            _ => {
                let answer = Answer::Refused(self.refusal());
                return out.push(Action::Answer { call: waiting.call, answer });
            }
        };
        if let Err(before) = refused {
            let answer = Answer::Refused(Refusal::Overloaded { waiting: before });
            out.push(Action::Answer { call: waiting.call, answer });
        }
        self.settle(now, out);
    }

    fn forked(&mut self, instance: InstanceNo, now: Duration, out: &mut Vec<Action>) {
        match self.pool.get(instance).map(|member| member.stage) {
            Some(Stage::Starting(Some(waiting))) => {
                self.pool.enter(instance, Stage::Busy(waiting));
                out.push(Action::Hand { call: waiting.call, instance });
            }
            Some(Stage::Starting(None)) => self.pool.rest(instance, now),
            Some(_) => {}
            None => out.push(Action::Kill { instance }),
        }
    }

    fn fork_failed(&mut self, instance: InstanceNo, why: ForkFailure, now: Duration, out: &mut Vec<Action>) {
        let Some(member) = self.pool.get(instance) else { return };
        let Stage::Starting(call) = member.stage else { return };
        self.pool.remove(instance);
        match (call, why) {
            (Some(waiting), ForkFailure::ZygoteGone) => self.put_back(waiting, out),
            (Some(waiting), ForkFailure::Failed) => {
                out.push(Action::Answer { call: waiting.call, answer: Answer::Outcome });
            }
            (_, ForkFailure::GaveUp) | (None, ForkFailure::ZygoteGone) => {}
            // Nobody asked for it, so nobody hears of it: a failure that repeats itself must slow down and end.
            (None, ForkFailure::Failed) => {
                self.breaker.crash(&self.rules.restart, now);
                self.refill_at = Some(now + self.pause());
                self.go(Signal::Struck, now, out);
            }
        }
        self.end_if_finished(member.generation, out);
    }

    fn unfit(&mut self, instance: InstanceNo, crashed: bool, now: Duration, out: &mut Vec<Action>) {
        let Some(member) = self.pool.get(instance) else { return };
        self.pool.kill(instance, out);
        if crashed {
            self.struck(now, out);
        }
        if let Some(waiting) = member.call() {
            self.put_back(waiting, out);
        } else {
            self.refill_at = Some(now + self.pause());
        }
        self.end_if_finished(member.generation, out);
    }

    fn finished(&mut self, instance: InstanceNo, end: End, now: Duration, out: &mut Vec<Action>) {
        let Some(member) = self.pool.get(instance) else { return };
        let Stage::Busy(waiting) = member.stage else { return };
        if end != End::GaveUp {
            out.push(Action::Answer { call: waiting.call, answer: Answer::Outcome });
        }
        let may_rest = Some(member.generation) == self.active
            && matches!(self.state, State::Running | State::Draining)
            && matches!(end, End::Reusable { memory_bytes }
                if self.pool.is_good_for_more(instance, &self.rules, memory_bytes));
        if may_rest {
            return self.pool.rest(instance, now);
        }
        self.pool.kill(instance, out);
        match end {
            End::Crashed => self.struck(now, out),
            End::NotSetUp if Some(member.generation) == self.active => self.not_set_up(now, out),
            End::NotServed => self.poll_at = Some(now + self.rules.restart.first),
            _ => {}
        }
        self.end_if_finished(member.generation, out);
    }

    /// A worker has crashed, and its zygote has not.
    fn struck(&mut self, now: Duration, out: &mut Vec<Action>) {
        self.breaker.crash(&self.rules.restart, now);
        self.go(Signal::Struck, now, out);
    }

    /// It is no use as it is, and nobody asked for anything: as if it had not started. Calls that run had better luck, and
    /// finish.
    fn not_set_up(&mut self, now: Duration, out: &mut Vec<Action>) {
        self.breaker.crash(&self.rules.restart, now);
        if self.pool.has_calls() {
            self.poll_at = Some(now + self.pause());
            self.go(Signal::Struck, now, out);
        } else {
            self.go(Signal::Crashed, now, out);
        }
    }

    fn zygote_ended(&mut self, generation: Generation, now: Duration, out: &mut Vec<Action>) {
        if Some(generation) == self.active {
            self.breaker.crash(&self.rules.restart, now);
            self.go(Signal::Crashed, now, out);
        } else if self.old.remove(&generation) {
            out.push(Action::EndZygote { generation });
        } else {
            self.drop_candidate(generation, out);
        }
    }

    fn reload(&mut self, out: &mut Vec<Action>) {
        let why = match self.state {
            _ if self.candidate.is_some() => Refusal::Reloading,
            _ if self.closed => Refusal::Closed,
            State::Draining => self.refusal(),
            _ => {
                let generation = self.new_generation();
                self.candidate = Some(generation);
                return out.push(Action::Probe { generation });
            }
        };
        out.push(Action::RefuseReload { why });
    }

    fn probed(&mut self, generation: Generation, now: Duration, out: &mut Vec<Action>) {
        if self.candidate != Some(generation) {
            return self.end_stranger(generation, out);
        }
        out.push(Action::Adopt { generation });
        if let Some(rules) = self.candidate_rules.take() {
            self.rules = rules;
        }
        match self.state {
            State::Starting | State::Running | State::Backoff => self.go(Signal::TakenOver, now, out),
            // It is what will be started; nothing runs now.
            State::Stopped | State::Disabled | State::Draining => self.drop_candidate(generation, out),
        }
    }

    /// It was given up while it started.
    fn end_stranger(&self, generation: Generation, out: &mut Vec<Action>) {
        let is_known = self.active.into_iter().chain(self.candidate).any(|known| known == generation);
        if !is_known && !self.old.contains(&generation) {
            out.push(Action::EndZygote { generation });
        }
    }

    fn drop_candidate(&mut self, generation: Generation, out: &mut Vec<Action>) {
        if self.candidate == Some(generation) {
            self.candidate = None;
            self.candidate_rules = None;
            out.push(Action::EndZygote { generation });
        }
    }

    fn tick(&mut self, now: Duration, out: &mut Vec<Action>) {
        self.armed = self.armed.filter(|at| *at > now);
        self.refill_at = self.refill_at.filter(|at| *at > now);
        if self.retry_at.is_some_and(|at| at <= now) {
            self.go(Signal::PauseOver, now, out);
        }
        if let Some(generation) = self.active {
            self.pool.shrink(generation, &self.rules, now, out);
        }
    }

    /// Moves along the table, if it has a row, and does what entering the new state means.
    fn go(&mut self, signal: Signal, now: Duration, out: &mut Vec<Action>) {
        if self.closed {
            return;
        }
        let from = self.state;
        let holds = |when| match when {
            When::Always => true,
            When::TooOften => self.breaker.is_open(&self.rules.restart),
            When::ForCrashes => matches!(self.disabled_by, Some(DisabledBy::Crashes(_))),
            When::ToDisable => self.disabled_by.is_some(),
        };
        let Some(to) = table::next(from, signal, holds) else { return };
        match signal {
            Signal::Reset => self.breaker.reset(),
            Signal::Disable => self.disabled_by = Some(DisabledBy::Operator),
            Signal::Crashed if to == State::Disabled && from != State::Draining => self.gives_up(),
            Signal::Struck => self.gives_up(),
            Signal::TakenOver => self.take_over(out),
            Signal::Close => self.closed = true,
            _ => {}
        }
        self.state = to;
        match to {
            State::Starting => self.start(out),
            State::Running => self.disabled_by = None,
            State::Draining => self.refuse_all_if_disabled(out),
            State::Backoff => self.retry_at = Some(now + self.pause()),
            State::Stopped | State::Disabled => {}
        }
        if matches!(to, State::Backoff | State::Stopped | State::Disabled) {
            self.end_active(out);
        }
        if to != State::Backoff {
            self.retry_at = None;
        }
        if matches!(to, State::Stopped | State::Disabled) {
            self.end_others(out);
            self.refuse_all(out);
        } else if to == State::Draining {
            self.candidate.into_iter().for_each(|generation| self.drop_candidate(generation, out));
        }
    }

    fn start(&mut self, out: &mut Vec<Action>) {
        self.disabled_by = None;
        self.poll_at = None;
        let generation = self.new_generation();
        self.active = Some(generation);
        out.push(Action::Start { generation });
    }

    fn gives_up(&mut self) {
        self.disabled_by = Some(DisabledBy::Crashes(self.breaker.count()));
    }

    /// The new version is the active one; the old one ends when its calls have.
    fn take_over(&mut self, out: &mut Vec<Action>) {
        let last = std::mem::replace(&mut self.active, self.candidate.take());
        if let Some(last) = last {
            self.pool.clear(last, out);
            self.old.insert(last);
            self.end_if_finished(last, out);
        }
        self.breaker.reset();
        self.refill_at = None;
        self.poll_at = None;
    }

    fn end_active(&mut self, out: &mut Vec<Action>) {
        if let Some(generation) = self.active.take() {
            self.pool.clear(generation, out);
            out.push(Action::EndZygote { generation });
        }
    }

    fn end_others(&mut self, out: &mut Vec<Action>) {
        self.candidate_rules = None;
        let others = std::mem::take(&mut self.old).into_iter().chain(self.candidate.take());
        out.extend(others.map(|generation| Action::EndZygote { generation }));
    }

    fn end_if_finished(&mut self, generation: Generation, out: &mut Vec<Action>) {
        if !self.old.is_empty() && !self.pool.serves(generation) && self.old.remove(&generation) {
            out.push(Action::EndZygote { generation });
        }
    }

    /// A call that got nowhere goes back to its place among those that wait.
    fn put_back(&mut self, waiting: Waiting, out: &mut Vec<Action>) {
        self.queue.put_back(waiting);
        self.refuse_all_if_disabled(out);
        if matches!(self.state, State::Stopped | State::Disabled) {
            self.refuse_all(out);
        }
    }

    fn refuse_all_if_disabled(&mut self, out: &mut Vec<Action>) {
        if self.state == State::Draining && self.disabled_by.is_some() {
            self.refuse_all(out);
        }
    }

    fn refuse_all(&mut self, out: &mut Vec<Action>) {
        let answer = Answer::Refused(self.refusal());
        let refuse = |waiting: Waiting| Action::Answer { call: waiting.call, answer };
        out.extend(self.queue.drop_all().into_iter().map(refuse));
    }

    /// Why a call is refused, where one is.
    pub(crate) fn refusal(&self) -> Refusal {
        match self.disabled_by {
            _ if self.closed => Refusal::Closed,
            Some(by) => Refusal::Disabled(by),
            None => Refusal::Stopped,
        }
    }

    /// What follows from any event: calls that wait get what is free, spares are forked, the next look is arranged.
    fn settle(&mut self, now: Duration, out: &mut Vec<Action>) {
        if let (State::Running | State::Draining, Some(generation)) = (self.state, self.active) {
            while let Some(waiting) = self.queue.front() {
                if !self.pool.place(waiting, generation, &self.rules, out) {
                    break;
                }
                self.queue.pop();
            }
            if self.state == State::Running && self.refill_at.is_none() {
                self.pool.fill(generation, &self.rules, out);
            }
            if self.state == State::Draining && self.queue.len() == 0 && !self.pool.has_calls() {
                self.go(Signal::Emptied, now, out);
            }
        }
        if let Some(dropped) = self.queue.news() {
            out.push(Action::Say { dropped });
        }
        self.arm(now, out);
    }

    fn arm(&mut self, now: Duration, out: &mut Vec<Action>) {
        let shrink_at = self.active.and_then(|generation| self.pool.due(generation, &self.rules));
        let wanted = [self.retry_at, self.refill_at, shrink_at].into_iter().flatten().min();
        if let Some(at) = wanted.map(|at| at.max(now)).filter(|at| self.armed.is_none_or(|armed| *at < armed))
        {
            self.armed = Some(at);
            out.push(Action::Arm { at });
        }
    }

    fn is_starting(&self, generation: Generation) -> bool {
        self.state == State::Starting && self.active == Some(generation)
    }

    fn pause(&mut self) -> Duration {
        pause(&self.rules.restart, self.breaker.count(), self.dice.roll())
    }

    fn new_generation(&mut self) -> Generation {
        self.last_generation += 1;
        Generation(self.last_generation)
    }

    /// Whether a call waits or runs.
    #[cfg(test)]
    pub(super) fn has(&self, call: super::CallNo) -> bool {
        self.pool.has(call) || self.queue.has(call)
    }
}
