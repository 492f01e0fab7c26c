//! One worker, and one call from its start to its outcome.
//!
//! The link's machine is `casemate_protocol::link`; here its bytes are moved, its host calls answered and its end
//! explained. On this socket the supervisor only reads and sends, so no descriptor can be pushed at it.

use crate::context::Context;
use crate::host::{HostError, HostReply, HostRequest};
use crate::log::{LogRecord, Volume, line};
use crate::process::control::broken;
use crate::process::guard::{Deadline, Fate, Process};
use crate::process::registered::Registered;
use crate::tree::cause_of;
use crate::zygote::{Forked, Zygote, took_too_long};
use casemate_protocol::frame::Decoder;
use casemate_protocol::ids::{InstanceId, PluginName};
use casemate_protocol::link::{
    Call, CallResult, HostCall, HostStatus, LinkViolation, Setup, Status, SupervisorLink, Up, UpBounds,
};
use casemate_protocol::outcome::{Cause, Exit, Failure, LimitName, Retry, TrapKind, escape};
use casemate_protocol::policy::{Policy, millis};
use casemate_protocol::spawn::Role;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the end of a worker that broke its link is waited for, to say how it ended.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// Reads from a link between two calls, of a few kilobytes each. A worker has nothing to say then.
const IDLE_READS_MAX: u32 = 16;
/// Lines of a backtrace, and bytes of one.
const BACKTRACE_LINES_MAX: usize = 64;
const LINE_BYTES_MAX: usize = 512;
/// Bytes of a guest's own words in an outcome.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// Level of our own lines in a plugin's log.
const LEVEL_WARN: u32 = 3;

/// A guest's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 0 raw bytes, 1 JSON.
    pub content_type: u32,
    /// The answer: hostile bytes.
    pub body: Vec<u8>,
}

/// What an instance needs of its plugin.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) context: Arc<Context>,
    pub(crate) name: PluginName,
    pub(crate) policy: Policy,
    pub(crate) config: Option<Vec<u8>>,
}

