//! Which ABI a module speaks, told by what it exports and imports.

mod shape;
mod shapes;

use super::facts::ModuleFacts;
use super::limits::MISSING_MAX;
use super::text::{Message, Name};
use super::{component, wasi};
use crate::certificate::Profile;
use shape::{Found, Shape};
use std::fmt;

/// An ABI between guest and worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Dialect {
    /// The native core ABI.
    Casemate1 = 1,
    /// A WASI 0.1 program: `_start`, once for each call.
    WasiCommand = 20,
    /// A WASI 0.1 library without an ABI of ours: its exports are called with numbers.
    WasiReactor = 21,
    /// The world `casemate:plugin`.
    PluginComponent = 22,
    /// A WASI 0.2 program: `wasi:cli/run`, once for each call.
    CommandComponent = 23,
    /// Any other component: its functions are called with values of their types.
    Component = 24,
    /// A library of Hielements: `library_call` and `library_check`.
    Hielements = 40,
    /// A node of Pocket that its host gives memory to and takes it from.
    PocketHost = 50,
    /// A node of Pocket that writes its answers into a buffer of its host's.
    PocketBuffer = 51,
    /// A node of Pocket that is a program: JSON on its input, JSON on its output.
    PocketStdio = 52,
    /// A plugin made with a plug-in development kit of Extism.
    Extism = 60,
    /// A plugin of Signal K in AssemblyScript, whose texts are UTF-16.
    SignalkScript = 70,
    /// A plugin of Signal K that writes its answers into a buffer of its host's.
    SignalkBuffer = 71,
    /// An extension of Spacedrive.
    Spacedrive = 80,
    /// A plugin of IdeaNet.
    Ideanet = 90,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Casemate1,
        Self::WasiCommand,
        Self::WasiReactor,
        Self::PluginComponent,
        Self::CommandComponent,
        Self::Component,
        Self::Hielements,
        Self::PocketHost,
        Self::PocketBuffer,
        Self::PocketStdio,
        Self::Extism,
        Self::SignalkScript,
        Self::SignalkBuffer,
        Self::Spacedrive,
        Self::Ideanet,
    ];

    /// The dialect with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.number() == number)
    }

    /// The dialect of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// Its number between processes.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Casemate1 => "casemate-1",
            Self::WasiCommand => "wasi-command",
            Self::WasiReactor => "wasi-reactor",
            Self::PluginComponent => "casemate-component",
            Self::CommandComponent => "wasi-command-component",
            Self::Component => "component",
            Self::Hielements => "hielements",
            Self::PocketHost => "pocket-host",
            Self::PocketBuffer => "pocket-buffer",
            Self::PocketStdio => "pocket-stdio",
            Self::Extism => "extism",
            Self::SignalkScript => "signalk-as",
            Self::SignalkBuffer => "signalk-buffer",
            Self::Spacedrive => "spacedrive",
            Self::Ideanet => "ideanet",
        }
    }

    /// The names of all.
    #[expect(
        clippy::indexing_slicing,
        reason = "it is evaluated by the compiler, which refuses what is outside"
    )]
    pub const NAMES: &'static [&'static str] = &{
        let mut names = [""; Self::ALL.len()];
        let (mut at, mut all) = (0, Self::ALL.as_slice());
        while let [dialect, rest @ ..] = all {
            names[at] = dialect.name();
            (at, all) = (at + 1, rest);
        }
        names
    };

    /// Whether it is one of components.
    pub fn is_component(self) -> bool {
        matches!(self, Self::PluginComponent | Self::CommandComponent | Self::Component)
    }

    /// Whether it is a program that runs from its start to its end for each call, and is of no use after that.
    pub fn is_command(self) -> bool {
        matches!(self, Self::WasiCommand | Self::CommandComponent | Self::PocketStdio)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A dialect that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// Which.
    pub dialect: Dialect,
    /// What spoke for it.
    pub why: Message,
}

/// Whether something is imported or exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The module wants it.
    Import = 0,
    /// The module offers it.
    Export = 1,
}

impl Direction {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        [Self::Import, Self::Export].into_iter().find(|direction| *direction as u8 == number)
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Import => "import",
            Self::Export => "export",
        })
    }
}

/// A module that is valid wasm and speaks no dialect as it should. Its author is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DetectError {
    /// The exports are those of no dialect.
    NoDialect {
        /// The one of which it has most.
        nearest: Option<Dialect>,
        /// What is missing for that one, or for [`Dialect::Casemate1`] where none is near.
        missing: Vec<Name>,
    },
    /// The host has no such function for a module of this dialect.
    UnknownImport {
        /// First half of its name.
        module: Name,
        /// Second half of its name.
        name: Name,
    },
    /// A function of the dialect, but of another type.
    WrongSignature {
        /// Imported or exported.
        direction: Direction,
        /// Its name.
        name: Name,
        /// The dialect's type.
        expected: Name,
        /// The module's type.
        found: Name,
    },
    /// Everything but a memory named `memory`.
    MissingMemory,
    /// Two dialects fit.
    Tie {
        /// One.
        first: Dialect,
        /// The other.
        second: Dialect,
    },
}

impl DetectError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoDialect { .. } => "no_dialect",
            Self::UnknownImport { .. } => "unknown_import",
            Self::WrongSignature { .. } => "wrong_signature",
            Self::MissingMemory => "missing_memory",
            Self::Tie { .. } => "dialect_tie",
        }
    }
}

