//! What must hold of a plugin's life, judged from outside: from what was asked of the machine and what it wanted done.

use crate::lifecycle::{Action, Answer, CallNo, Generation, InstanceNo, Refusal, Rules};
use casemate_protocol::ids::ClientId;
use casemate_protocol::policy::Isolation;
use std::collections::BTreeMap;
use std::time::Duration;

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Waiting,
    /// With an instance that is being forked for it, or runs it.
    With(InstanceNo),
    /// Its instance, or the fork of it, has an outcome.
    Over,
    Answered,
    GivenUp,
}

/// What an instance is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worker {
    pub(super) generation: Generation,
    pub(super) client: Option<ClientId>,
    pub(super) calls: u64,
    pub(super) call: Option<CallNo>,
    /// It is ready, and does nothing.
    pub(super) is_idle: bool,
    /// What it did last forbids another call.
    pub(super) is_spent: bool,
}

/// What a zygote is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zygote {
    Starting,
    Probing,
    Ready,
    /// Dead, and nobody has ended it yet.
    Dead,
}

/// Alarms at once; an earlier one does not take a later one back.
const TICKS_MAX: usize = 16;

type Verdict = Result<(), String>;

#[derive(Debug)]
pub(super) struct Oracle {
    rules: Rules,
    /// What is to hold with the next version.
    pub(super) proposed: Option<Rules>,
    /// As many as might ever wait.
    waiting_max: u32,
    pub(super) calls: BTreeMap<CallNo, (ClientId, At)>,
    pub(super) workers: BTreeMap<InstanceNo, Worker>,
    pub(super) zygotes: BTreeMap<Generation, Zygote>,
    /// The one that may be given new work.
    active: Option<Generation>,
    pub(super) ticks: Vec<Duration>,
    /// Whether what is being judged is the first word about a call.
    pub(super) newest: Option<CallNo>,
    dropped: u64,
    said: u64,
    last_instance: InstanceNo,
}

