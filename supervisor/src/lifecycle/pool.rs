//! The instances of a plugin: which one a call gets, when there are more, and when there are fewer.
//!
//! An instance runs one call at a time, so the least loaded is an idle one; of those the last used is taken, so that the
//! others grow old enough to be ended.

use super::event::{Action, Generation, InstanceNo, Rules};
use super::queue::Waiting;
use casemate_protocol::ids::ClientId;
use casemate_protocol::policy::Isolation;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Pool {
    members: BTreeMap<InstanceNo, Member>,
    /// Of the active generation; last used last, so oldest first.
    idle: Vec<InstanceNo>,
    /// How many each generation has.
    sizes: BTreeMap<Generation, u32>,
    last: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) generation: Generation,
    pub(super) stage: Stage,
    /// Whom it has served, where no instance serves two.
    client: Option<ClientId>,
    calls: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Being forked, for a call or to be there for one.
    Starting(Option<Waiting>),
    Idle {
        since: Duration,
    },
    Busy(Waiting),
}

impl Member {
    pub(super) fn call(&self) -> Option<Waiting> {
        match self.stage {
            Stage::Starting(call) => call,
            Stage::Busy(call) => Some(call),
            Stage::Idle { .. } => None,
        }
    }
}

impl Pool {
    /// Finds a place for a call, or makes one: an idle instance that suits, a new one, or a new one in the place of an
    /// idle one that does not suit.
    pub(super) fn place(
        &mut self,
        waiting: Waiting,
        generation: Generation,
        rules: &Rules,
        out: &mut Vec<Action>,
    ) -> bool {
        if let Some(instance) = self.pick(waiting.client, rules.isolation) {
            out.push(Action::Hand { call: waiting.call, instance });
            self.enter(instance, Stage::Busy(waiting));
            return true;
        }
        if self.count(generation) >= rules.instances.max {
            let Some(oldest) = self.idle.first().copied() else { return false };
            self.kill(oldest, out);
        }
        self.fork(Some(waiting), generation, out);
        true
    }

    /// The last used idle instance that may serve this client; one of its own before one of nobody's.
    fn pick(&mut self, client: ClientId, isolation: Isolation) -> Option<InstanceNo> {
        if isolation != Isolation::Client {
            return self.idle.pop();
        }
        let find = |wanted| {
            let is_it = |no: &InstanceNo| self.members.get(no).is_some_and(|member| member.client == wanted);
            self.idle.iter().rposition(is_it)
        };
        let at = find(Some(client)).or_else(|| find(None))?;
        Some(self.idle.remove(at))
    }

    pub(super) fn fork(&mut self, call: Option<Waiting>, generation: Generation, out: &mut Vec<Action>) {
        self.last += 1;
        let instance = InstanceNo(self.last);
        let client = call.map(|waiting| waiting.client);
        self.members.insert(instance, Member { generation, stage: Stage::Starting(call), client, calls: 0 });
        *self.sizes.entry(generation).or_default() += 1;
        out.push(Action::Fork { instance, generation, call: call.map(|waiting| waiting.call) });
    }

    /// Forks what the policy wants to be there without anybody's asking.
    pub(super) fn fill(&mut self, generation: Generation, rules: &Rules, out: &mut Vec<Action>) {
        let wanted = &rules.instances;
        while self.count(generation) < wanted.max
            && (self.count(generation) < wanted.min
                || wanted.spare > 0 && self.spare(generation) < wanted.spare)
        {
            self.fork(None, generation, out);
        }
    }

    /// Ends those that nobody has used for long, oldest first.
    pub(super) fn shrink(
        &mut self,
        generation: Generation,
        rules: &Rules,
        now: Duration,
        out: &mut Vec<Action>,
    ) {
        while let Some((oldest, due)) = self.next_end(generation, rules) {
            if due > now {
                break;
            }
            self.kill(oldest, out);
        }
    }