/// A worker that waits for calls. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Instance {
    shared: Arc<Shared>,
    id: InstanceId,
    process: Process,
    socket: Registered,
    decoder: Decoder<UpBounds>,
    link: SupervisorLink,
    out: Vec<u8>,
    log: Volume,
    /// What came while something was being sent.
    pending: Option<Event>,
    /// Whether the guest has been set up: an end during that is one before the call.
    set_up: bool,
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
        let limits = shared.policy.limits();
        let bounds =
            UpBounds { output_bytes_max: limits.output_bytes, host_call_bytes_max: limits.output_bytes };
        let mut instance = Self {
            shared: Arc::clone(shared),
            id: InstanceId(context.next_instance()),
            process: forked.process,
            socket: Registered::new(forked.link).map_err(|error| broken("joining the runtime", error))?,
            decoder: Decoder::new(bounds),
            link: SupervisorLink::new(),
            out: Vec::new(),
            log: Volume::new(limits.log_bytes_per_second, Instant::now()),
            pending: None,
            set_up: false,
        };
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
        zygote.judge(&instance.process)?;
        instance.process.rest();
        context.point("instance", "inspected");
        Ok(instance)
    }

    /// Whether it can be given a call: alive, and silent since its last answer.
    pub(crate) fn is_fit(&mut self) -> bool {
        let waits = self.link.wants_setup() || self.link.is_idle();
        let fate = self.process.fate();
        if let Some(used) = fate.restless {
            tracing::warn!(
                plugin = %self.shared.name,
                instance = self.id.0,
                "an idle worker was ended: it used {} ms of CPU time without a call", used.as_millis()
            );
        }
        waits && fate == Fate::default() && self.is_quiet()
    }

    /// Takes what came since the last call; anything but a few log lines makes it unfit.
    fn is_quiet(&mut self) -> bool {
        for _ in 0..IDLE_READS_MAX {
            match self.take_frame() {
                Ok(Some(_)) | Err(_) => return false,
                Ok(None) => {}
            }
            match rustix::io::read(self.socket.get_ref(), self.decoder.spare()) {
                Ok(0) => return false,
                Ok(bytes) => self.decoder.filled(bytes),
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        false
    }

    /// Makes one call. `Ok((reply, reusable))`; after an error the instance must be dropped.
    ///
    /// Cancel safety: dropping the future leaves the instance in the middle of a call; drop it, which kills the worker.
    pub(crate) async fn call(
        &mut self,
        method: &str,
        content_type: u32,
        body: &[u8],
    ) -> (Result<Reply, Failure>, bool) {
        let limits = self.shared.policy.limits();
        let deadline = self.process.arm(limits.call_timeout, limits.grace);
        let first = !std::mem::replace(&mut self.set_up, true);
        if let Err(failure) = self.begin(method, content_type, body) {
            return (Err(failure), false);
        }
        let end = self.converse(&deadline).await;
        self.say_what_was_dropped();
        match end {
            Ok((result, status, body)) => {
                let elapsed = deadline.disarm();
                // Signalled at the last moment: it answered in time, but nothing more is expected of it.
                let reusable = !self.process.fate().interrupted;
                self.outcome(result, status, body, elapsed, reusable)
            }
            Err(stop) => {
                // It is over: what ends the worker from here on is no deadline.
                let elapsed = deadline.disarm();
                let cause = self.explain(stop, Some(elapsed)).await;
                // Without the result one cannot know whether it was still being set up.
                let retry = if first && matches!(cause, Cause::Spawn { .. }) {
                    Retry::NotStarted
                } else {
                    Retry::MaybeRan
                };
                (Err(Failure { cause, retry }), false)
            }
        }
    }

    /// Nothing is dropped in silence, also when no later line passes.
    fn say_what_was_dropped(&mut self) {
        let dropped_lines = self.log.take_dropped();
        if dropped_lines > 0 {
            let rate = self.shared.policy.limits().log_bytes_per_second;
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
    fn begin(&mut self, method: &str, content_type: u32, body: &[u8]) -> Result<(), Failure> {
        let ours =
            |error: &dyn std::fmt::Display| Failure::not_started(Cause::Input { message: error.to_string() });
        if self.link.wants_setup() {
            let mut seed = vec![0; 32];
            getrandom::fill(&mut seed).map_err(|error| ours(&error))?;
            let config = self.shared.config.as_deref();
            let setup = Setup { seed, has_config: config.is_some() };
            self.link
                .setup(&mut self.out, &setup, config.unwrap_or_default())
                .map_err(|error| ours(&error))?;
        }
        let call = Call { method: method.to_owned(), content_type };
        self.link.call(&mut self.out, &call, body).map_err(|error| ours(&error))
    }

    /// From the call to its result, answering what the guest asks on the way.
    async fn converse(&mut self, deadline: &Deadline) -> Result<(CallResult, Status, Vec<u8>), Stop> {
        self.flush().await?;
        self.shared.context.point("instance", "call sent");
        loop {
            match self.next_event().await? {
                Event::Result(result, status, body) => return Ok((result, status, body)),
                Event::HostCall(call, body) => {
                    let (status, reply) = self.answer(call, body, deadline).await;
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

    /// Permission first, then the handler; at the deadline the guest gets its call back cancelled.
    async fn answer(&self, call: HostCall, body: Vec<u8>, _deadline: &Deadline) -> (HostStatus, HostReply) {
        if !self.shared.policy.allows_host(&call.method) {
            let message = format!(
                "host method {:?} is not granted: add it to permissions.host of the plugin's policy",
                escape(&call.method, 200)
            );
            return (HostStatus::Error, HostError::new("denied", message).reply());
        }
        let request = HostRequest {
            plugin: self.shared.name.clone(),
            instance: self.id,
            method: call.method,
            content_type: call.content_type,
            body,
        };
        let answer = self.shared.context.host.answer(request);
        let over = self.process.until(|fate| fate.interrupted);
        tokio::select! {
            biased;
            _ = over => {
                let error = HostError::new("cancelled", "the call is over its deadline");
                (HostStatus::Cancelled, error.reply())
            }
            answer = answer => match answer {
                Ok(reply) if within(&reply, self.shared.policy.limits().output_bytes) => (HostStatus::Ok, reply),
                Ok(reply) => {
                    let message = format!(
                        "the host's answer has {} bytes; limits.output is {}",
                        reply.body.len(),
                        self.shared.policy.limits().output_bytes
                    );
                    (HostStatus::Error, HostError::new("too_large", message).reply())
                }
                Err(error) => (HostStatus::Error, error.reply()),
            },
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
            let mut ready = self.socket.readable().await.or(Err(Stop::Gone))?;
            let spare = self.decoder.spare();
            match ready.try_io(|socket| Ok(rustix::io::read(socket.get_ref(), spare)?)) {
                Ok(Ok(0)) => return Err(Stop::Gone),
                Ok(Ok(bytes)) => {
                    self.decoder.filled(bytes);
                    // A flood of log lines must not keep this thread of the host's runtime from its other tasks.
                    tokio::task::consume_budget().await;
                }
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(Err(_)) => return Err(Stop::Gone),
                Err(_would_block) => {}
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

    /// Why a link ended: what the kernel says of the process comes before what its bytes say.
    async fn explain(&mut self, stop: Stop, elapsed: Option<Duration>) -> Cause {
        // A worker whose socket is gone is mostly gone itself, or about to be; one that lied is not.
        if matches!(stop, Stop::Violation(_)) {
            self.process.kill();
        }
        let mut fate = match tokio::time::timeout(END_PATIENCE, self.process.ended()).await {
            Ok(fate) => fate,
            Err(_elapsed) => self.process.fate(),
        };
        self.process.kill();
        if fate.exit.is_none() {
            fate.exit = Some(Exit::Unknown);
        }
        let limits = self.shared.policy.limits();
        if let Some(cause) = cause_of(&fate) {
            return cause;
        }
        if let (true, Some(elapsed)) = (fate.overdue, elapsed) {
            return Cause::HardTimeout {
                limit_ms: millis(limits.call_timeout),
                grace_ms: millis(limits.grace),
                observed_ms: millis(elapsed),
            };
        }
        match stop {
            Stop::Violation(violation) => Cause::Link { message: violation.to_string() },
            Stop::Gone => Cause::WorkerLost { exit: fate.exit.unwrap_or(Exit::Unknown) },
        }
    }

    /// What a result means for the caller, and whether the instance may be used again.
    fn outcome(
        &self,
        result: CallResult,
        status: Status,
        body: Vec<u8>,
        elapsed: Duration,
        reusable: bool,
    ) -> (Result<Reply, Failure>, bool) {
        let message = escape(&result.message, MESSAGE_BYTES_MAX);
        let cause = match status {
            Status::Ok => return (Ok(Reply { content_type: result.content_type, body }), reusable),
            Status::GuestError => {
                return (Err(Failure::done(guest_error(result.content_type, &body))), reusable);
            }
            Status::Interrupted => Cause::SoftTimeout {
                limit_ms: millis(self.shared.policy.limits().call_timeout),
                observed_ms: millis(elapsed),
            },
            Status::Trap => Cause::Trap {
                kind: TrapKind::from_number(result.trap),
                message,
                backtrace: escape_lines(&result.backtrace),
            },
            Status::Limit => match LimitName::from_number(result.limit) {
                Some(limit) => Cause::Limit {
                    limit,
                    configured: result.limit_configured,
                    observed: result.limit_observed,
                },
                None => Cause::Abi { message },
            },
            Status::Abi => Cause::Abi { message },
            Status::None => Cause::Link { message: "a result without a status".to_owned() },
        };
        let retry = if result.in_setup { Retry::NotStarted } else { Retry::MaybeRan };
        (Err(Failure { cause, retry }), false)
    }
}

/// One line a frame, each escaped for itself.
fn escape_lines(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().take(BACKTRACE_LINES_MAX).map(|line| escape(line, LINE_BYTES_MAX)).collect();
    lines.join("\n")
}

fn within(reply: &HostReply, bytes_max: u32) -> bool {
    u32::try_from(reply.body.len()).is_ok_and(|bytes| bytes <= bytes_max)
}

/// `{"code","message","retryable"}` as guests send it; anything else becomes the message.
fn guest_error(content_type: u32, body: &[u8]) -> Cause {
    let json: Option<serde_json::Value> = match content_type {
        1 => serde_json::from_slice(body).ok(),
        _ => None,
    };
    let text = |key: &str| json.as_ref()?.get(key)?.as_str().map(|text| escape(text, MESSAGE_BYTES_MAX));
    let whole = || escape(&String::from_utf8_lossy(body), MESSAGE_BYTES_MAX);
    Cause::GuestError {
        code: text("code").unwrap_or_else(|| "unknown".to_owned()),
        message: text("message").unwrap_or_else(whole),
        retryable: json.as_ref().and_then(|json| json.get("retryable")?.as_bool()).unwrap_or(false),
    }
}
