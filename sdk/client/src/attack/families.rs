//! The attacks in families: what is tried, the wall that must stop it, and whether it did.

use super::attacker::{Attacker, End};
use super::attempt::{Attempt, Must, words};
use super::degraded::{Host, Verdict};
use super::lies::{self, Lie, timed};
use super::numbers;
use super::routes::{self, Route};
use casemate_protocol::certificate::Profile;
use casemate_protocol::outcome::{Failure, SyscallReport};
use casemate_protocol::syscalls::{Arch, syscall_name};
use std::borrow::Cow;
use std::time::Duration;

/// Attempts of one kind.
#[derive(Debug, Clone)]
pub struct Family {
    /// What is tried, in a few words.
    pub name: &'static str,
    /// The wall that must stop it, in a few words.
    pub wall: &'static str,
    /// Orders.
    pub attempts: Vec<Attempt>,
    /// Workers that lie.
    pub lies: Vec<Lie>,
}

/// What came of a family.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Came {
    /// Attempts made.
    pub attempts: usize,
    /// Those that the kernel reported.
    pub reported: usize,
    /// The first report, and how many of its arguments the attempt gave.
    pub report: Option<(Box<SyscallReport>, usize)>,
    /// Where nothing was reported: how the first attempt ended, in words.
    pub ended: String,
    /// What did not end as it must.
    pub through: Vec<String>,
    /// What no wall stood against: the certificate says that this host does not have it.
    pub off: Vec<String>,
}

/// Where families are tried: attackers with much and with little time, and a module in whose place they stand.
#[derive(Debug)]
pub struct Grounds {
    module: Vec<u8>,
    patient: Attacker,
    hasty: Attacker,
}

/// RLIMIT_DATA of an attacker is its policy's memory and some 20 MiB for the worker's own; never this much. Pages far from
/// each other have two tables each beside them, which no limit counts.
const DATA_BYTES_MAX: u64 = 64 << 20;
const WITH_TABLES_BYTES_MAX: u64 = 3 * DATA_BYTES_MAX;

impl Grounds {
    /// Starts the attackers on the path of a plugin with this module.
    pub async fn open(module: &[u8]) -> Result<Self, Failure> {
        let patient = Attacker::start(module, timed(Duration::from_secs(30))?).await?;
        let hasty = Attacker::start(module, timed(Duration::from_millis(150))?).await?;
        Ok(Self { module: module.to_owned(), patient, hasty })
    }

    /// Makes every attempt of a family.
    pub async fn attempt(&self, family: &Family) -> Result<Came, Failure> {
        let mut came = Came::default();
        for attempt in &family.attempts {
            let attacker = if attempt.must == Must::Deadline { &self.hasty } else { &self.patient };
            let end = attacker.order(&attempt.order).await;
            came.enter(attempt, attacker, end);
        }
        for lie in &family.lies {
            let (host, failure) = lie.tell(&self.module).await?;
            host.shutdown().await;
            came.enter_lie(lie, failure.as_ref());
        }
        Ok(came)
    }

    /// Ends the attackers.
    pub async fn close(self) {
        self.patient.close().await;
        self.hasty.close().await;
    }
}

impl Came {
    fn enter(&mut self, attempt: &Attempt, attacker: &Attacker, end: End) {
        let said = || format!("{}: {}", attempt.order, words(&end));
        match Host::of(attacker).judges(attempt.must, &end, attacker.site()) {
            Verdict::Held => {}
            Verdict::Off => self.off.push(said()),
            Verdict::Through => self.through.push(said()),
        }
        self.attempts += 1;
        match end {
            End::Reported(report) => {
                self.reported += 1;
                let shown = match attempt.must {
                    Must::Report(_, args) => args.len(),
                    // `syscall NUMBER [ARGUMENT]...`
                    _ => attempt.order.split(' ').skip(2).count(),
                };
                self.report.get_or_insert((report, shown));
            }
            end if self.ended.is_empty() => self.ended = format!("{}: {}", attempt.order, words(&end)),
            _ => {}
        }
    }

    fn enter_lie(&mut self, lie: &Lie, failure: Option<&Failure>) {
        let said = failure.map_or_else(|| "taken for an answer".to_owned(), ToString::to_string);
        let said = format!("{}: {said}", lie.behaviour);
        self.attempts += 1;
        if !lie.is_found_out(failure) {
            self.through.push(said);
        } else if self.ended.is_empty() {
            self.ended = said;
        }
    }
}

/// What the descriptors' calls come to on one that is not there: EBADF.
const NO_DESCRIPTOR: i32 = 9;

/// Files on a worker's path that may open some: a matter of its folders and not of its list.
fn files(profile: Profile) -> Vec<Attempt> {
    let closed = |route: &&Route| !numbers::left(profile).any(|left| left == route.call);
    routed(&routes::FILES.iter().filter(closed).copied().collect::<Vec<_>>())
}

fn routed(routes: &[Route]) -> Vec<Attempt> {
    let attempt = |route: &Route| Attempt {
        order: Cow::Borrowed(route.order),
        must: Must::Report(route.call, route.args),
    };
    routes.iter().map(attempt).collect()
}

fn order(order: &'static str, must: Must) -> Attempt {
    Attempt { order: Cow::Borrowed(order), must }
}

