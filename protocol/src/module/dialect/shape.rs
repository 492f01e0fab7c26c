//! What a module of a dialect looks like, and whether one looks so.

use super::super::facts::{Export, ExternKind, Import, ModuleFacts};
use super::super::text::{Message, Name};
use super::super::wasi;
use super::{DetectError, Dialect, Direction};

/// A function by name, and the types that it may have.
pub(super) type Function = (&'static str, &'static [&'static str]);

/// A module of host functions, and their names; no names are all.
pub(super) type Offer = (&'static str, &'static [&'static str]);

/// How a dialect is come upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// By its exports.
    First,
    /// By its exports, where nothing else fits: many a module has them.
    Last,
    /// By its name only: it looks like another.
    Named,
}

/// What a module may import besides WASI.
#[derive(Debug, Clone, Copy)]
pub(super) enum Imports {
    /// These functions, and no others.
    Only(&'static str, &'static [Function]),
    /// Any functions: what is not among these is linked, says so when it is called, and traps.
    Any(&'static [Offer]),
}

/// What a module of a dialect looks like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) dialect: Dialect,
    pub(super) found: Found,
    /// Without these it is not of this dialect.
    pub(super) required: &'static [Function],
    /// These, if it has them, are of one of these types.
    pub(super) optional: &'static [Function],
    /// With one of these it is not of this dialect.
    pub(super) absent: &'static [&'static str],
    /// It imports from here, or is not of this dialect.
    pub(super) importing: Option<&'static str>,
    pub(super) imports: Imports,
    /// The export that events are told to.
    pub(super) hears: Option<&'static str>,
    /// The export that wants to be called again and again.
    pub(super) polls: Option<&'static str>,
    /// The export that wants to be called at the end.
    pub(super) stops: Option<&'static str>,
}

/// A shape of nothing, for the rest of another.
pub(super) const BLANK: Shape = Shape {
    dialect: Dialect::WasiCommand,
    found: Found::First,
    required: &[],
    optional: &[],
    absent: &[],
    importing: None,
    imports: Imports::Any(&[]),
    hears: None,
    polls: None,
    stops: None,
};

/// Names that are in everybody's mouth and bring nobody nearer to a dialect.
const COMMON: &[&str] =
    &["_initialize", "_start", "alloc", "allocate", "call", "initialize", "metadata", "shutdown"];

impl Shape {
    /// Whether it has all that makes a dialect.
    pub(super) fn is_complete(&self, facts: &ModuleFacts) -> bool {
        self.missing(facts).is_empty() && !self.absent.iter().any(|name| facts.export(name).is_some())
    }

    /// Exports that it lacks, or the module that it imports nothing from.
    pub(super) fn missing(&self, facts: &ModuleFacts) -> Vec<&'static str> {
        let importing =
            self.importing.filter(|from| !facts.imports().iter().any(|import| import.module == *from));
        let names = self.required.iter().map(|(name, _)| *name);
        names.filter(|name| facts.export(name).is_none()).chain(importing).collect()
    }

    /// How much of it is there, of a hundred.
    pub(super) fn nearness(&self, facts: &ModuleFacts) -> usize {
        let telling = || self.required.iter().map(|(name, _)| *name).filter(|name| !COMMON.contains(name));
        let present = telling().filter(|name| facts.export(name).is_some()).count();
        (present * 100).checked_div(telling().count()).unwrap_or(0)
    }

    /// Whether what it has is of the right types.
    pub(super) fn check(&self, facts: &ModuleFacts) -> Result<(), DetectError> {
        for (name, types) in self.required.iter().chain(self.optional) {
            if let Some(export) = facts.export(name) {
                check_export(export, types)?;
            }
        }
        if !facts.export("memory").is_some_and(|export| export.kind == ExternKind::Memory) {
            return Err(DetectError::MissingMemory);
        }
        facts.imports().iter().try_for_each(|import| self.check_import(import))
    }

    fn check_import(&self, import: &Import) -> Result<(), DetectError> {
        // Their types are the linker's to compare.
        if of_wasi(import) {
            return Ok(());
        }
        let unknown =
            || DetectError::UnknownImport { module: import.module.clone(), name: import.name.clone() };
        let (from, functions) = match self.imports {
            Imports::Only(from, functions) => (from, functions),
            Imports::Any(_) if import.kind == ExternKind::Function && import.module != wasi::MODULE => {
                return Ok(());
            }
            Imports::Any(_) => return Err(unknown()),
        };
        let known = functions.iter().find(|(name, _)| import.module == from && import.name == *name);
        let Some((_, expected)) = known else { return Err(unknown()) };
        if import.kind == ExternKind::Function && expected.iter().any(|ty| import.ty == *ty) {
            return Ok(());
        }
        let name = Name::escaped(&format!("{}.{}", import.module, import.name));
        Err(wrong_signature(Direction::Import, name, expected, import.kind, &import.ty))
    }

    /// What speaks for it.
    pub(super) fn why(&self, facts: &ModuleFacts) -> Message {
        let names = |functions: &[Function]| {
            let present = functions.iter().map(|(name, _)| *name).filter(|name| facts.export(name).is_some());
            present.collect::<Vec<_>>().join(", ")
        };
        let required = names(self.required);
        let required = if required.is_empty() { required } else { format!(", {required}") };
        let optional = names(self.optional);
        let also = if optional.is_empty() { String::new() } else { format!(", also {optional}") };
        Message::escaped(&format!("it exports memory{required}{also} and {}", self.why_imports(facts)))
    }

    fn why_imports(&self, facts: &ModuleFacts) -> String {
        let count = facts.imports().len();
        match self.imports {
            _ if count == 0 => "imports nothing".to_owned(),
            Imports::Only(from, _) => format!("imports {count} of the functions of {from}"),
            Imports::Any(offers) => {
                let unknown =
                    facts.imports().iter().filter(|import| !of_wasi(import) && !is_offered(import, offers));
                let unknown: Vec<String> =
                    unknown.map(|import| format!("{}.{}", import.module, import.name)).collect();
                let here = format!("imports {count} functions");
                if unknown.is_empty() {
                    here
                } else {
                    format!("{here}, of which nobody has {}", unknown.join(", "))
                }
            }
        }
    }
}

fn of_wasi(import: &Import) -> bool {
    import.module == wasi::MODULE && wasi::FUNCTIONS.contains(&import.name.as_str())
}

fn is_offered(import: &Import, offers: &[Offer]) -> bool {
    offers.iter().any(|(module, names)| {
        import.module == *module && (names.is_empty() || names.contains(&import.name.as_str()))
    })
}

fn check_export(export: &Export, expected: &[&str]) -> Result<(), DetectError> {
    if export.kind == ExternKind::Function && expected.iter().any(|ty| export.ty == *ty) {
        return Ok(());
    }
    Err(wrong_signature(Direction::Export, export.name.clone(), expected, export.kind, &export.ty))
}

fn wrong_signature(
    direction: Direction,
    name: Name,
    expected: &[&str],
    found_kind: ExternKind,
    found: &Name,
) -> DetectError {
    let found = match found_kind {
        ExternKind::Function => found.clone(),
        kind => Name::escaped(&format!("a {kind}, {found}")),
    };
    DetectError::WrongSignature { direction, name, expected: Name::escaped(&expected.join(" or ")), found }
}
