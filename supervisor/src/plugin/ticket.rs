//! One call, from the machine's word to its answer. Everything that is done for a call is done by its own future: it forks
//! its instance itself, and when it is dropped the machine hears of it.

use super::driver::{Directive, Driver, Garbage, Next};
use crate::instance::{Asked, Fitness, Instance, Reply, To};
use crate::lifecycle::{CallNo, End, Event, ForkFailure, Generation, InstanceNo};
use crate::scope::Scope;
use crate::zygote::Zygote;
use casemate_protocol::feed;
use casemate_protocol::ids::ClientId;
use casemate_protocol::outcome::{Cause, Exit, Failure};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

pub(super) struct Ticket<'a> {
    driver: &'a Driver,
    call: CallNo,
    at: At,
}

/// What an instance was told.
pub(super) enum Told {
    /// This, and what came of it.
    Event(feed::Event, Result<(), Failure>),
    /// Nothing was picked.
    Nothing,
    /// There was no instance.
    Refused(Failure),
}

/// Where the call is.
enum At {
    /// It is told what to do.
    Told(Directive),
    Waiting(oneshot::Receiver<Directive>),
    Forking(InstanceNo),
    Running(InstanceNo),
    Over,
}

impl From<Next> for At {
    fn from(next: Next) -> Self {
        match next {
            Next::Now(directive) => Self::Told(directive),
            Next::Later(later) => Self::Waiting(later),
        }
    }
}

impl<'a> Ticket<'a> {
    pub(super) fn take(driver: &'a Driver, client: ClientId) -> Self {
        let (call, next) = driver.enter(client);
        Self { driver, call, at: next.into() }
    }

    /// Waits for an instance and runs in it.
    pub(super) async fn serve(mut self, asked: &Asked<'_>) -> Result<Reply, Failure> {
        let (no, mut instance) = self.instance_in_time(asked.scope).await?;
        let (outcome, reusable) = instance.call(asked).await;
        self.finish(no, instance, asked.to, &outcome, reusable);
        outcome
    }

    /// Waits for an instance, and only then picks the event that it is told.
    pub(super) async fn tell(mut self, pick: impl FnOnce() -> Option<feed::Event>) -> Told {
        let (no, mut instance) = match self.instance().await {
            Ok(found) => found,
            Err(failure) => return Told::Refused(failure),
        };
        let Some(event) = pick() else {
            self.finish(no, instance, To::Hear, &Err(Failure::not_started(Cause::Closed)), true);
            return Told::Nothing;
        };
        let feed::Event { topic, content_type, body, .. } = &event;
        let scope = &Scope::default();
        let asked = Asked { method: topic, content_type: *content_type, body, scope, to: To::Hear };
        let (outcome, reusable) = instance.call(&asked).await;
        self.finish(no, instance, To::Hear, &outcome, reusable);
        Told::Event(event, outcome.map(drop))
    }

    /// Waits for an instance, has it set up and say what it is, and tells it of its end.
    pub(super) async fn rehearse(mut self) -> Result<Reply, Failure> {
        let (no, mut instance) = self.instance().await?;
        let scope = &Scope::default();
        let asked = Asked { method: "", content_type: 0, body: &[], scope, to: To::Describe };
        let mut outcome = instance.call(&asked).await.0;
        if outcome.is_ok() && instance.wants_stop() {
            outcome = match instance.end().await {
                Ok(()) => outcome,
                Err(failure) => Err(failure),
            };
        }
        self.finish(no, instance, To::Describe, &outcome, false);
        outcome
    }

    /// Waiting counts.
    #[expect(clippy::disallowed_methods, reason = "how late it has become is measured here")]
    async fn instance_in_time(&mut self, scope: &Scope) -> Result<(InstanceNo, Box<Instance>), Failure> {
        let Some((deadline, at)) = scope.deadline.and_then(|deadline| Some((deadline, deadline.at()?)))
        else {
            return self.instance().await;
        };
        let waited = tokio::time::timeout_at(at.into(), self.instance()).await;
        waited.unwrap_or_else(|_elapsed| Err(Failure::not_started(deadline.passed(Instant::now()))))
    }

    async fn instance(&mut self) -> Result<(InstanceNo, Box<Instance>), Failure> {
        loop {
            match self.directive().await {
                Directive::Refuse(failure) => return Err(failure),
                Directive::Run(no, mut instance) => {
                    self.at = At::Running(no);
                    match instance.fitness() {
                        Fitness::Fit => return Ok((no, instance)),
                        unfit => self.refuse(no, unfit == Fitness::Guilty),
                    }
                }
                Directive::Fork(no, generation, zygote) => {
                    self.at = At::Forking(no);
                    if let Some(instance) = self.fork(no, generation, zygote).await? {
                        return Ok((no, instance));
                    }
                }
            }
        }
    }

