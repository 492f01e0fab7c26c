//! The zygote of one plugin: loaded, proven, and forked whenever an instance is wanted.

mod program;

use crate::cgroup::Group;
use crate::context::Context;
use crate::external::External;
use crate::inspect::{
    LoadedCode, judge_locked, judge_locked_launcher, judge_unwalled_launcher, judge_worker,
};
use crate::instance::Shared;
use crate::outside::Outside;
use crate::process::control::broken;
use crate::process::guard::{Fate, Kind, Process, Subject};
use crate::process::stub::off_the_standard_descriptors;
use crate::tree::{Tree, cause_of, is_child_of};
use casemate_protocol::certificate::{Certificate, Layer, LayerSet, Profile, Status};
use casemate_protocol::module::{Accepted, Wants};
use casemate_protocol::outcome::{Cause, Exit, Failure};
use casemate_protocol::policy::{Limits, Policy, Sandbox, Snapshot, Storage};
use casemate_protocol::spawn::{LoadSpec, Report, Role, SpawnLimits, SpawnSpec, StubSpec, ZYGOTE_OPEN_FILES};
use program::{NOT_OF_PROGRAMS, PROGRAM_THREADS, outside_of};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Data of a zygote besides guest memory and buffers: the engine, tables, stacks of the heap.
const ZYGOTE_DATA_BYTES: u64 = 64 << 20;
/// Data of a worker above what its zygote has and what its guest may grow: room for the allocator's rounding.
const WORKER_DATA_BYTES: u64 = 8 << 20;
/// Copies of a body that a worker holds at once: frame, request, reply, frame.
const BODY_COPIES: u64 = 4;
/// Processes of one zygote besides its instances: itself, canaries, and killed ones that are not gone yet.
const OTHER_PROCESSES: u64 = 16;
/// How long the end of a zygote that broke a rule is waited for, to say how it ended.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// How often, and how far apart, room is looked for in a full group.
const ROOM_ATTEMPTS: u32 = 1000;
const ROOM_PAUSE: Duration = Duration::from_millis(1);
/// Files that a program may have open, its folders among them.
const WASI_OPEN_FILES: u32 = 1024;
/// Data of a worker with WASI above that of another: streams, tables of what is open, and pieces of files.
const WASI_DATA_BYTES: u64 = 16 << 20;
/// What one file may have: any length without walls or in a folder that is granted for writing, and no more than all of them together may in
/// the plugin's own.
fn file_bytes(policy: &Policy) -> u64 {
    if policy.sandbox() == Sandbox::None {
        return u64::MAX;
    }
    if policy.filesystem().iter().any(|folder| folder.write) {
        return u64::MAX;
    }
    match policy.storage() {
        Storage::Vfs => policy.limits().store_bytes,
        Storage::None => 0,
    }
}

/// The step, in a failure.
const FORKING: &str = "forking a worker";
/// Stack besides the guest's: ours, and the kernel's signal frames.
const OWN_STACK_BYTES: u64 = 1 << 20;

/// A loaded and proven zygote. Dropping it ends it and every instance.
#[derive(Debug)]
pub(crate) struct Zygote {
    context: Arc<Context>,
    /// What it was started with.
    policy: Arc<Policy>,
    /// One order at a time on its control socket.
    orders: Mutex<Orders>,
    tree: Tree,
    /// What the kernel holds a worker to.
    given: SpawnLimits,
    executable: Option<Vec<Range<u64>>>,
    listener: bool,
    certificate: Certificate,
    is_command: bool,
    wants: Wants,
}

/// What is known of the control socket between two orders.
#[derive(Debug, Default)]
struct Orders {
    /// A fork was ordered whose report nobody has taken, because the caller gave up in between.
    report_due: bool,
}

/// A forked process that has not been looked at.
#[derive(Debug)]
pub(crate) struct Forked {
    pub(crate) process: Process,
    pub(crate) link: Arc<OwnedFd>,
}

/// What a zygote is to run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Code<'a> {
    /// A module, and what it was compiled to.
    Module(&'a Accepted, &'a OwnedFd),
    /// A native program.
    Program(&'a External),
}

