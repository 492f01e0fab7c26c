//! Which ABI a module speaks, told by what it exports and imports.

use super::facts::{Export, ExternKind, Import, ModuleFacts};
use super::limits::MISSING_MAX;
use super::text::{Message, Name};
use super::{component, wasi};
use crate::certificate::Profile;
use std::fmt;

/// An ABI between guest and worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Casemate1,
        Self::WasiCommand,
        Self::WasiReactor,
        Self::PluginComponent,
        Self::CommandComponent,
        Self::Component,
    ];

    /// The dialect with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.number() == number)
    }

    /// Its number between processes.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Casemate1 => "casemate-1",
            Self::WasiCommand => "wasi-command",
            Self::WasiReactor => "wasi-reactor",
            Self::PluginComponent => "casemate-component",
            Self::CommandComponent => "wasi-command-component",
            Self::Component => "component",
        }
    }

    /// Whether it is one of components.
    pub fn is_component(self) -> bool {
        matches!(self, Self::PluginComponent | Self::CommandComponent | Self::Component)
    }

    /// Whether it is a program that runs from its start to its end for each call, and is of no use after that.
    pub fn is_command(self) -> bool {
        matches!(self, Self::WasiCommand | Self::CommandComponent)
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

/// Finds the one dialect that a module speaks.
pub fn detect(facts: &ModuleFacts) -> Result<Detected, DetectError> {
    if facts.sizes.is_component {
        return component::detect(facts);
    }
    match detect_among(facts, &[CASEMATE_1, WASI_COMMAND]) {
        // What is nearly a plugin is told what it lacks; a library for anybody is not.
        Err(DetectError::NoDialect { nearest: None, .. }) if WASI_REACTOR.missing(facts).is_empty() => {
            detect_among(facts, &[WASI_REACTOR])
        }
        other => other,
    }
}

/// The worker that a module runs in: whoever wants WASI or is a component has one of its own.
pub fn profile(facts: &ModuleFacts) -> Result<Profile, DetectError> {
    Ok(profile_of(facts, detect(facts)?.dialect))
}

pub(super) fn profile_of(facts: &ModuleFacts, dialect: Dialect) -> Profile {
    let wants_wasi = facts.imports().iter().any(|import| import.module == wasi::MODULE);
    if dialect == Dialect::Casemate1 && !wants_wasi { Profile::Core } else { Profile::Wasi }
}

/// A function by name and type.
type Function = (&'static str, &'static str);

/// What a module of a dialect looks like.
#[derive(Debug)]
struct Shape {
    dialect: Dialect,
    /// Without these it is not of this dialect.
    required: &'static [Function],
    /// These, if it has them, are of this type.
    optional: &'static [Function],
    /// Module and functions that the host has for it.
    import_module: &'static str,
    imports: &'static [Function],
}

const CASEMATE_1: Shape = Shape {
    dialect: Dialect::Casemate1,
    required: &[
        ("casemate_abi", "() -> i32"),
        ("casemate_alloc", "(i32, i32) -> i32"),
        ("casemate_free", "(i32, i32, i32) -> ()"),
        ("casemate_call", "(i32, i32) -> i64"),
    ],
    optional: &[
        ("casemate_describe", "() -> i64"),
        ("casemate_init", "(i32, i32) -> i64"),
        ("casemate_event", "(i32, i32) -> i32"),
        ("casemate_shutdown", "() -> i32"),
    ],
    import_module: "casemate",
    imports: &[
        ("host_call", "(i32, i32) -> i64"),
        ("log", "(i32, i32, i32) -> ()"),
        ("cancelled", "() -> i32"),
    ],
};

const WASI_COMMAND: Shape = Shape {
    dialect: Dialect::WasiCommand,
    required: &[("_start", "() -> ()")],
    optional: &[],
    import_module: wasi::MODULE,
    imports: &[],
};

const WASI_REACTOR: Shape = Shape {
    dialect: Dialect::WasiReactor,
    required: &[("_initialize", "() -> ()")],
    optional: &[],
    import_module: wasi::MODULE,
    imports: &[],
};

fn detect_among(facts: &ModuleFacts, shapes: &[Shape]) -> Result<Detected, DetectError> {
    let complete: Vec<&Shape> = shapes.iter().filter(|shape| shape.missing(facts).is_empty()).collect();
    if complete.is_empty() {
        return Err(no_dialect(facts, shapes));
    }
    let mut fitting = None;
    let mut misfit = None;
    for shape in complete {
        match (shape.check(facts), &fitting) {
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

fn no_dialect(facts: &ModuleFacts, shapes: &[Shape]) -> DetectError {
    let nearest =
        shapes.iter().max_by_key(|shape| shape.present(facts)).filter(|shape| shape.present(facts) > 0);
    let missing = nearest.or(shapes.first()).map(|shape| shape.missing(facts)).unwrap_or_default();
    DetectError::NoDialect {
        nearest: nearest.map(|shape| shape.dialect),
        missing: missing.into_iter().take(MISSING_MAX).map(Name::escaped).collect(),
    }
}

impl Shape {
    fn missing(&self, facts: &ModuleFacts) -> Vec<&'static str> {
        self.required.iter().map(|(name, _)| *name).filter(|name| facts.export(name).is_none()).collect()
    }

    fn present(&self, facts: &ModuleFacts) -> usize {
        self.required.len().saturating_sub(self.missing(facts).len())
    }

    fn check(&self, facts: &ModuleFacts) -> Result<(), DetectError> {
        for (name, ty) in self.required.iter().chain(self.optional) {
            if let Some(export) = facts.export(name) {
                self.check_export(export, ty)?;
            }
        }
        if !facts.export("memory").is_some_and(|export| export.kind == ExternKind::Memory) {
            return Err(DetectError::MissingMemory);
        }
        facts.imports().iter().try_for_each(|import| self.check_import(import))
    }

    fn check_export(&self, export: &Export, expected: &str) -> Result<(), DetectError> {
        if export.kind == ExternKind::Function && export.ty == expected {
            return Ok(());
        }
        Err(wrong_signature(Direction::Export, export.name.clone(), expected, export.kind, &export.ty))
    }

    fn check_import(&self, import: &Import) -> Result<(), DetectError> {
        // Their types are the linker's to compare.
        if import.module == wasi::MODULE && wasi::FUNCTIONS.contains(&import.name.as_str()) {
            return Ok(());
        }
        let known =
            self.imports.iter().find(|(name, _)| import.module == self.import_module && import.name == *name);
        let Some((_, expected)) = known else {
            return Err(DetectError::UnknownImport {
                module: import.module.clone(),
                name: import.name.clone(),
            });
        };
        if import.kind == ExternKind::Function && import.ty == *expected {
            return Ok(());
        }
        let name = Name::escaped(&format!("{}.{}", import.module, import.name));
        Err(wrong_signature(Direction::Import, name, expected, import.kind, &import.ty))
    }

    fn why(&self, facts: &ModuleFacts) -> Message {
        let names = |functions: &[Function]| {
            let present = functions.iter().map(|(name, _)| *name).filter(|name| facts.export(name).is_some());
            present.collect::<Vec<_>>().join(", ")
        };
        let optional = names(self.optional);
        let also = if optional.is_empty() { String::new() } else { format!(", also {optional}") };
        let imports = match facts.imports().len() {
            0 => "imports nothing".to_owned(),
            count => format!("imports {count} of the functions of {}", self.import_module),
        };
        Message::escaped(&format!("it exports memory, {}{also} and {imports}", names(self.required)))
    }
}

fn wrong_signature(
    direction: Direction,
    name: Name,
    expected: &str,
    found_kind: ExternKind,
    found: &Name,
) -> DetectError {
    let found = match found_kind {
        ExternKind::Function => found.clone(),
        kind => Name::escaped(&format!("a {kind}, {found}")),
    };
    DetectError::WrongSignature { direction, name, expected: Name::escaped(expected), found }
}

#[cfg(test)]
mod tests;