impl Oracle {
    pub(super) fn new(rules: Rules) -> Self {
        let waiting_max = rules.queue + rules.instances.max;
        Self {
            rules,
            proposed: None,
            waiting_max,
            calls: BTreeMap::new(),
            workers: BTreeMap::new(),
            zygotes: BTreeMap::new(),
            active: None,
            ticks: Vec::new(),
            newest: None,
            dropped: 0,
            said: 0,
            last_instance: InstanceNo(0),
        }
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Other rules hold; those who wait already are not sent away.
    pub(super) fn rule(&mut self, rules: Rules) {
        self.waiting_max = self.waiting_max.max(rules.queue + rules.instances.max);
        self.rules = rules;
    }

    /// Whether a new version is being loaded.
    pub(super) fn has_candidate(&self) -> bool {
        self.zygotes.values().any(|zygote| *zygote == Zygote::Probing)
    }

    /// Judges an action and takes it as done.
    pub(super) fn judge(&mut self, action: Action, now: Duration) -> Verdict {
        match action {
            Action::Start { generation } => {
                demand(self.active.is_none(), || format!("{generation:?} starts beside {:?}", self.active))?;
                self.active = Some(generation);
                self.new_zygote(generation, Zygote::Starting)
            }
            Action::Probe { generation } => self.new_zygote(generation, Zygote::Probing),
            Action::Adopt { generation } => {
                let is_ready = self.zygotes.get(&generation) == Some(&Zygote::Ready);
                demand(is_ready, || format!("{generation:?} is adopted unproven"))?;
                // Where nothing runs it is ended at once, and then it is nobody's.
                self.active = Some(generation);
                if let Some(rules) = self.proposed.take() {
                    self.rule(rules);
                }
                Ok(())
            }
            Action::RefuseReload { .. } => Ok(()),
            Action::EndZygote { generation } => {
                self.active = self.active.filter(|active| *active != generation);
                self.zygotes.remove(&generation);
                if !self.has_candidate() {
                    self.proposed = None;
                }
                Ok(())
            }
            Action::Fork { instance, generation, call } => self.fork(instance, generation, call),
            Action::Hand { call, instance } => self.hand(call, instance),
            Action::Answer { call, answer } => self.answer(call, answer),
            Action::Kill { instance } => {
                let busy = self.workers.get(&instance).and_then(|worker| worker.call);
                demand(busy.is_none(), || format!("{instance:?} is killed while it has {busy:?}"))?;
                self.workers.remove(&instance);
                Ok(())
            }
            Action::Arm { at } => {
                self.ticks.push(at);
                demand(at >= now, || format!("{at:?} is over"))?;
                demand(self.ticks.len() <= TICKS_MAX, || format!("{} alarms are set", self.ticks.len()))
            }
            Action::Say { dropped } => {
                self.said += dropped;
                demand(self.said == self.dropped, || {
                    format!("{} calls were dropped and {} said", self.dropped, self.said)
                })
            }
        }
    }

    fn new_zygote(&mut self, generation: Generation, zygote: Zygote) -> Verdict {
        let is_new = self.zygotes.last_key_value().is_none_or(|(last, _)| *last < generation);
        self.zygotes.insert(generation, zygote);
        demand(is_new, || format!("{generation:?} is not new"))
    }

    fn fork(&mut self, instance: InstanceNo, generation: Generation, call: Option<CallNo>) -> Verdict {
        demand(instance > self.last_instance, || format!("{instance:?} is not new"))?;
        self.last_instance = instance;
        demand(self.active == Some(generation), || format!("a fork of {generation:?}, which is not active"))?;
        let client = call.map(|call| self.leave_queue(call, instance)).transpose()?;
        let worker = Worker { generation, client, calls: 0, call, is_idle: false, is_spent: false };
        self.workers.insert(instance, worker);
        let alive = self.workers.values().filter(|worker| worker.generation == generation).count();
        demand(alive <= self.rules.instances.max as usize, || format!("{alive} instances"))
    }

    fn hand(&mut self, call: CallNo, instance: InstanceNo) -> Verdict {
        let worker =
            *self.workers.get(&instance).ok_or(format!("{call:?} for {instance:?}, which is gone"))?;
        demand(!worker.is_spent, || format!("{call:?} for {instance:?}, which is spent"))?;
        if worker.call == Some(call) {
            // It was forked for this one.
            let is_first = worker.calls == 0;
            return demand(is_first, || format!("{call:?} is handed twice"));
        }
        demand(worker.is_idle && worker.call.is_none(), || format!("{call:?} for {instance:?}: {worker:?}"))?;
        demand(Some(worker.generation) == self.active, || format!("{call:?} for an old version"))?;
        let client = self.leave_queue(call, instance)?;
        let limit = if self.rules.isolation == Isolation::Call { 1 } else { self.rules.instances.max_calls };
        demand(worker.calls < limit, || format!("{instance:?} has had {} calls", worker.calls))?;
        let serves =
            self.rules.isolation != Isolation::Client || worker.client.is_none_or(|own| own == client);
        demand(serves, || format!("{call:?} of {client:?} for {instance:?}: {worker:?}"))?;
        let worker = Worker { call: Some(call), client: Some(client), is_idle: false, ..worker };
        self.workers.insert(instance, worker);
        Ok(())
    }

    /// Calls leave the queue in the order they came.
    fn leave_queue(&mut self, call: CallNo, instance: InstanceNo) -> Result<ClientId, String> {
        let first = self.calls.iter().find(|(_, (_, at))| *at == At::Waiting).map(|(call, _)| *call);
        demand(first == Some(call), || format!("{call:?} before {first:?}"))?;
        let (client, at) = self.calls.get_mut(&call).ok_or(format!("{call:?} is nobody's"))?;
        *at = At::With(instance);
        Ok(*client)
    }

    fn answer(&mut self, call: CallNo, answer: Answer) -> Verdict {
        let waiting = self.waiting();
        let (_, at) = self.calls.get_mut(&call).ok_or(format!("{call:?} is nobody's"))?;
        let expected = if answer == Answer::Outcome { At::Over } else { At::Waiting };
        demand(*at == expected, || format!("{call:?} is answered with {answer:?} while it is {at:?}"))?;
        *at = At::Answered;
        match answer {
            Answer::Outcome => Ok(()),
            // The one that is refused waits too, for the last time.
            Answer::Refused(Refusal::Overloaded { .. }) => {
                self.dropped += 1;
                let queue = self.rules.queue as usize;
                demand(waiting > queue, || format!("overloaded with {waiting} of {queue}"))
            }
            Answer::Refused(_) => {
                self.dropped += u64::from(self.newest != Some(call));
                Ok(())
            }
        }
    }

    /// What must hold between any two events.
    pub(super) fn look(&self) -> Verdict {
        // What was accepted and then came back from a dead zygote keeps its place beyond the limit.
        let most = self.waiting_max as usize;
        demand(self.waiting() <= most, || format!("{} calls wait", self.waiting()))?;
        let over = self.calls.iter().find(|(_, (_, at))| *at == At::Over);
        demand(over.is_none(), || format!("{over:?} is over and was not answered"))?;
        for generation in self.zygotes.keys().filter(|generation| Some(**generation) != self.active) {
            let has_reason = self.zygotes.get(generation) != Some(&Zygote::Ready)
                || self
                    .workers
                    .values()
                    .any(|worker| worker.generation == *generation && worker.call.is_some());
            demand(has_reason, || format!("{generation:?} lives on without a reason"))?;
        }
        Ok(())
    }

    pub(super) fn waiting(&self) -> usize {
        self.calls.values().filter(|(_, at)| *at == At::Waiting).count()
    }

    /// What must hold at the end, when nothing is left to happen.
    pub(super) fn conclude(&self) -> Verdict {
        let lost = self.calls.iter().find(|(_, (_, at))| !matches!(at, At::Answered | At::GivenUp));
        demand(lost.is_none(), || format!("a call is lost: {lost:?}"))?;
        demand(self.workers.is_empty(), || format!("instances live on: {:?}", self.workers))?;
        demand(self.zygotes.is_empty(), || format!("zygotes live on: {:?}", self.zygotes))
    }
}

fn demand(holds: bool, message: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(message()) }
}