impl Code<'_> {
    fn profile(self) -> Profile {
        match self {
            Self::Module(module, _) => module.profile(),
            Self::Program(_) => Profile::External,
        }
    }

    /// The module, of a worker.
    fn module(self) -> Option<Accepted> {
        match self {
            Self::Module(module, _) => Some(module.clone()),
            Self::Program(_) => None,
        }
    }
}

impl Zygote {
    /// Brings a plugin's code behind the walls and proves them, within the spawn's timeout.
    pub(crate) async fn start(shared: &Shared, code: Code<'_>) -> Result<Self, Failure> {
        let context = &shared.context;
        match tokio::time::timeout(context.spawn_timeout, Self::try_start(shared, code)).await {
            Ok(zygote) => zygote,
            Err(_elapsed) => Err(took_too_long(context)),
        }
    }

    async fn try_start(shared: &Shared, code: Code<'_>) -> Result<Self, Failure> {
        let (context, policy) = (&shared.context, &shared.policy());
        let (profile, module) = (code.profile(), code.module());
        let module = module.as_ref();
        if module.is_some() && policy.sandbox() == Sandbox::None {
            let message = "sandbox: \"none\" is for native programs, and this is a module, which never runs without its walls: leave \
                           it out"
                .to_owned();
            return Err(Failure::not_started(Cause::Configuration { message }));
        }
        let native = match code {
            Code::Program(program) => Some(program.native(policy, shared.store.as_deref())?),
            Code::Module(..) => None,
        };
        let outside = match profile {
            Profile::Wasi => Some(Outside::open(&shared.name, policy, shared.store.as_deref())?),
            _ => None,
        };
        let cgroup = context.groups.make(policy, processes_of_one(profile))?;
        let program = context.worker_of(profile);
        let raised = Tree::raise(
            context,
            program,
            "worker",
            stub_spec(policy, profile, module),
            cgroup.clone(),
            native.as_ref(),
        )
        .await;
        let mut tree =
            raised.map_err(|failure| match cgroup.as_deref().and_then(|cgroup| cgroup.out_of_memory(0)) {
                Some(cause) => Failure::not_started(cause),
                None => failure,
            })?;
        if let Some(outside) = &outside {
            outside.give_to(tree.spec.identity)?;
        }
        let order = load_spec(policy, profile, module, outside.as_ref());
        let mut descriptors: Vec<_> = match code {
            Code::Module(_, code) => vec![code.as_fd()],
            Code::Program(_) => Vec::new(),
        };
        descriptors.extend(outside.iter().flat_map(Outside::descriptors));
        tree.control.send("ordering the zygote", &order, &descriptors).await?;
        tree.folders = order.wasi.map_or(0, |order| order.folders);
        drop(outside);
        context.point("zygote", "module sent");
        let mut zygote = Self {
            context: Arc::clone(context),
            policy: Arc::clone(policy),
            orders: Mutex::default(),
            tree,
            given: SpawnLimits::default(),
            executable: None,
            listener: false,
            certificate: Certificate::new(profile),
            is_command: module.is_some_and(|module| module.dialect().is_command()),
            wants: module.map(Accepted::wants).unwrap_or_default(),
        };
        if let Err(failure) = zygote.become_proven(policy).await {
            return Err(zygote.explain(failure, 0).await);
        }
        context.point("zygote", "proven");
        zygote.demand(policy.require())?;
        Ok(zygote)
    }

    /// What it was started with, and its instances are held to.
    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// What its module wants besides calls.
    pub(crate) fn wants(&self) -> Wants {
        self.wants
    }

    /// Whether its instances are programs, each of which runs once.
    pub(crate) fn is_command(&self) -> bool {
        self.is_command
    }

    /// What stands around its instances.
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// How its head is.
    pub(crate) fn fate(&self) -> Fate {
        self.tree.head.fate()
    }

    /// Ends it, whoever still holds it.
    pub(crate) fn kill(&self) {
        self.tree.head.kill();
    }