    /// Which one is too many, and when it is to be ended.
    fn next_end(&self, generation: Generation, rules: &Rules) -> Option<(InstanceNo, Duration)> {
        let wanted = &rules.instances;
        let is_too_many = self.idle_count() > wanted.spare && self.count(generation) > wanted.min;
        let oldest = *self.idle.first().filter(|_| is_too_many)?;
        match self.members.get(&oldest)?.stage {
            Stage::Idle { since } => Some((oldest, since + wanted.idle_timeout)),
            _ => None,
        }
    }

    /// When there is one to be ended.
    pub(super) fn due(&self, generation: Generation, rules: &Rules) -> Option<Duration> {
        self.next_end(generation, rules).map(|(_, due)| due)
    }

    pub(super) fn get(&self, instance: InstanceNo) -> Option<Member> {
        self.members.get(&instance).copied()
    }

    /// It waits for calls from now on.
    pub(super) fn rest(&mut self, instance: InstanceNo, now: Duration) {
        self.enter(instance, Stage::Idle { since: now });
        self.idle.push(instance);
    }

    pub(super) fn enter(&mut self, instance: InstanceNo, stage: Stage) {
        if let Some(member) = self.members.get_mut(&instance) {
            if let Stage::Busy(waiting) = stage {
                member.client = Some(waiting.client);
            }
            member.stage = stage;
        }
    }

    /// Counts an answered call; whether the instance may take another.
    pub(super) fn is_good_for_more(
        &mut self,
        instance: InstanceNo,
        rules: &Rules,
        memory_bytes: u64,
    ) -> bool {
        let Some(member) = self.members.get_mut(&instance) else { return false };
        member.calls += 1;
        member.calls < rules.instances.max_calls
            && rules.isolation != Isolation::Call
            && rules.instances.recycle_memory_bytes.is_none_or(|most| memory_bytes <= most)
    }

    pub(super) fn remove(&mut self, instance: InstanceNo) {
        let Some(member) = self.members.remove(&instance) else { return };
        self.idle.retain(|idle| *idle != instance);
        if let Some(size) = self.sizes.get_mut(&member.generation) {
            *size -= 1;
            if *size == 0 {
                self.sizes.remove(&member.generation);
            }
        }
    }

    pub(super) fn kill(&mut self, instance: InstanceNo, out: &mut Vec<Action>) {
        self.remove(instance);
        out.push(Action::Kill { instance });
    }

    /// Lets go of all that have no call: idle ones, and those that are being forked for nobody.
    pub(super) fn clear(&mut self, generation: Generation, out: &mut Vec<Action>) {
        let unused = |(no, member): (&InstanceNo, &Member)| {
            (member.generation == generation && member.call().is_none()).then_some(*no)
        };
        let gone: Vec<InstanceNo> = self.members.iter().filter_map(unused).collect();
        gone.into_iter().for_each(|instance| self.kill(instance, out));
    }

    /// Whether calls of this generation are with an instance.
    pub(super) fn serves(&self, generation: Generation) -> bool {
        self.members.values().any(|member| member.generation == generation && member.call().is_some())
    }

    /// Whether any calls are.
    pub(super) fn has_calls(&self) -> bool {
        self.members.values().any(|member| member.call().is_some())
    }

    /// Whether this call is with an instance.
    #[cfg(test)]
    pub(super) fn has(&self, call: super::CallNo) -> bool {
        self.members.values().any(|member| member.call().is_some_and(|waiting| waiting.call == call))
    }

    fn count(&self, generation: Generation) -> u32 {
        self.sizes.get(&generation).copied().unwrap_or(0)
    }

    /// Those that are there, or soon will be, for a call that nobody has made yet.
    fn spare(&self, generation: Generation) -> u32 {
        let is_spare = |member: &&Member| member.generation == generation && member.call().is_none();
        saturate(self.members.values().filter(is_spare).count())
    }

    pub(super) fn idle_count(&self) -> u32 {
        saturate(self.idle.len())
    }

    /// Busy ones, and ones that are being forked.
    pub(super) fn busy_and_starting(&self) -> (u32, u32) {
        let starting =
            self.members.values().filter(|member| matches!(member.stage, Stage::Starting(_))).count();
        let busy = self.members.values().filter(|member| matches!(member.stage, Stage::Busy(_))).count();
        (saturate(busy), saturate(starting))
    }
}

fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