impl fmt::Display for DetectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDialect { nearest, missing } => {
                let missing = missing.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
                match nearest {
                    Some(dialect) => {
                        write!(f, "the module is nearly of dialect {dialect} but does not export {missing}")
                    }
                    None => write!(
                        f,
                        "the module speaks no dialect known here; a plugin of {} exports {missing}: build it with casemate-plugin",
                        Dialect::Casemate1
                    ),
                }
            }
            Self::UnknownImport { module, name } => {
                let hint = if module.as_str().starts_with("wasi") {
                    "that is in no WASI known here: build for wasm32-wasip1 or wasm32-wasip2"
                } else if module == "casemate" {
                    "this version does not have it: build with a casemate-plugin of the same version"
                } else {
                    "no host function has that name: remove it"
                };
                write!(f, "the module imports {module}.{name} and {hint}")
            }
            Self::WrongSignature { direction, name, expected, found } => {
                write!(f, "the {direction} {name} must be {expected} and is {found}")
            }
            Self::MissingMemory => f.write_str("the module exports no memory named memory"),
            Self::Tie { first, second } => {
                write!(
                    f,
                    "the module fits {first} and {second} equally well: name its dialect in its manifest"
                )
            }
        }
    }
}

impl std::error::Error for DetectError {}

/// Finds the one dialect that a module speaks; or sees to it that it speaks the one that is wanted.
pub fn detect(facts: &ModuleFacts, wanted: Option<Dialect>) -> Result<Detected, DetectError> {
    if facts.sizes.is_component {
        return component::detect(facts, wanted);
    }
    if let Some(wanted) = wanted {
        let shapes: Vec<&Shape> = shapes::ALL.iter().filter(|shape| shape.dialect == wanted).collect();
        return match shapes.as_slice() {
            [] => {
                let missing = vec![Name::escaped("what components do: it is a module")];
                Err(DetectError::NoDialect { nearest: Some(wanted), missing })
            }
            shapes => among(facts, shapes).map_err(|error| of_wanted(error, wanted)),
        };
    }
    let (special, general): (Vec<&Shape>, Vec<&Shape>) = shapes::ALL
        .iter()
        .filter(|shape| shape.found != Found::Named)
        .partition(|shape| shape.found == Found::First);
    match among(facts, &special) {
        // What is nearly a plugin is told what it lacks; a program, or a library for anybody, is not.
        Err(DetectError::NoDialect { nearest, missing }) => match among(facts, &general) {
            Err(DetectError::NoDialect { .. }) => Err(DetectError::NoDialect { nearest, missing }),
            Ok(found) if found.dialect == Dialect::WasiReactor && nearest == Some(Dialect::Casemate1) => {
                Err(DetectError::NoDialect { nearest, missing })
            }
            found => found,
        },
        found => found,
    }
}

/// That a dialect's exports are not there; which dialect is known.
fn of_wanted(error: DetectError, wanted: Dialect) -> DetectError {
    match error {
        DetectError::NoDialect { missing, .. } => DetectError::NoDialect { nearest: Some(wanted), missing },
        other => other,
    }
}

/// The worker that a module runs in: whoever wants WASI or is a component has one of its own.
pub fn profile(facts: &ModuleFacts, dialect: Dialect) -> Profile {
    let wants_wasi = facts.imports().iter().any(|import| import.module == wasi::MODULE);
    let general = matches!(dialect, Dialect::WasiReactor) || dialect.is_command() || dialect.is_component();
    if wants_wasi || general { Profile::Wasi } else { Profile::Core }
}

/// What a module of a dialect wants besides calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    /// To be told events.
    pub events: bool,
    /// To be polled.
    pub polls: bool,
    /// To be told that its end is near.
    pub stop: bool,
}

impl Wants {
    pub(super) fn of(facts: &ModuleFacts, dialect: Dialect) -> Self {
        let Some(shape) = shapes::ALL.iter().find(|shape| shape.dialect == dialect) else {
            return Self { events: dialect == Dialect::PluginComponent, ..Self::default() };
        };
        let has = |export: Option<&str>| export.is_some_and(|export| facts.export(export).is_some());
        Self { events: has(shape.hears), polls: has(shape.polls), stop: has(shape.stops) }
    }
}

/// The one of these that fits.
fn among(facts: &ModuleFacts, shapes: &[&Shape]) -> Result<Detected, DetectError> {
    let complete: Vec<&&Shape> = shapes.iter().filter(|shape| shape.is_complete(facts)).collect();
    let mut fitting: Option<&Shape> = None;
    let mut misfit = None;
    for shape in complete {
        match (shape.check(facts), fitting) {
            (Ok(()), None) => fitting = Some(shape),
            (Ok(()), Some(first)) => {
                return Err(DetectError::Tie { first: first.dialect, second: shape.dialect });
            }
            (Err(error), _) => misfit = misfit.or(Some(error)),
        }
    }
    match (fitting, misfit) {
        (Some(shape), _) => Ok(Detected { dialect: shape.dialect, why: shape.why(facts) }),
        (None, Some(error)) => Err(error),
        (None, None) => Err(no_dialect(facts, shapes)),
    }
}

fn no_dialect(facts: &ModuleFacts, shapes: &[&Shape]) -> DetectError {
    let nearest =
        shapes.iter().max_by_key(|shape| shape.nearness(facts)).filter(|shape| shape.nearness(facts) > 0);
    let missing = nearest.or(shapes.first()).map(|shape| shape.missing(facts)).unwrap_or_default();
    DetectError::NoDialect {
        nearest: nearest.map(|shape| shape.dialect),
        missing: missing.into_iter().take(MISSING_MAX).map(Name::escaped).collect(),
    }
}

#[cfg(test)]
mod tests;