    /// Its end, without a hold on it.
    pub(crate) fn ending(&self) -> impl Future<Output = Fate> + Send + use<> {
        self.tree.head.ending()
    }

    async fn become_proven(&mut self, policy: &Policy) -> Result<(), Failure> {
        self.take_listener().await?;
        let code = self.take_sealed().await?;
        self.take_loaded(&code, policy).await?;
        self.prove().await
    }

    /// Why it does not do as it is told: what the kernel says of it comes before what the socket says. `killed_before`:
    /// how many of its group had been killed for want of memory before.
    async fn explain(&self, failure: Failure, killed_before: u64) -> Failure {
        let head = &self.tree.head;
        head.kill();
        let fate = match tokio::time::timeout(END_PATIENCE, head.ended()).await {
            Ok(fate) => fate,
            Err(_elapsed) => head.fate(),
        };
        let cause = cause_of(&fate).or_else(|| self.cgroup()?.out_of_memory(killed_before));
        cause.map_or(failure, Failure::not_started)
    }

    async fn take_listener(&mut self) -> Result<(), Failure> {
        let step = "waiting for filter A";
        let (report, fds) = self.tree.control.receive(step, |count| count <= 1).await?;
        let Report::Listener(report) = report else {
            return Err(broken(step, "it sent something else than it must"));
        };
        if report.listener != (fds.len() == 1) {
            return Err(broken(step, "its listener did not come with its report"));
        }
        self.listener = report.listener;
        if self.listener && self.is_unwalled() {
            return Err(broken(step, "it sent something else than it must"));
        }
        if !self.listener && self.is_native() && !self.is_unwalled() {
            let missing = LayerSet::named(Layer::ViolationReports.name()).unwrap_or_default();
            let reasons = "a native program is started through the listener of its filter, and there can be none: the host \
                           has one of its own, or this kernel has none"
                .to_owned();
            return Err(Failure::not_started(Cause::LayersMissing { missing, reasons }));
        }
        for listener in fds {
            let (guard, head) = (&self.context.guard, &self.tree.head);
            let listening = if self.is_native() {
                guard.listen_to_programs(listener, head)
            } else {
                guard.listen_while_loading(listener, head)
            };
            listening.map_err(|error| broken(step, error))?;
        }
        self.context.point("zygote", "listener received");
        self.tree.reported = self.tree.reported.union(LayerSet::from_bits(report.layers));
        self.tree.explain(&report.why_not);
        Ok(())
    }

    /// The module is in memory: what the filter let through for that, it does no more.
    async fn take_sealed(&mut self) -> Result<Range<u64>, Failure> {
        let step = "waiting for the module's code to be sealed";
        let (report, _) = self.tree.control.receive(step, |count| count == 0).await?;
        let Report::Sealed(report) = report else {
            return Err(broken(step, "it sent something else than it must"));
        };
        self.tree.head.loaded();
        self.context.point("zygote", "sealed");
        self.tree.reported = self.tree.reported.union(LayerSet::from_bits(report.layers));
        self.tree.explain(&report.why_not);
        Ok(report.code_start..report.code_end)
    }

