//! Which system calls who may make, with what arguments, and why: reviewed data, and nothing that knows BPF.
//!
//! Every entry carries its reason. Numbers are written out for both machines, so that both tables are proven on either.

mod compiler;
mod files;
mod memory;
mod program;
mod settle;
mod stub;
mod worker;
mod zygote;

use casemate_protocol::certificate::Profile;
use casemate_protocol::syscalls::Arch;
use std::fmt;

/// What a worker may do: talk over its link, manage memory of its own, end.
pub static CORE: List = List(&[worker::LINK, memory::OWN, worker::EVENTS]);

/// What a worker with WASI may do: the same over its folders' files too, waiting, and random numbers.
pub static WASI: List =
    List(&[files::LINK_AND_FILES, memory::OWN, worker::EVENTS, files::FOLDERS, files::WAITING]);

/// What a native program may do after its one exec: work on its files, have threads, end.
pub static PROGRAM: List = List(&[
    program::STREAMS,
    program::FILES,
    program::MEMORY,
    program::THREADS,
    program::SIGNALS,
    program::FACTS,
]);

/// What the bridge between such a program and its supervisor may do.
pub static BRIDGE: List = List(&[program::BRIDGE, memory::OWN]);

/// What a zygote may do beyond [`CORE`]: fork workers and hand them their place.
pub static ZYGOTE_EXTRA: List = List(&[settle::SETTLE, zygote::FORK]);

/// What a compiler may do: read its input, write its output, manage memory of its own, end.
pub static COMPILER: List = List(&[compiler::JOB, memory::OWN, compiler::END]);

/// What a compiler does between its first filter and its job. Filter B takes it away again.
pub static COMPILER_EXTRA: List = List(&[settle::SETTLE]);

/// What a stub may do: wait for two deaths, then kill.
pub static STUB: List = List(&[stub::WATCH]);

/// A worker's list.
#[must_use]
pub fn of_profile(profile: Profile) -> &'static List {
    match profile {
        Profile::Wasi => &WASI,
        Profile::External => &PROGRAM,
        _ => &CORE,
    }
}

/// A list of system calls, in parts that other lists share.
#[derive(Debug, Clone, Copy)]
pub struct List(&'static [&'static [Syscall]]);

impl List {
    /// Its entries.
    pub fn iter(&self) -> impl Iterator<Item = &'static Syscall> + use<> {
        self.0.iter().copied().flatten()
    }
}

/// A system call that a list allows.
#[derive(Debug, Clone, Copy)]
pub struct Syscall {
    /// The kernel's name.
    pub name: &'static str,
    /// Its number on x86-64; `None` where it does not exist or nothing of ours makes it.
    pub x86_64: Option<u32>,
    /// Its number on aarch64, likewise.
    pub aarch64: Option<u32>,
    /// Allowed argument rules: any one of them. Without rules every argument is allowed.
    pub rules: &'static [Rule],
    /// What needs it.
    pub reason: &'static str,
}

/// Demands on arguments that must hold together.
pub type Rule = &'static [Arg];

/// A demand on one argument.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    /// Which one, from 0.
    pub index: u8,
    /// Its name in the manual.
    pub name: &'static str,
    /// What it must be, in all its 64 bits.
    pub want: Want,
}

/// What an argument must be.
#[derive(Debug, Clone, Copy)]
pub enum Want {
    /// This.
    Is(Value),
    /// One of these.
    OneOf(&'static [Value]),
    /// A set of bits: all of the first, any of the second, none else.
    Bits {
        /// Bits that must be there.
        all: &'static [Value],
        /// Bits that may be there.
        may: &'static [Value],
    },
}

/// A number with the name that the headers give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// As people read it.
    pub name: &'static str,
    /// As the register holds it.
    pub bits: u64,
}

impl Syscall {
    /// Its number on a machine.
    #[must_use]
    pub const fn number(&self, arch: Arch) -> Option<u32> {
        match arch {
            Arch::X86_64 => self.x86_64,
            Arch::Aarch64 => self.aarch64,
        }
    }

    /// Its argument rules in words, made from the rules themselves.
    #[must_use]
    pub fn rule_text(&self) -> String {
        if self.rules.is_empty() {
            return "any".to_owned();
        }
        let texts: Vec<String> = self.rules.iter().map(|rule| join(rule, ", ")).collect();
        texts.join("; or ")
    }
}

impl Want {
    /// Together, the bits of a set.
    pub(crate) fn union(values: &[Value]) -> u64 {
        values.iter().fold(0, |bits, value| bits | value.bits)
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match self.want {
            Want::Is(value) => write!(f, "{name} = {value}"),
            Want::OneOf(values) => write!(f, "{name} in {{{}}}", join(values, ", ")),
            Want::Bits { all: [], may } => write!(f, "{name} within {}", join(may, "|")),
            Want::Bits { all, may } => {
                write!(f, "{name} = {}, optionally {}", join(all, "|"), join(may, "|"))
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn join<T: fmt::Display>(items: &[T], separator: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

/// A demand on a whole argument: descriptor, operation, option.
const fn is(index: u8, name: &'static str, value: Value) -> Arg {
    Arg { index, name, want: Want::Is(value) }
}

/// A demand that leaves a choice.
const fn one_of(index: u8, name: &'static str, values: &'static [Value]) -> Arg {
    Arg { index, name, want: Want::OneOf(values) }
}

const fn value(name: &'static str, bits: u64) -> Value {
    Value { name, bits }
}

const ZERO: Value = value("0", 0);
const ONE: Value = value("1", 1);
