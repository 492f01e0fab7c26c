//! One worker, and one call from its start to its outcome.
//!
//! The link's machine is `casemate_protocol::link`; here its bytes are moved, its host calls answered and its end
//! explained. On this socket the supervisor only reads and sends, so no descriptor can be pushed at it.

mod builtin;
mod hosting;
mod keeping;
mod outcome;
mod room;
mod saving;
mod shared;

use crate::cgroup::Group;
use crate::log::{Volume, line};
use crate::process::control::broken;
use crate::process::guard::{Allowance, Fate, Process};
use crate::process::registered::Registered;
use crate::scope::Scope;
use crate::store::Tenant;
use crate::zygote::{Forked, Zygote, took_too_long};
use casemate_protocol::feed::LogRecord;
use casemate_protocol::frame::Decoder;
use casemate_protocol::ids::InstanceId;
use casemate_protocol::link::{
    Call, CallResult, HostCall, LinkViolation, Setup, Status, SupervisorLink, TURN_POLL, TURN_STOP, Up,
    UpBounds,
};
use casemate_protocol::outcome::{Cause, Exit, Failure, HostCallNote, LimitName, Retry};
use casemate_protocol::policy::Policy;
use casemate_protocol::spawn::Role;
use outcome::Ran;
use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use room::most as files_most;
pub(crate) use shared::{Beside, Shared, Terms};

/// Reads from a link between two calls, of a few kilobytes each. A worker has nothing to say then.
const IDLE_READS_MAX: u32 = 16;

/// Level of our own lines in a plugin's log.
const LEVEL_WARN: u32 = 3;

/// A guest's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 0 raw bytes, 1 JSON.
    pub content_type: u32,
    /// The answer: hostile bytes.
    pub body: Vec<u8>,
    /// The code that a program ended with; 0 for everything else.
    pub exit_code: u32,
}

/// What is asked of an instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) content_type: u32,
    pub(crate) body: &'a [u8],
    pub(crate) scope: &'a Scope,
    pub(crate) to: To,
}

/// What an instance is to do with what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// To answer a call of a method.
    Answer,
    /// To say what it is.
    Describe,
    /// To take an event, of which the method is the topic.
    Hear,
    /// To do what it wants to do again and again.
    Poll,
    /// To do what it wants to do at its end.
    Stop,
}

impl<'a> Asked<'a> {
    /// The method whose limits hold; only calls are of one.
    pub(crate) fn limited_as(&self) -> &'a str {
        match self.to {
            To::Answer => self.method,
            _ => "",
        }
    }
}

/// A worker that waits for calls. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Instance {
    shared: Arc<Shared>,
    /// What its zygote was started with: the kernel, the engine and both ends of the link hold it to that.
    given: Arc<Policy>,
    id: InstanceId,
    process: Process,
    socket: Registered,
    decoder: Decoder<UpBounds>,
    link: SupervisorLink,
    out: Vec<u8>,
    log: Volume,
    /// What the guest asked the host for during this call, the last of it.
    asked: VecDeque<HostCallNote>,
    /// What was said to the first host call of this call that was denied.
    first_denial: Option<String>,
    /// The same of the first that nobody was there to answer.
    first_unserved: Option<String>,
    /// What came while something was being sent.
    pending: Option<Event>,
    memory_bytes: u64,
    /// Whether it is a program, which runs once.
    is_command: bool,
    /// Whether it wants to be told of its end.
    wants_stop: bool,
    /// Whether what was asked last got no further than setting it up.
    not_set_up: bool,
    /// When the call that runs is out of time.
    call_ends: Instant,
    /// The group of its plugin, and how many of it had been killed for want of memory before what it does now.
    cgroup: Option<Arc<Group>>,
    killed_before: u64,
    /// Where its plugin has files of its own.
    tenant: Option<Tenant>,
}