    async fn take_loaded(&mut self, code: &Range<u64>, policy: &Policy) -> Result<(), Failure> {
        let limits = policy.limits();
        let step = "waiting for the module to be loaded";
        let (report, _) = self.tree.control.receive(step, |count| count == 0).await?;
        let Report::Loaded(loaded) = report else {
            return Err(broken(step, "it sent something else than it must"));
        };
        self.context.point("zygote", "loaded");
        let sealed = self.tree.reported.contains(Layer::SealedCode);
        let pidfd = self.tree.head.pidfd().map_err(|error| broken(step, error))?;
        let processes_max = processes_max(policy, self.certificate.profile);
        let before = self.tree.executable.as_deref();
        let code = LoadedCode { range: code, sealed, before, processes_max };
        let view = if self.is_unwalled() {
            self.tree
                .look(&pidfd, |view, expect| judge_unwalled_launcher(view, expect, Some(processes_max)))?
        } else if self.is_native() {
            self.tree.look(&pidfd, |view, expect| judge_locked_launcher(view, expect, processes_max))?
        } else {
            self.tree.look(&pidfd, |view, expect| judge_locked(view, expect, code))?
        };
        let observed = std::mem::take(&mut self.tree.observed);
        self.tree.observed = observed.and(view.observed);
        self.executable = view.executable;
        let data = self.tree.look(&pidfd, |view, _| view.data_bytes())?;
        // What the guest has already is in what its zygote has; what it may still grow comes on top.
        let growth = limits.memory_bytes.saturating_sub(loaded.memory_bytes);
        let more = growth + WORKER_DATA_BYTES + bodies(limits) + own_stack(limits, self.certificate.profile);
        self.given = SpawnLimits {
            // A program begins with nothing of its zygote's.
            data_bytes: if self.is_native() { limits.memory_bytes + WORKER_DATA_BYTES } else { data + more },
            // Where our own clock does not run: up to a second of rounding, and one more.
            cpu_seconds: limits.cpu_total.map(|total| total.as_secs() + 2),
            open_files: match self.certificate.profile {
                Profile::Wasi | Profile::External => WASI_OPEN_FILES,
                _ => 0,
            },
        };
        Ok(())
    }

    /// Filters cannot be seen from outside, so they are tried: by one process that makes a call that no list allows, and
    /// one that makes a call that only a zygote may.
    async fn prove(&mut self) -> Result<(), Failure> {
        if self.is_unwalled() {
            self.certify_unwalled();
            return Ok(());
        }
        let disagrees = |message: &str| self.context.leniency.finds(message.to_owned());
        self.context.point("zygote", "canary ordered");
        let outside = self.fork(Role::CanaryOutside).await?;
        self.context.point("zygote", "canary reported");
        let fate = outside.process.until(|fate| fate.violation.is_some()).await;
        let caught = match (&fate.violation, fate.exit) {
            // The very call that it was to make, reported by the kernel; it waits there.
            (Some(report), None) => {
                self.listener
                    && i64::from(report.number) == outside_of(self.certificate.profile)
                    && report.args == [0; 6]
            }
            (None, Some(exit)) => !self.listener && was_killed(exit, &outside.link),
            _ => false,
        };
        if !caught {
            disagrees("filter A let a call through that no list allows")?;
        }
        let observed = if self.listener && caught {
            // It waits in the notification: a worker on which one can look at leisure.
            Some(self.judge(&outside.process)?)
        } else {
            None
        };
        drop(outside);
        self.context.point("zygote", "canary caught");

        let delta = self.fork(Role::CanaryDelta).await?;
        let fate = delta.process.ended().await;
        if fate.violation.is_some() || !fate.exit.is_some_and(|exit| was_killed(exit, &delta.link)) {
            disagrees("filter B let a call through that only a zygote may make")?;
        }
        self.certify(observed);
        Ok(())
    }

    fn certify(&mut self, worker: Option<crate::inspect::Observed>) {
        let profile = self.certificate.profile;
        let mut certificate = Certificate::new(profile);
        for line in &self.tree.why_not {
            if let Some((name, why)) = line.split_once(": ")
                && let Ok(layers) = LayerSet::named(name)
            {
                layers.iter().for_each(|layer| certificate.off(layer, why));
            }
        }
        for layer in self.tree.reported.iter() {
            certificate.set(layer, Status::Reported);
        }
        self.tree.observed.enter(&mut certificate, self.tree.reported);
        if let Some(worker) = worker {
            worker.enter(&mut certificate, self.tree.reported);
        }
        // What the canaries have proven.
        certificate.set(Layer::Seccomp, Status::Observed);
        if self.listener {
            certificate.set(Layer::ViolationReports, Status::Observed);
        }
        if self.is_native() {
            for (layer, why) in NOT_OF_PROGRAMS {
                certificate.off(*layer, *why);
            }
            self.certificate = certificate;
            return;
        }
        match self.context.worker_of(profile).unsealed_because() {
            None => certificate.set(Layer::SealedProgram, Status::Observed),
            Some(why) => certificate.off(Layer::SealedProgram, why),
        }
        self.certificate = certificate;
    }

