//! The machine under its lock, and its actions done.
//!
//! Whoever tells the machine something does what it wants then, in the same turn: nothing is sent to another thread. The
//! lock is held for that only, never while something is waited for.

use super::inbox::Inbox;
use super::version::{Proven, Slot, Version};
use crate::instance::{Instance, Shared, Terms};
use crate::lifecycle::{
    Action, Answer, CallNo, Event, Generation, InstanceNo, Machine, Refusal, Rules, State,
};
use crate::load::Source;
use crate::zygote::Zygote;
use casemate_protocol::certificate::Certificate;
use casemate_protocol::ids::ClientId;
use casemate_protocol::outcome::Failure;
use casemate_protocol::policy::Policy;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

#[derive(Debug)]
pub(super) struct Driver {
    shared: Arc<Shared>,
    core: Mutex<Core>,
    /// Follows the machine's.
    state: watch::Sender<State>,
    origin: Instant,
    runtime: Handle,
    inbox: Arc<Inbox>,
    /// Whether somebody polls it.
    is_polled: AtomicBool,
    /// Held while it is polled.
    polling: tokio::sync::Mutex<()>,
    /// Instances that are told of their end now.
    stopping: Arc<AtomicU32>,
    me: Weak<Self>,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) machine: Machine,
    /// Kept for its memory.
    actions: Vec<Action>,
    /// Instances that run no call; those that do are with it.
    pub(super) idle: HashMap<InstanceNo, Box<Instance>>,
    pub(super) waiting: HashMap<CallNo, oneshot::Sender<Directive>>,
    pub(super) zygotes: HashMap<Generation, Slot>,
    version: Arc<Version>,
    /// What is to take over.
    candidate: Option<Candidate>,
    pub(super) certificate: Certificate,
    pub(super) last_crash: Option<String>,
    /// What holds from its next start on.
    pub(super) due: Option<Due>,
    /// Why it does not run, if that is because the policy file says so.
    pub(super) withheld: Option<Withheld>,
    calls: u64,
    /// The state that was announced last.
    seen: State,
}

/// A version that is loaded, proven and probed.
#[derive(Debug)]
struct Candidate {
    version: Arc<Version>,
    certificate: Certificate,
    /// What it comes with.
    terms: Terms,
}

/// A policy, and other code if it comes with some.
pub(super) type Due = (Arc<Policy>, Option<Source>);

/// What a policy file has done to a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Withheld {
    /// A sentence.
    pub(crate) reason: String,
    /// There is no table for it any more: nothing says what it may do, and so nobody can start it. Otherwise it was only
    /// disabled, which its operator may undo.
    pub(crate) is_removed: bool,
    /// Whether it ran until then, and is to run again when the file allows it.
    pub(crate) ran: bool,
}

/// What a call is to do next.
#[derive(Debug)]
pub(super) enum Directive {
    /// Run in this instance.
    Run(InstanceNo, Box<Instance>),
    /// Fork an instance and run in that. No zygote: it has gone this moment.
    Fork(InstanceNo, Generation, Option<Arc<Zygote>>),
    /// Go away.
    Refuse(Failure),
}

/// What is dropped once the lock is free: that ends processes.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    instances: Vec<Instance>,
    zygotes: Ending,
    /// Where instances can be told of their end, and how many are.
    farewell: Option<Farewell>,
}

/// Instances that are told of their end. They count for nothing else any more, so there are never more of them than there may be
/// others.
#[derive(Debug, Clone)]
struct Farewell {
    runtime: Handle,
    stopping: Arc<AtomicU32>,
    stopping_max: u32,
}

/// Zygotes that are to end.
#[derive(Debug, Default)]
struct Ending(Vec<Slot>);

/// How long instances may take over their end, all together.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(2);

const FIRST: Generation = Generation(1);

