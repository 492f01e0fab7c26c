//! What can go wrong behind the walls, by name.

use crate::liar::{self, Liar};
use casemate_lockdown::Spawned;
use casemate_protocol::spawn::Role;
use casemate_sys::process::{exit_now, probe};
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
    /// Takes a call and exits.
    Exit,
    /// Takes a call and makes this system call with all arguments zero.
    Syscall(i64),
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
    ("exit", Behaviour::Exit),
];

impl Behaviour {
    /// From a program name: `casemate-adversary:NAME` or `casemate-adversary:syscall-NUMBER`.
    pub fn named(program: &str) -> Option<Self> {
        let (_, name) = program.split_once(':')?;
        if let Some(number) = name.strip_prefix("syscall-") {
            return number.parse().ok().map(Self::Syscall);
        }
        NAMED.iter().find(|(known, _)| *known == name).map(|(_, behaviour)| *behaviour)
    }
}

/// Runs in a worker's place.
pub fn attack(spawned: Spawned, guest: &mut Guest) -> ! {
    let program = std::env::args().next().unwrap_or_default();
    let Some(behaviour) = Behaviour::named(&program) else { exit_now(64) };
    if behaviour == Behaviour::Obedient {
        casemate_worker::serve(spawned, guest);
    }
    // The canaries are left alone: the zygote must be proven before its worker can lie.
    if behaviour == Behaviour::ReadyTooEarly && spawned.order().role == Role::Worker {
        liar::ready_too_early(spawned.link(), spawned.order().data_bytes);
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
        Behaviour::LogFlood => loop {
            liar.log(1);
        },
        Behaviour::Exit => exit_now(0),
        Behaviour::Syscall(number) => {
            let _ = probe(number);
        }
        _ => {}
    }
}