    async fn directive(&mut self) -> Directive {
        if let At::Waiting(later) = &mut self.at {
            // The sender is with the driver until it has sent.
            let gone = |_| Directive::Refuse(Failure::not_started(Cause::Closed));
            let directive = later.await.unwrap_or_else(gone);
            self.at = At::Over;
            return directive;
        }
        match std::mem::replace(&mut self.at, At::Over) {
            At::Told(directive) => directive,
            _ => Directive::Refuse(Failure::not_started(Cause::Closed)),
        }
    }

    /// Forks its own instance. `None`: the zygote has gone, and the call waits for the next.
    async fn fork(
        &mut self,
        no: InstanceNo,
        generation: Generation,
        zygote: Option<Arc<Zygote>>,
    ) -> Result<Option<Box<Instance>>, Failure> {
        let failure = match &zygote {
            Some(zygote) => match Instance::start(zygote, self.driver.shared()).await {
                Ok(instance) => {
                    self.at = At::Running(no);
                    self.driver.tell(Event::Forked { instance: no });
                    return Ok(Some(Box::new(instance)));
                }
                Err(failure) => Some(failure),
            },
            None => None,
        };
        let why = self.driver.blame(generation, zygote.as_deref());
        match failure {
            Some(failure) if why == ForkFailure::Failed => {
                self.at = At::Over;
                self.driver.tell(Event::ForkFailed { instance: no, why });
                Err(failure)
            }
            _ => {
                self.again(Event::ForkFailed { instance: no, why: ForkFailure::ZygoteGone });
                Ok(None)
            }
        }
    }

    /// The instance that it was given is of no use.
    fn refuse(&mut self, no: InstanceNo, crashed: bool) {
        if crashed {
            self.driver.lock().last_crash = Some("a worker without a call did what it must not".to_owned());
        }
        self.again(Event::Unfit { instance: no, crashed });
    }

    /// Back to its place among those that wait.
    fn again(&mut self, event: Event) {
        let mut garbage = Garbage::default();
        let mut core = self.driver.lock();
        self.at = self.driver.next(&mut core, self.call, event, &mut garbage).into();
    }

    fn finish(
        &mut self,
        no: InstanceNo,
        instance: Box<Instance>,
        to: To,
        outcome: &Result<Reply, Failure>,
        reusable: bool,
    ) {
        self.at = At::Over;
        let mut garbage = Garbage::default();
        let mut core = self.driver.lock();
        let end = match outcome {
            _ if reusable => {
                let memory_bytes = instance.memory_bytes();
                core.idle.insert(no, instance);
                End::Reusable { memory_bytes }
            }
            // Whoever makes a call hears of it; of this nobody would.
            Err(failure) if to == To::Poll && instance.is_not_set_up() => {
                core.last_crash = Some(format!("it could not be set up: {failure}"));
                if instance.was_unserved() { End::NotServed } else { End::NotSetUp }
            }
            Err(failure) if is_crash(&failure.cause) => {
                core.last_crash = Some(failure.to_string());
                End::Crashed
            }
            _ => End::Spent,
        };
        self.driver.step(&mut core, Event::Finished { instance: no, end }, None, &mut garbage);
    }

    fn give_up(&mut self) -> Option<Event> {
        let gave_up = |directive: &Directive| match directive {
            Directive::Run(no, _) => Some(Event::Finished { instance: *no, end: End::GaveUp }),
            Directive::Fork(no, ..) => Some(Event::ForkFailed { instance: *no, why: ForkFailure::GaveUp }),
            Directive::Refuse(_) => None,
        };
        match &mut self.at {
            At::Over => None,
            At::Told(directive) => gave_up(directive),
            At::Running(no) => Some(Event::Finished { instance: *no, end: End::GaveUp }),
            At::Forking(no) => Some(Event::ForkFailed { instance: *no, why: ForkFailure::GaveUp }),
            At::Waiting(later) => {
                self.driver.lock().waiting.remove(&self.call);
                // It may have been told this moment.
                match later.try_recv() {
                    Ok(directive) => gave_up(&directive),
                    Err(_) => Some(Event::GaveUp { call: self.call }),
                }
            }
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(event) = self.give_up() {
            self.driver.tell(event);
        }
    }
}

/// Whether it is the process that failed and not the guest in it. A worker that was killed from outside is not to blame:
/// its zygote may have gone, or the host be out of memory.
fn is_crash(cause: &Cause) -> bool {
    match cause {
        Cause::Syscall(_) | Cause::SyscallSignal | Cause::Link { .. } | Cause::Inspection { .. } => true,
        Cause::WorkerLost { exit } => !matches!(*exit, Exit::KILLED | Exit::Unknown),
        _ => false,
    }
}