    fn demand(&self, require: LayerSet) -> Result<(), Failure> {
        let missing = self.certificate.missing(require);
        if missing.is_empty() {
            return Ok(());
        }
        let reasons: Vec<String> = missing
            .iter()
            .map(|layer| format!("{layer}: {}", self.certificate.reason(layer).unwrap_or("not there")))
            .collect();
        let findings = crate::doctor::doctor();
        let mut reasons = reasons.join("; ");
        for remedy in crate::doctor::remedies(&findings, missing) {
            reasons.push_str("; what helps: ");
            reasons.push_str(remedy);
        }
        Err(Failure::not_started(Cause::LayersMissing { missing, reasons }))
    }

    /// Forks one process.
    pub(crate) async fn fork(&self, role: Role) -> Result<Forked, Failure> {
        let step = FORKING;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(|error| broken(step, error))?;
        let link = Arc::new(off_the_standard_descriptors(ours).map_err(|error| broken(step, error))?);
        rustix::io::ioctl_fionbio(&link, true).map_err(|error| broken(step, error))?;
        let order = SpawnSpec { role, limits: self.given };
        let mut orders = self.orders.lock().await;
        self.await_room().await;
        let killed_before = self.cgroup().map_or(0, |cgroup| cgroup.killed_for_memory());
        let pidfd =
            match tokio::time::timeout(self.context.spawn_timeout, self.order(&mut orders, &order, theirs))
                .await
            {
                Ok(Ok(pidfd)) => pidfd,
                // A zygote that does not do as it is told is of no use any more; the next call gets a new one.
                Ok(Err(failure)) => return Err(self.explain(failure, killed_before).await),
                Err(_elapsed) => return Err(self.explain(took_too_long(&self.context), killed_before).await),
            };
        drop(orders);
        if role == Role::Worker {
            self.context.point("instance", "reported");
        }
        let kind = Kind::Below { tree: self.tree.head.tree(), canary: role != Role::Worker };
        let subject = Subject { pidfd, child: None, link: Some(Arc::clone(&link)), kind };
        let process = self.context.guard.watch(subject).map_err(|error| broken(step, error))?;
        Ok(Forked { process, link })
    }

    /// One order and its report. Callers may give up at any await; whose report comes next must never be in doubt, or a
    /// deadline would end somebody else's worker.
    async fn order(&self, orders: &mut Orders, order: &SpawnSpec, link: OwnedFd) -> Result<OwnedFd, Failure> {
        if orders.report_due {
            let forgotten = self.spawned().await?;
            orders.report_due = false;
            let _ = casemate_sys::process::kill(forgotten.as_fd());
        }
        self.tree.control.send(FORKING, order, &[link.as_fd()]).await?;
        orders.report_due = true;
        drop(link);
        if order.role == Role::Worker {
            self.context.point("instance", "ordered");
        }
        let pidfd = self.spawned().await?;
        orders.report_due = false;
        Ok(pidfd)
    }

    async fn spawned(&self) -> Result<OwnedFd, Failure> {
        let (report, fds) = self.tree.control.receive(FORKING, |count| count == 1).await?;
        match (report, fds.into_iter().next()) {
            (Report::Spawned(_), Some(pidfd)) => {
                is_child_of(&pidfd, self.tree.head.pid()).map_err(|error| broken(FORKING, error))?;
                Ok(pidfd)
            }
            _ => Err(broken(FORKING, "the zygote sent something else than it must")),
        }
    }

    /// Looks at a worker from outside, before it gets a byte of input.
    pub(crate) fn judge(&self, process: &Process) -> Result<crate::inspect::Observed, Failure> {
        let pidfd = process.pidfd().map_err(|error| broken("looking at a worker", error))?;
        let executable = self.executable.as_deref();
        self.tree.look(&pidfd, |view, expect| judge_worker(view, expect, self.given, executable))
    }

