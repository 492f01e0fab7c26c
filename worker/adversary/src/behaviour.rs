//! What can go wrong behind the walls, by name.

use crate::liar::{self, Liar};
use crate::obey::{call, obey};
use casemate_lockdown::seccomp::list;
use casemate_lockdown::{Spawned, experiment};
use casemate_protocol::certificate::Profile;
use casemate_protocol::spawn::Role;
use casemate_sys::process::exit_now;
use casemate_worker::Guest;

/// What a hostile worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Nothing wrong at all: the control of every experiment.
    Obedient,
    /// Says Ready before it has taken the last wall, and never takes it.
    ReadyTooEarly,
    /// Says Ready in a version that does not exist.
    ForgedVersion,
    /// Sends a Result before it said Ready.
    EarlyResult,
    /// Sends bytes that are no frame.
    Garbage,
    /// Sends half a header and no more.
    HalfFrame,
    /// Announces a body of 4 GiB.
    HugeLength,
    /// Never says Ready.
    Silent,
    /// Says Ready twice.
    ReadyTwice,
    /// Answers a call that nobody made.
    OtherCall,
    /// Answers every call twice.
    AnswerTwice,
    /// Calls the host while no call runs.
    HostCallOutside,
    /// Takes a call and never answers.
    NeverAnswers,
    /// Takes a call and sends log lines for ever.
    LogFlood,
    /// Answers a call, and computes for ever with none.
    ComputesIdle,
    /// Answers a call, and sends log lines for ever with none.
    FloodsIdle,
    /// Takes a call and exits.
    Exit,
    /// Takes the input of each call for an order: see [`crate::order`].
    Obey,
    /// Opens a socket while its module is loaded, as a forged module could make it.
    LoadsASocket,
    /// Makes memory executable that was written to, while its module is loaded.
    LoadsCode,
    /// Nothing wrong, but this call is missing on its list.
    Without(&'static str),
}

const NAMED: &[(&str, Behaviour)] = &[
    ("obedient", Behaviour::Obedient),
    ("ready-too-early", Behaviour::ReadyTooEarly),
    ("forged-version", Behaviour::ForgedVersion),
    ("early-result", Behaviour::EarlyResult),
    ("garbage", Behaviour::Garbage),
    ("half-frame", Behaviour::HalfFrame),
    ("huge-length", Behaviour::HugeLength),
    ("silent", Behaviour::Silent),
    ("ready-twice", Behaviour::ReadyTwice),
    ("other-call", Behaviour::OtherCall),
    ("answer-twice", Behaviour::AnswerTwice),
    ("host-call-outside", Behaviour::HostCallOutside),
    ("never-answers", Behaviour::NeverAnswers),
    ("log-flood", Behaviour::LogFlood),
    ("computes-idle", Behaviour::ComputesIdle),
    ("floods-idle", Behaviour::FloodsIdle),
    ("exit", Behaviour::Exit),
    ("loads-a-socket", Behaviour::LoadsASocket),
    ("loads-code", Behaviour::LoadsCode),
    ("obey", Behaviour::Obey),
];

/// Whose list is made shorter.
const PROFILE: Profile = if cfg!(feature = "wasi") { Profile::Wasi } else { Profile::Core };

impl Behaviour {
    /// From a program name: `casemate-adversary:NAME`, `casemate-adversary:without-SYSCALL`, or
    /// `casemate-adversary:minus-WALL[,WALL]...`, which takes orders behind the walls that are left.
    pub fn named(program: &str) -> Option<Self> {
        let (_, name) = program.split_once(':')?;
        if let Some(mut left_out) = experiment::left_out(program) {
            return left_out.all(|wall| experiment::WALLS.contains(&wall)).then_some(Self::Obey);
        }
        if let Some(syscall) = name.strip_prefix("without-") {
            let listed = list::of_profile(PROFILE).iter().find(|listed| listed.name == syscall)?;
            return Some(Self::Without(listed.name));
        }
        NAMED.iter().find(|(known, _)| *known == name).map(|(_, behaviour)| *behaviour)
    }
}

/// Runs in a zygote's place while its module is loaded.
pub fn attack_while_loading() {
    let program = std::env::args().next().unwrap_or_default();
    match Behaviour::named(&program) {
        Some(Behaviour::LoadsASocket) => {
            call("socket", [1, 1, 0, 0, 0, 0]);
        }
        Some(Behaviour::LoadsCode) => {
            call("mmap", [0, 4096, 7, 0x22, u64::MAX, 0]);
        }
        _ => {}
    }
}

/// Runs in a worker's place.
pub fn attack(spawned: Spawned, guest: &mut Guest) -> ! {
    let program = std::env::args().next().unwrap_or_default();
    let Some(behaviour) = Behaviour::named(&program) else { exit_now(64) };
    match behaviour {
        Behaviour::Obedient => casemate_worker::serve(spawned, guest),
        Behaviour::Obey => match spawned.confine() {
            Ok(confined) => casemate_worker::serve_confined(confined, guest, obey),
            Err(_) => exit_now(65),
        },
        Behaviour::Without(syscall) => match spawned.confine_without(syscall) {
            Ok(confined) => casemate_worker::serve_confined(confined, guest, casemate_worker::answer),
            Err(_) => exit_now(65),
        },
        lie => attack_the_link(spawned, lie),
    }
}

fn attack_the_link(spawned: Spawned, behaviour: Behaviour) -> ! {
    // The canaries are left alone: the zygote must be proven before its worker can lie.
    if behaviour == Behaviour::ReadyTooEarly && spawned.order().role == Role::Worker {
        liar::ready_too_early(spawned.link(), spawned.order().limits.data_bytes);
        spin();
    }
    let Ok(confined) = spawned.confine() else { exit_now(65) };
    let mut liar = Liar::new(confined);
    match behaviour {
        Behaviour::ForgedVersion => liar.ready(99),
        Behaviour::EarlyResult => liar.result(1),
        Behaviour::Garbage => liar.raw(&[0xa5; 64]),
        Behaviour::HalfFrame => liar.raw(&[1, 0, 0]),
        Behaviour::HugeLength => liar.raw(&[0xff, 0xff, 0xff, 0xff, 0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        Behaviour::Silent => {}
        Behaviour::ReadyTwice => {
            liar.ready_well();
            liar.ready_well();
        }
        _ => {
            liar.ready_well();
            liar.await_call();
            during_a_call(&mut liar, behaviour);
        }
    }
    spin()
}

/// Whatever comes next must come from outside: an end of its own would look like obedience.
fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn during_a_call(liar: &mut Liar, behaviour: Behaviour) {
    match behaviour {
        Behaviour::OtherCall => liar.result(7),
        Behaviour::AnswerTwice => {
            liar.result(1);
            liar.result(1);
        }
        Behaviour::HostCallOutside => {
            liar.result(1);
            liar.host_call(1);
        }
        Behaviour::ComputesIdle => liar.result(1),
        Behaviour::FloodsIdle => {
            liar.result(1);
            loop {
                liar.log(1);
            }
        }
        Behaviour::LogFlood => loop {
            liar.log(1);
        },
        Behaviour::Exit => exit_now(0),
        _ => {}
    }
}
