//! What nobody waits for: each a task that does not keep the plugin alive, and ends with it.

use super::driver::{Driver, Garbage, STOP_PATIENCE};
use super::ticket::Ticket;
use super::version::{Slot, Version};
use crate::instance::{Asked, Fitness, Instance, To};
use crate::lifecycle::{Event, ForkFailure, Generation, InstanceNo};
use crate::process::guard::Fate;
use crate::scope::Scope;
use crate::zygote::Zygote;
use casemate_protocol::ids::ClientId;
use casemate_protocol::outcome::Failure;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

/// How often a plugin is polled that wants it.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

impl Driver {
    /// Starts a zygote, until that is given up.
    pub(super) fn start_zygote(&self, generation: Generation, version: Arc<Version>) -> Slot {
        let (hold, given_up) = oneshot::channel();
        let (driver, shared) = (self.weak(), Arc::clone(self.shared()));
        self.runtime().spawn(async move {
            let zygote = tokio::select! {
                biased;
                _ = given_up => return,
                zygote = version.start(&shared) => zygote,
            };
            if let Some(driver) = driver.upgrade() {
                driver.zygote_started(generation, zygote);
            }
        });
        Slot::Starting(hold)
    }

    fn zygote_started(&self, generation: Generation, started: Result<Zygote, Failure>) {
        let mut garbage = Garbage::default();
        let mut core = self.lock();
        let event = match started {
            Ok(zygote) => {
                // Given up this moment: nobody would end it.
                let Some(slot) = core.zygotes.get_mut(&generation) else { return };
                let (certificate, ending) = (zygote.certificate().clone(), zygote.ending());
                *slot = Slot::Ready(Arc::new(zygote));
                core.certificate = certificate;
                self.attend(generation, ending);
                Event::Started { generation }
            }
            Err(failure) => {
                tracing::warn!(plugin = %self.shared().name, "it could not be started: {failure}");
                core.last_crash = Some(format!("it could not be started: {failure}"));
                Event::StartFailed { generation }
            }
        };
        self.step(&mut core, event, None, &mut garbage);
    }

    /// Tells the machine of a zygote's end when it comes.
    pub(super) fn attend(&self, generation: Generation, ending: impl Future<Output = Fate> + Send + 'static) {
        let driver = self.weak();
        self.runtime().spawn(async move {
            let fate = ending.await;
            if let Some(driver) = driver.upgrade() {
                driver.zygote_ended(generation, &fate);
            }
        });
    }

    /// A zygote has ended: by our own doing, or not.
    pub(super) fn zygote_ended(&self, generation: Generation, fate: &Fate) {
        let mut garbage = Garbage::default();
        let mut core = self.lock();
        if !core.zygotes.contains_key(&generation) {
            return;
        }
        let how = crate::tree::cause_of(fate).map(|cause| cause.to_string());
        let exit = || fate.exit.map_or_else(String::new, |exit| format!(": {exit}"));
        let words = format!("its zygote ended{}", how.map_or_else(exit, |how| format!(": {how}")));
        tracing::warn!(plugin = %self.shared().name, "{words}");
        core.last_crash = Some(words);
        self.step(&mut core, Event::Ended { generation }, None, &mut garbage);
    }

    /// Forks an instance that no call waits for.
    pub(super) fn fork_spare(
        &self,
        instance: InstanceNo,
        generation: Generation,
        zygote: Option<Arc<Zygote>>,
    ) {
        let (driver, shared) = (self.weak(), Arc::clone(self.shared()));
        self.runtime().spawn(async move {
            let forked = match &zygote {
                Some(zygote) => Instance::start(zygote, &shared).await.map_err(Some),
                None => Err(None),
            };
            if let Some(driver) = driver.upgrade() {
                match forked {
                    Ok(forked) => driver.spare_forked(instance, forked),
                    Err(failure) => driver.spare_failed(instance, generation, zygote.as_deref(), failure),
                }
            }
        });
    }