/// Whether an instance can be given a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fitness {
    Fit,
    /// It is no more, and that is not held against it.
    Gone,
    /// It did what a worker without a call must not.
    Guilty,
}

/// Why moving bytes ended.
enum Stop {
    /// The worker broke its link.
    Violation(LinkViolation),
    /// The socket is closed or failed.
    Gone,
}

impl From<LinkViolation> for Stop {
    fn from(violation: LinkViolation) -> Self {
        Self::Violation(violation)
    }
}

/// A frame that needs something done, owned.
#[derive(Debug)]
enum Event {
    Ready(casemate_protocol::link::Ready),
    HostCall(HostCall, Vec<u8>),
    Result(CallResult, Status, Vec<u8>),
}

impl Instance {
    /// Forks a worker and waits until it is ready and has been looked at.
    pub(crate) async fn start(zygote: &Zygote, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let forked = zygote.fork(Role::Worker).await?;
        match tokio::time::timeout(shared.context.spawn_timeout, Self::greet(zygote, shared, forked)).await {
            Ok(instance) => instance,
            Err(_elapsed) => Err(took_too_long(&shared.context)),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the log's rate is measured from here")]
    async fn greet(zygote: &Zygote, shared: &Arc<Shared>, forked: Forked) -> Result<Self, Failure> {
        let context = &shared.context;
        let given = Arc::clone(zygote.policy());
        let limits = given.limits();
        let bounds =
            UpBounds { output_bytes_max: limits.output_bytes, host_call_bytes_max: limits.output_bytes };
        let id = InstanceId(context.next_instance());
        let mut instance = Self {
            shared: Arc::clone(shared),
            given: Arc::clone(&given),
            id,
            process: forked.process,
            socket: Registered::new(forked.link).map_err(|error| broken("joining the runtime", error))?,
            decoder: Decoder::new(bounds),
            link: SupervisorLink::new(),
            out: Vec::new(),
            log: Volume::new(limits.log_bytes_per_second, Instant::now()),
            asked: VecDeque::new(),
            first_denial: None,
            first_unserved: None,
            pending: None,
            memory_bytes: 0,
            is_command: zygote.is_command(),
            wants_stop: zygote.wants().stop,
            not_set_up: false,
            call_ends: Instant::now(),
            cgroup: zygote.cgroup().cloned(),
            killed_before: 0,
            tenant: room::tenant(shared, &given, id),
        };
        instance.count_killed();
        zygote.let_exec(&instance.process).await?;
        let ready = match instance.next_event().await {
            Ok(Event::Ready(ready)) => ready,
            Ok(_) => return Err(broken("waiting for a worker", "it sent something else than Ready")),
            Err(stop) => return Err(Failure::not_started(instance.explain(stop, None).await)),
        };
        context.point("instance", "ready");
        if ready.data_limit_bytes != zygote.data_bytes() {
            let message = format!(
                "it says its memory is limited to {} bytes; {} were ordered",
                ready.data_limit_bytes,
                zygote.data_bytes()
            );
            return Err(Failure::not_started(Cause::Inspection { message }));
        }
        zygote.judge_instance(&instance.process)?;
        zygote.rest(&instance.process);
        context.point("instance", "inspected");
        Ok(instance)
    }

    /// Whether it can be given a call: alive, and silent since its last answer.
    pub(crate) fn fitness(&mut self) -> Fitness {
        let waits = self.link.wants_setup() || self.link.is_idle();
        let fate = self.process.fate();
        if let Some(used) = fate.restless {
            tracing::warn!(
                plugin = %self.shared.name,
                instance = self.id.0,
                "an idle worker was ended: it used {} ms of CPU time without a call", used.as_millis()
            );
        }
        if fate.restless.is_some() || fate.violation.is_some() || !waits {
            Fitness::Guilty
        } else if fate != Fate::default() {
            Fitness::Gone
        } else {
            self.listen()
        }
    }

    /// Takes what came since the last call; anything but a few log lines makes it unfit.
    fn listen(&mut self) -> Fitness {
        for _ in 0..IDLE_READS_MAX {
            match self.take_frame() {
                Ok(Some(_)) | Err(_) => return Fitness::Guilty,
                Ok(None) => {}
            }
            match rustix::io::read(self.socket.get_ref(), self.decoder.spare()) {
                Ok(0) => return Fitness::Gone,
                Ok(bytes) => self.decoder.filled(bytes),
                Err(rustix::io::Errno::AGAIN) => return Fitness::Fit,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Fitness::Gone,
            }
        }
        Fitness::Guilty
    }

    /// Its linear memories together after the last call, in bytes: its own word, good for housekeeping.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Makes one call. `Ok((reply, reusable))`; after an error the instance must be dropped.
    ///
    /// Cancel safety: dropping the future leaves the instance in the middle of a call; drop it, which kills the worker.
    #[expect(clippy::disallowed_methods, reason = "what is left of the caller's time is measured here")]
    pub(crate) async fn call(&mut self, asked: &Asked<'_>) -> (Result<Reply, Failure>, bool) {
        let (method, body, scope) = (asked.limited_as(), asked.body, asked.scope);
        self.not_set_up = false;
        // It may have been let in under the policy of an older version.
        if let Err(failure) = admit_input(&self.given, body) {
            return (Err(failure), true);
        }
        if let Err(failure) = self.look_at_files().await {
            return (Err(failure), false);
        }
        let policy = self.shared.policy();
        let limits = policy.limits();
        let now = Instant::now();
        let left = scope.deadline.map_or(Duration::MAX, |deadline| deadline.remaining(now));
        if let Some(deadline) = scope.deadline.filter(|_| left.is_zero()) {
            return (Err(Failure::not_started(deadline.passed(now))), true);
        }
        let callers = scope.deadline.filter(|_| left < policy.call_timeout(method));
        let allowance = Allowance {
            wall: policy.call_timeout(method).min(left),
            grace: limits.grace,
            cpu: limits.cpu,
            cpu_total: self.given.limits().cpu_total,
        };
        self.log.set_rate(limits.log_bytes_per_second);
        self.count_killed();
        let deadline = self.process.arm(&allowance);
        self.call_ends = now + allowance.wall;
        self.asked.clear();
        self.first_denial = None;
        self.first_unserved = None;
        let is_first = self.link.wants_setup();
        if let Err(failure) = self.begin(asked) {
            return (Err(failure), false);
        }
        let watch = self.watch_files();
        let end = tokio::select! {
            biased;
            end = self.converse(asked) => Ok(end),
            cause = watch => Err(cause),
        };
        self.leave_files();
        self.say_what_was_dropped();
        let end = match end {
            Ok(end) => end,
            Err(cause) => {
                self.process.kill();
                return (Err(self.failure(cause, Retry::MaybeRan)), false);
            }
        };
        match end {
            Ok((result, status, body)) => {
                let ran = Ran { allowance, elapsed: deadline.disarm(), callers };
                self.memory_bytes = result.memory_bytes;
                self.not_set_up = result.in_setup;
                self.outcome(result, status, body, ran)
            }
            Err(stop) => {
                // It is over: what ends the worker from here on is no deadline.
                let ran = Ran { allowance, elapsed: deadline.disarm(), callers };
                let cause = self.explain(stop, Some(ran)).await;
                // Without the result one cannot know whether it was still being set up. Who was killed from outside is not to
                // blame.
                let killed = matches!(cause, Cause::WorkerLost { exit: Exit::KILLED | Exit::Unknown });
                self.not_set_up = is_first && !killed;
                (Err(self.failure(cause, Retry::MaybeRan)), false)
            }
        }
    }

    /// Has the guest set up, and say what it is: whether it lives, and takes its configuration. That is a call like any
    /// other, under the plugin's own limits, and the instance must be dropped then.
    pub(crate) async fn probe(&mut self) -> Result<(), Failure> {
        let scope = Scope::default();
        self.call(&Asked { method: "", content_type: 0, body: &[], scope: &scope, to: To::Describe })
            .await
            .0
            .map(drop)
    }

    /// Whether what was asked last failed before it was set up.
    pub(crate) fn is_not_set_up(&self) -> bool {
        self.not_set_up
    }

    /// Whether that was for want of somebody to answer a host call of its: another time it may be otherwise.
    pub(crate) fn was_unserved(&self) -> bool {
        self.first_unserved.is_some()
    }

    /// Whether it has been set up, and wants to be told of its end.
    pub(crate) fn wants_stop(&mut self) -> bool {
        self.wants_stop && !self.link.wants_setup() && self.fitness() == Fitness::Fit
    }

    /// Tells it of its end; it must be dropped then.
    pub(crate) async fn end(&mut self) -> Result<(), Failure> {
        let scope = Scope::default();
        let asked = Asked { method: "", content_type: 0, body: &[], scope: &scope, to: To::Stop };
        self.call(&asked).await.0.map(drop)
    }

    /// The same where nobody waits for it: what it answers changes nothing, and is in the host's log.
    pub(crate) async fn stop(&mut self) {
        if let Err(failure) = self.end().await {
            tracing::warn!(plugin = %self.shared.name, instance = self.id.0, "it did not stop well: {failure}");
        }
    }

    /// Nothing is dropped in silence, also when no later line passes.
    fn say_what_was_dropped(&mut self) {
        let dropped_lines = self.log.take_dropped();
        if dropped_lines > 0 {
            let rate = self.log.rate();
            (self.shared.context.log_sink)(LogRecord {
                plugin: self.shared.name.clone(),
                instance: self.id,
                level: LEVEL_WARN,
                message: format!(
                    "{dropped_lines} log lines were dropped: limits.log is {rate} bytes a second"
                ),
                dropped_lines,
            });
        }
    }

    /// Puts set-up, if it is due, and call into one buffer.
    fn begin(&mut self, asked: &Asked<'_>) -> Result<(), Failure> {
        let ours =
            |error: &dyn std::fmt::Display| Failure::not_started(Cause::Input { message: error.to_string() });
        if self.link.wants_setup() {
            let mut seed = vec![0; 32];
            getrandom::fill(&mut seed).map_err(|error| ours(&error))?;
            let config = self.shared.config();
            let config = config.as_deref();
            let options = self.given.options().iter().map(|(key, text)| format!("{key}={text}")).collect();
            let setup = Setup { seed, has_config: config.is_some(), options };
            self.link
                .setup(&mut self.out, &setup, config.unwrap_or_default())
                .map_err(|error| ours(&error))?;
        }
        let Asked { method, content_type, to, .. } = *asked;
        let (describe, event) = (to == To::Describe, to == To::Hear);
        let streams = asked.scope.bodies.is_some();
        let turn = match to {
            To::Poll => TURN_POLL,
            To::Stop => TURN_STOP,
            _ => 0,
        };
        let call = Call { method: method.to_owned(), content_type, describe, event, streams, turn };
        self.link.call(&mut self.out, &call, asked.body).map_err(|error| ours(&error))
    }

    /// From the call to its result, answering what the guest asks on the way.
    async fn converse(&mut self, asked: &Asked<'_>) -> Result<(CallResult, Status, Vec<u8>), Stop> {
        self.flush().await?;
        self.shared.context.point("instance", "call sent");
        loop {
            match self.next_event().await? {
                Event::Result(result, status, body) => return Ok((result, status, body)),
                Event::HostCall(call, body) => {
                    let (status, reply) = self.answer(asked, call, body).await;
                    if self.link.host_result(&mut self.out, status, reply.content_type, &reply.body).is_err()
                    {
                        // Our own mistake; the worker cannot go on without an answer.
                        self.process.kill();
                        return Err(Stop::Gone);
                    }
                    self.flush().await?;
                }
                Event::Ready(_) => return Err(Stop::Gone),
            }
        }
    }

    /// Waits for the next frame that needs something done; log lines are passed on here.
    async fn next_event(&mut self) -> Result<Event, Stop> {
        if let Some(event) = self.pending.take() {
            return Ok(event);
        }
        loop {
            if let Some(event) = self.take_frame()? {
                return Ok(event);
            }
            match self.socket.read(self.decoder.spare()).await {
                Ok(0) | Err(_) => return Err(Stop::Gone),
                Ok(bytes) => {
                    self.decoder.filled(bytes);
                    // A flood of log lines must not keep this thread of the host's runtime from its other tasks.
                    tokio::task::consume_budget().await;
                }
            }
        }
    }

    /// The next event among the bytes that are here.
    fn take_frame(&mut self) -> Result<Option<Event>, Stop> {
        while let Some(frame) = self.decoder.next_frame().map_err(LinkViolation::from)? {
            match self.link.receive(frame)? {
                Up::Ready(ready) => return Ok(Some(Event::Ready(ready))),
                Up::HostCall(call, body) => return Ok(Some(Event::HostCall(call, body.to_vec()))),
                Up::Result(result, status, body) => {
                    return Ok(Some(Event::Result(result, status, body.to_vec())));
                }
                Up::Log(log, bytes) => {
                    #[expect(clippy::disallowed_methods, reason = "the log's rate is measured here")]
                    let admitted = self.log.admit(bytes.len(), Instant::now());
                    if let Some(dropped_lines) = admitted {
                        (self.shared.context.log_sink)(LogRecord {
                            plugin: self.shared.name.clone(),
                            instance: self.id,
                            level: log.level,
                            message: line(bytes, log.cut_bytes),
                            dropped_lines,
                        });
                    }
                }
            }
        }
        Ok(None)
    }

    /// Sends what is in the buffer. A worker that does not read is ended by the deadline.
    async fn flush(&mut self) -> Result<(), Stop> {
        let mut sent = 0;
        while let Some(rest) = self.out.get(sent..).filter(|rest| !rest.is_empty()) {
            match casemate_sys::descriptors::send_nosignal(self.socket.get_ref().as_fd(), rest) {
                Ok(bytes) => sent += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.wait_to_send().await?;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Stop::Gone),
            }
        }
        self.out.clear();
        if self.out.capacity() > 256 << 10 {
            self.out = Vec::new();
        }
        Ok(())
    }

    /// Waits until the worker may have room, and reads meanwhile: one that writes its log before it reads on would
    /// otherwise wait for us as we wait for it.
    async fn wait_to_send(&mut self) -> Result<(), Stop> {
        if self.pending.is_some() {
            return self.socket.has_room().await.or(Err(Stop::Gone));
        }
        let mut ready = tokio::select! {
            room = self.socket.has_room() => return room.or(Err(Stop::Gone)),
            ready = self.socket.readable() => ready.or(Err(Stop::Gone))?,
        };
        match rustix::io::read(&**ready.get_inner(), self.decoder.spare()) {
            Ok(0) => return Err(Stop::Gone),
            Ok(bytes) => self.decoder.filled(bytes),
            Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Err(Stop::Gone),
        }
        drop(ready);
        self.pending = self.take_frame()?;
        tokio::task::consume_budget().await;
        Ok(())
    }
}

/// Whether a call's body is within the limit.
pub(crate) fn admit_input(policy: &Policy, body: &[u8]) -> Result<(), Failure> {
    let configured = u64::from(policy.limits().input_bytes);
    let observed = u64::try_from(body.len()).unwrap_or(u64::MAX);
    if observed > configured {
        let limit = LimitName::Input;
        return Err(Failure::not_started(Cause::Limit { limit, configured, observed }));
    }
    Ok(())
}