    /// The control group around it and its workers, if its policy asks for one.
    pub(crate) fn cgroup(&self) -> Option<&Arc<Group>> {
        self.tree.cgroup.as_ref()
    }

    /// Killed processes count in a group until they are gone; a fork that finds no room would cost the zygote.
    async fn await_room(&self) {
        for _ in 0..ROOM_ATTEMPTS {
            if !self.cgroup().is_some_and(|cgroup| cgroup.is_full()) {
                return;
            }
            tokio::time::sleep(ROOM_PAUSE).await;
        }
    }

    /// RLIMIT_DATA that its workers were given, in bytes.
    pub(crate) fn data_bytes(&self) -> u64 {
        self.given.data_bytes
    }
}

/// Whether a canary died of its call: the kernel says SIGSYS, or says nothing (before 6.15) and the canary, which writes
/// to its link if it outlives its call, has not.
fn was_killed(exit: Exit, link: &OwnedFd) -> bool {
    let is_silent = !matches!(rustix::io::read(link, &mut [0_u8; 1]), Ok(1..));
    is_silent && matches!(exit, Exit::SYS | Exit::Unknown)
}

/// A spawn ran into its timeout.
pub(crate) fn took_too_long(context: &Context) -> Failure {
    broken("waiting for the walls", format!("it took more than {} ms", context.spawn_timeout.as_millis()))
}

/// While instances are replaced there may be twice as many.
fn processes_max(policy: &Policy, profile: Profile) -> u64 {
    2 * u64::from(policy.instances().max) * processes_of_one(profile) + OTHER_PROCESSES
}

/// What an instance is: a process; or a native program with its threads, and its bridge.
fn processes_of_one(profile: Profile) -> u64 {
    match profile {
        Profile::External => 2 + PROGRAM_THREADS,
        _ => 1,
    }
}

fn bodies(limits: &Limits) -> u64 {
    BODY_COPIES * (u64::from(limits.input_bytes) + u64::from(limits.output_bytes))
}

/// With WASI a guest's stack is memory of ours, and each call of its host back into it has one of its own.
fn own_stack(limits: &Limits, profile: Profile) -> u64 {
    match profile {
        Profile::Wasi => WASI_DATA_BYTES + 2 * (limits.stack_bytes + OWN_STACK_BYTES),
        _ => 0,
    }
}

fn load_spec(
    policy: &Policy,
    profile: Profile,
    module: Option<&Accepted>,
    outside: Option<&Outside>,
) -> LoadSpec {
    let limits = policy.limits();
    LoadSpec {
        dialect: module.map_or(0, |module| module.dialect().number()),
        instantiate: policy.snapshot() == Snapshot::Instance
            && module.is_some_and(|module| !module.facts().sizes.has_start),
        memory_bytes: limits.memory_bytes,
        table_entries: limits.table_entries,
        stack_bytes: limits.stack_bytes,
        fuel: limits.fuel,
        input_bytes: limits.input_bytes,
        output_bytes: limits.output_bytes,
        processes_max: processes_max(policy, profile),
        wasi: outside.map(|outside| outside.order),
    }
}

fn stub_spec(policy: &Policy, profile: Profile, module: Option<&Accepted>) -> StubSpec {
    let limits = policy.limits();
    // A component's code is copied, where a module's is mapped.
    let copied = module.filter(|module| module.dialect().is_component());
    let copies = copied.map_or(0, |module| 2 * module.code().cwasm_bytes);
    StubSpec {
        identity: None,
        namespaces: true,
        stack_bytes: limits.stack_bytes + OWN_STACK_BYTES,
        data_bytes: limits.memory_bytes
            + ZYGOTE_DATA_BYTES
            + bodies(limits)
            + own_stack(limits, profile)
            + copies,
        cpu_seconds: None,
        // The kernel's own word for no limit. How much a folder may hold is for its file system to say.
        file_bytes: file_bytes(policy),
        open_files: match profile {
            Profile::Wasi | Profile::External => u64::from(WASI_OPEN_FILES),
            _ => ZYGOTE_OPEN_FILES,
        },
    }
}