    fn spare_forked(&self, instance: InstanceNo, forked: Instance) {
        let mut garbage = Garbage::default();
        let mut core = self.lock();
        core.idle.insert(instance, Box::new(forked));
        self.step(&mut core, Event::Forked { instance }, None, &mut garbage);
    }

    fn spare_failed(
        &self,
        instance: InstanceNo,
        generation: Generation,
        zygote: Option<&Zygote>,
        failure: Option<Failure>,
    ) {
        let why = self.blame(generation, zygote);
        if let (ForkFailure::Failed, Some(failure)) = (why, failure) {
            self.lock().last_crash = Some(format!("an instance could not be forked: {failure}"));
        }
        self.tell(Event::ForkFailed { instance, why });
    }

    /// Whether a fork failed by itself or with its zygote; of that the machine hears first.
    pub(super) fn blame(&self, generation: Generation, zygote: Option<&Zygote>) -> ForkFailure {
        let fate = zygote.map(Zygote::fate);
        match fate {
            Some(fate) if fate.exit.is_none() => ForkFailure::Failed,
            gone => {
                self.zygote_ended(generation, &gone.unwrap_or_default());
                ForkFailure::ZygoteGone
            }
        }
    }

    /// Polls it as long as it is there, if its module wants that: while it runs, and nothing else is asked of it.
    pub(super) fn poll_if_wanted(&self) {
        if !self.version().wants().polls || !self.begins_to_be_polled() {
            return;
        }
        let (driver, mut states) = (self.weak(), self.states());
        self.runtime().spawn(async move {
            let mut ticks = tokio::time::interval(POLL_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut said = None;
            loop {
                // What is started again is not left to itself until the next turn.
                tokio::select! {
                    _ = ticks.tick() => {}
                    Ok(()) = states.changed() => {}
                }
                let Some(driver) = driver.upgrade() else { break };
                let is_time = driver.lock().machine.may_poll(driver.now());
                if !is_time || !driver.version().wants().polls {
                    continue;
                }
                let scope = Scope::default();
                let asked = Asked { method: "", content_type: 0, body: &[], scope: &scope, to: To::Poll };
                let inbox = driver.inbox();
                let _turn = driver.polling().lock().await;
                let mut poll = pin!(Ticket::take(&driver, ClientId::NOBODY).serve(&asked));
                let polled = tokio::select! {
                    biased;
                    polled = &mut poll => polled,
                    // Nobody has the plugin any more: a poll that is dropped would take its instance with it, and that is to be
                    // told of its end.
                    () = inbox.is_closed() => match tokio::time::timeout(STOP_PATIENCE, poll).await {
                        Ok(polled) => polled,
                        Err(_elapsed) => break,
                    },
                };
                let why_not = polled.err().map(|failure| failure.to_string());
                // What is tried again and again is told once.
                if let Some(why_not) = why_not.as_ref().filter(|_| why_not != said) {
                    tracing::warn!(plugin = %driver.shared().name, "it could not be polled: {why_not}");
                }
                said = why_not;
            }
        });
    }

    /// Tells the machine the time, then.
    pub(super) fn ring(&self, at: Duration) {
        let (driver, at) = (self.weak(), self.instant(at));
        self.runtime().spawn(async move {
            tokio::time::sleep_until(at.into()).await;
            if let Some(driver) = driver.upgrade() {
                driver.look_at_idle();
                driver.tell(Event::Tick);
            }
        });
    }

    /// Idle instances that have died or misbehaved are found here, if no call finds them before.
    fn look_at_idle(&self) {
        let mut garbage = Garbage::default();
        let mut core = self.lock();
        let unfit: Vec<(InstanceNo, Fitness)> = core
            .idle
            .iter_mut()
            .map(|(instance, idle)| (*instance, idle.fitness()))
            .filter(|(_, fitness)| *fitness != Fitness::Fit)
            .collect();
        for (instance, fitness) in unfit {
            let crashed = fitness == Fitness::Guilty;
            if crashed {
                core.last_crash = Some("a worker without a call did what it must not".to_owned());
            }
            self.step(&mut core, Event::Unfit { instance, crashed }, None, &mut garbage);
        }
    }
}