impl Driver {
    /// Runs the first version.
    #[expect(clippy::disallowed_methods, reason = "the machine's time is measured from here")]
    pub(super) fn run(shared: Arc<Shared>, proven: Proven) -> Arc<Self> {
        let Proven { version, zygote } = proven;
        let certificate = zygote.certificate().clone();
        let ending = zygote.ending();
        let mut machine = Machine::new(Rules::from(&*shared.policy()), getrandom::u64().unwrap_or_default());
        // What it wants for that has been done by the load.
        machine.step(Event::Enable, Duration::ZERO, &mut Vec::new());
        let core = Core {
            machine,
            actions: Vec::new(),
            idle: HashMap::new(),
            waiting: HashMap::new(),
            zygotes: HashMap::from([(FIRST, Slot::Ready(Arc::new(zygote)))]),
            version,
            candidate: None,
            certificate,
            last_crash: None,
            due: None,
            withheld: None,
            calls: 0,
            seen: State::Starting,
        };
        let inbox = Arc::new(Inbox::of(shared.name.as_str()));
        let driver = Arc::new_cyclic(|me| Self {
            shared,
            core: Mutex::new(core),
            state: watch::Sender::new(State::Starting),
            origin: Instant::now(),
            runtime: Handle::current(),
            inbox,
            is_polled: AtomicBool::new(false),
            polling: tokio::sync::Mutex::default(),
            stopping: Arc::default(),
            me: me.clone(),
        });
        driver.attend(FIRST, ending);
        driver.tell(Event::Started { generation: FIRST });
        driver
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The events that wait for it.
    pub(super) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Whose turn it is: a poll's, or its end's.
    pub(super) fn polling(&self) -> &tokio::sync::Mutex<()> {
        &self.polling
    }

    /// Whether nobody has begun to poll it; from here on somebody does.
    pub(super) fn begins_to_be_polled(&self) -> bool {
        !self.is_polled.swap(true, Ordering::Relaxed)
    }

    pub(super) fn weak(&self) -> Weak<Self> {
        self.me.clone()
    }

    pub(super) fn version(&self) -> Arc<Version> {
        Arc::clone(&self.lock().version)
    }

    pub(super) fn certificate(&self) -> Certificate {
        self.lock().certificate.clone()
    }

    /// The machine's time.
    #[expect(clippy::disallowed_methods, reason = "the machine's clock")]
    pub(super) fn now(&self) -> Duration {
        Instant::now().duration_since(self.origin)
    }

    /// When that is.
    pub(super) fn instant(&self, at: Duration) -> Instant {
        self.origin + at
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its states, from here on.
    pub(super) fn states(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Waits until this holds of its state; which is it then.
    pub(super) async fn until(&self, holds: impl Fn(State) -> bool) -> State {
        let mut states = self.state.subscribe();
        let state = states.wait_for(|state| holds(*state)).await.map(|state| *state);
        state.unwrap_or_else(|_closed| self.lock().machine.state())
    }

    /// Tells the machine something, and does what it wants.
    pub(super) fn tell(&self, event: Event) {
        // Dropped after the lock.
        let mut garbage = Garbage::default();
        self.step(&mut self.lock(), event, None, &mut garbage);
    }

    /// Does what its operator orders, who has the last word from here on, but for a plugin that is in no file.
    pub(super) fn order(&self, event: Event) {
        let mut garbage = Garbage::default();
        let mut core = self.lock();
        let withheld = core.withheld.take().filter(|withheld| withheld.is_removed);
        core.withheld = withheld.map(|withheld| Withheld { ran: false, ..withheld });
        self.step(&mut core, event, None, &mut garbage);
    }

    /// Does what the policy file says: it takes no new calls, finishes those that run, and its processes end.
    pub(super) fn withhold(&self, reason: String, is_removed: bool) {
        let mut garbage = Garbage::default();
        let mut core = self.lock();
        let runs = matches!(core.machine.state(), State::Starting | State::Running | State::Backoff);
        let ran = runs || core.withheld.as_ref().is_some_and(|withheld| withheld.ran);
        core.withheld = Some(Withheld { reason, is_removed, ran });
        let event = if is_removed { Event::Drain } else { Event::Disable };
        self.step(&mut core, event, None, &mut garbage);
    }

    /// Why a call would be refused now.
    pub(super) fn refusal(&self) -> Failure {
        let core = self.lock();
        self.failure(core.machine.refusal(), &core)
    }

    /// A new call: its number, and what it is to do, now or later.
    pub(super) fn enter(&self, client: ClientId) -> (CallNo, Next) {
        let mut garbage = Garbage::default();
        let mut core = self.lock();
        core.calls += 1;
        let call = CallNo(core.calls);
        let next = self.next(&mut core, call, Event::Call { call, client }, &mut garbage);
        (call, next)
    }

    /// Tells the machine something about a call that has no answer yet.
    pub(super) fn next(&self, core: &mut Core, call: CallNo, event: Event, garbage: &mut Garbage) -> Next {
        match self.step(core, event, Some(call), garbage) {
            Some(directive) => Next::Now(directive),
            None => {
                let (sender, receiver) = oneshot::channel();
                core.waiting.insert(call, sender);
                Next::Later(receiver)
            }
        }
    }

    /// One event, under the lock. What call `own` is to do is returned, if it is that.
    pub(super) fn step(
        &self,
        core: &mut Core,
        event: Event,
        own: Option<CallNo>,
        garbage: &mut Garbage,
    ) -> Option<Directive> {
        let now = self.now();
        self.act(core, own, garbage, |machine, actions| machine.step(event, now, actions))
    }

    fn act(
        &self,
        core: &mut Core,
        own: Option<CallNo>,
        garbage: &mut Garbage,
        tell: impl FnOnce(&mut Machine, &mut Vec<Action>),
    ) -> Option<Directive> {
        let mut actions = std::mem::take(&mut core.actions);
        tell(&mut core.machine, &mut actions);
        let mut for_own = None;
        for action in actions.drain(..) {
            if let Some((call, directive)) = self.perform(core, action, garbage) {
                if Some(call) == own {
                    for_own = Some(directive);
                } else if let Some(waiting) = core.waiting.remove(&call) {
                    // Whoever gives up takes itself off that list first.
                    let _ = waiting.send(directive);
                }
            }
        }
        core.actions = actions;
        let state = core.machine.state();
        if std::mem::replace(&mut core.seen, state) != state {
            self.state.send_replace(state);
        }
        for_own
    }

    fn perform(&self, core: &mut Core, action: Action, garbage: &mut Garbage) -> Option<(CallNo, Directive)> {
        match action {
            // The call has it: it was forked for it.
            Action::Hand { call, instance } => {
                return Some((call, Directive::Run(instance, core.idle.remove(&instance)?)));
            }
            Action::Answer { call, answer: Answer::Refused(refusal) } => {
                let failure = self.failure(refusal, core);
                return Some((call, Directive::Refuse(failure)));
            }
            // The call has that too.
            Action::Answer { answer: Answer::Outcome, .. } => {}
            Action::Fork { instance, generation, call } => {
                let zygote = core.zygotes.get(&generation).and_then(Slot::zygote).cloned();
                match call {
                    Some(call) => return Some((call, Directive::Fork(instance, generation, zygote))),
                    None => self.fork_spare(instance, generation, zygote),
                }
            }
            Action::Kill { instance } => {
                garbage.instances.extend(core.idle.remove(&instance).map(|idle| *idle));
                garbage.farewell = Some(Farewell {
                    runtime: self.runtime.clone(),
                    stopping: Arc::clone(&self.stopping),
                    stopping_max: self.shared.policy().instances().max,
                });
            }
            Action::Start { generation } => {
                let slot = self.start_zygote(generation, Arc::clone(&core.version));
                core.zygotes.insert(generation, slot);
            }
            Action::EndZygote { generation } => garbage.zygotes.0.extend(core.zygotes.remove(&generation)),
            Action::Adopt { .. } => {
                if let Some(Candidate { version, certificate, terms }) = core.candidate.take() {
                    core.version = version;
                    core.certificate = certificate;
                    self.shared.take(terms);
                }
            }
            // Its loader does that, and asks whether it may.
            Action::Probe { .. } | Action::RefuseReload { .. } => {}
            Action::Arm { at } => self.ring(at),
            Action::Say { dropped } => tracing::warn!(
                plugin = %self.shared.name,
                "{dropped} calls were dropped: they found the queue full (limits.queue), or it was given up"
            ),
        }
        None
    }

    /// Asks whether a new version may be loaded, with a policy of its own if one is given.
    pub(super) fn begin_reload(&self, policy: Option<&Policy>) -> Result<Generation, Failure> {
        let core = &mut *self.lock();
        let mut actions = Vec::new();
        core.machine.step(Event::Reload, self.now(), &mut actions);
        match actions.first() {
            Some(Action::Probe { generation }) => {
                if let Some(policy) = policy {
                    core.machine.propose(Rules::from(policy));
                }
                Ok(*generation)
            }
            Some(Action::RefuseReload { why }) => Err(self.failure(*why, core)),
            _ => Err(self.failure(Refusal::Reloading, core)),
        }
    }

    /// Takes a policy of which everything is the supervisor's to see to: the next call has it, and the next host call.
    pub(super) fn take_policy(&self, policy: Arc<Policy>) {
        let mut garbage = Garbage::default();
        let mut core = self.lock();
        let (rules, now) = (Rules::from(&*policy), self.now());
        self.shared.take(Terms::policy(policy));
        self.act(&mut core, None, &mut garbage, |machine, actions| machine.rule(rules, now, actions));
    }

    /// Lets a new version take over, unless that has been forbidden meanwhile.
    pub(super) fn take_over(
        &self,
        generation: Generation,
        proven: Proven,
        terms: Terms,
    ) -> Result<(), Failure> {
        let Proven { version, zygote } = proven;
        let (certificate, ending) = (zygote.certificate().clone(), zygote.ending());
        let mut garbage = Garbage::default();
        let mut core = self.lock();
        core.zygotes.insert(generation, Slot::Ready(Arc::new(zygote)));
        core.candidate = Some(Candidate { version, certificate, terms });
        self.step(&mut core, Event::Probed { generation }, None, &mut garbage);
        if core.candidate.take().is_some() {
            return Err(self.failure(core.machine.refusal(), &core));
        }
        drop(core);
        self.attend(generation, ending);
        self.poll_if_wanted();
        Ok(())
    }
}

/// What a call is to do, or where it will be told.
#[derive(Debug)]
pub(super) enum Next {
    Now(Directive),
    Later(oneshot::Receiver<Directive>),
}

impl Drop for Garbage {
    fn drop(&mut self) {
        let mut stopping = std::mem::take(&mut self.instances);
        stopping.retain_mut(Instance::wants_stop);
        let (false, Some(farewell)) = (stopping.is_empty(), self.farewell.take()) else { return };
        let Farewell { runtime, stopping: told, stopping_max } = farewell;
        let count = u32::try_from(stopping.len()).unwrap_or(u32::MAX);
        if told.fetch_add(count, Ordering::Relaxed).saturating_add(count) > stopping_max {
            told.fetch_sub(count, Ordering::Relaxed);
            return;
        }
        let zygotes = std::mem::take(&mut self.zygotes);
        runtime.spawn(async move {
            let mut stops = JoinSet::new();
            for mut instance in stopping {
                stops.spawn(async move { instance.stop().await });
            }
            // Whoever takes longer is ended all the same.
            let _ = tokio::time::timeout(STOP_PATIENCE, stops.join_all()).await;
            told.fetch_sub(count, Ordering::Relaxed);
            drop(zygotes);
        });
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Somebody may still be forking from it.
        self.0.iter().filter_map(Slot::zygote).for_each(|zygote| zygote.kill());
    }
}