/// Every family, in the order in which they are shown, for attackers in the place of such a worker.
pub fn families(profile: Profile) -> Vec<Family> {
    let family = |name, wall, attempts| Family { name, wall, attempts, lies: Vec::new() };
    let mut families = vec![
        family("every system call, by number", "two filters, default deny", by_number(profile)),
        family("the tables of other programs (x32)", "the filters, which know one table", x32(profile)),
        family("the 32-bit gate (int 0x80)", "the filters, which know one machine", gate()),
        family("executable memory, by every route", "argument rules, MDWE, sealed code", executable()),
        family("memory and page tables without end", "argument rules, RLIMIT_DATA", memory()),
        family("sockets of every kind", "the filters; no network behind them", routed(routes::NETWORK)),
        family("io_uring, bpf, ptrace, keys", "the filters", routed(routes::KERNEL)),
        family("memory and lives of siblings", "the filters; own process ids, Landlock", siblings()),
        family("threads, processes, programs", "the filters; RLIMIT_NPROC behind them", processes()),
        family("any descriptor but its link", "the filters; there is no other", descriptors(profile)),
        family("files, /proc, mounts", "the filters; an empty root behind them", files(profile)),
        family("user, signals, timers, devices", "the filters", routed(routes::OTHER)),
        family("forged signal frames", "the filters; a deadline from outside", frames()),
        Family {
            lies: lies::FOUND_OUT.to_vec(),
            ..family("a forged Ready, lies on the link", "inspection; the link's machine", Vec::new())
        },
        Family {
            lies: [lies::NO_ANSWER, lies::NEVER_READY].concat(),
            ..family("never answering, never ready", "deadlines on a thread of their own", silence())
        },
    ];
    families.retain(|family| !family.is_empty());
    families
}

impl Family {
    /// Nothing of the kind exists on this machine.
    fn is_empty(&self) -> bool {
        self.attempts.is_empty() && self.lies.is_empty()
    }
}

fn stopped(number: u32, args: &str) -> Attempt {
    let name =
        syscall_name(Arch::NATIVE, number).map_or_else(|| number.cast_signed().to_string(), str::to_owned);
    let order = format!("syscall {name} {args}");
    Attempt { order: Cow::Owned(order.trim_end().to_owned()), must: Must::Stop(number) }
}

fn by_number(profile: Profile) -> Vec<Attempt> {
    let is_closed = |number: &u32| !numbers::is_left(profile, *number);
    numbers::all().into_iter().filter(is_closed).map(|number| stopped(number, "")).collect()
}

fn x32(profile: Profile) -> Vec<Attempt> {
    numbers::x32(profile).into_iter().map(|number| stopped(number, "")).collect()
}

fn gate() -> Vec<Attempt> {
    let through = |number: &u32| Attempt { order: format!("int80 {number} 0 0 0").into(), must: Must::Gate };
    numbers::int80().iter().map(through).collect()
}

fn executable() -> Vec<Attempt> {
    let mut attempts = routed(routes::EXECUTABLE);
    attempts.extend(["run data", "patch text", "patch code"].map(|deed| order(deed, Must::Crash)));
    attempts.extend(routes::SEALED.iter().map(|(deed, error)| order(deed, Must::Refuse(*error))));
    attempts
}

fn memory() -> Vec<Attempt> {
    let ways = ["eat anonymous", "eat reserved", "eat heap", "eat moved", "eat module", "eat mappings"];
    let mut attempts = ways.map(|way| order(way, Must::Starve(DATA_BYTES_MAX))).to_vec();
    attempts.push(order("eat sparse", Must::Starve(WITH_TABLES_BYTES_MAX)));
    attempts.push(order("eat stack", Must::Crash));
    attempts
}

fn siblings() -> Vec<Attempt> {
    let mut attempts = routed(routes::SIBLINGS);
    // A descriptor for the supervisor, which only reads.
    let messages = ["sendmsg", "sendmmsg", "recvmsg"].into_iter().filter_map(numbers::of);
    attempts.extend(messages.map(|number| stopped(number, "0 @page 0x40")));
    attempts
}

fn processes() -> Vec<Attempt> {
    let mut attempts = routed(routes::PROCESSES);
    let others = ["fork", "vfork"].into_iter().filter_map(numbers::of);
    attempts.extend(others.map(|number| stopped(number, "")));
    // A thread, a process, and as the zygote may: the second filter ends these without a word.
    let forks = ["0x3d0f00 @page 0 0 0", "17 0 0 0 0", "0x1011 0 @page 0 0"];
    let clone = numbers::of("clone").into_iter();
    attempts.extend(clone.flat_map(|number| forks.map(|args| stopped(number, args))));
    attempts
}

fn descriptors(profile: Profile) -> Vec<Attempt> {
    let tried = |name: &str, number: u32, fd: u64| {
        let attempt = stopped(number, &fd.to_string());
        let must = if numbers::on_any_descriptor(profile, name) {
            Must::Refuse(NO_DESCRIPTOR)
        } else {
            attempt.must
        };
        Attempt { must, ..attempt }
    };
    let calls = numbers::ON_DESCRIPTORS.iter().filter_map(|name| Some((*name, numbers::of(name)?)));
    calls.flat_map(|(name, number)| numbers::descriptors().map(move |fd| tried(name, number, fd))).collect()
}

fn frames() -> Vec<Attempt> {
    if !cfg!(target_arch = "x86_64") {
        return Vec::new();
    }
    let mut attempts = routed(routes::MASKED);
    // With every signal blocked the soft deadline is not heard; the hard one is not asked for.
    attempts.push(order("masked spin", Must::Deadline));
    attempts
}

fn silence() -> Vec<Attempt> {
    vec![order("spin", Must::Deadline)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_fit_their_columns_and_have_something_to_try() {
        for family in Profile::OF_MODULES.into_iter().flat_map(families) {
            assert!(family.name.chars().count() <= 36 && family.wall.chars().count() <= 40, "{family:?}");
            assert!(!family.is_empty(), "{}", family.name);
        }
    }
}
