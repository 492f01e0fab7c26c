//! Facts about a module: what it wants, what it offers, how large it is.

use super::codec::{DecodeViolation, Reader, Writer, text_bytes};
use super::limits::{EXPORTS_MAX, FACTS_BYTES_MAX, IMPORTS_MAX, Limit, MEMORIES_MAX, OverLimit, TABLES_MAX};
use super::text::Name;
use std::fmt;

/// Bytes of the facts without their lists: counts, flags and sizes.
const HEAD_BYTES: usize = 64;

/// Bytes of a memory or table at most.
const EXTENT_BYTES: usize = 17;

/// What an import or export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExternKind {
    /// A function; its type reads `(i32, i32) -> i64`.
    Function = 0,
    /// A table.
    Table = 1,
    /// A linear memory.
    Memory = 2,
    /// A global.
    Global = 3,
    /// An exception tag.
    Tag = 4,
}

impl ExternKind {
    fn from_number(number: u8) -> Option<Self> {
        [Self::Function, Self::Table, Self::Memory, Self::Global, Self::Tag]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Table => "table",
            Self::Memory => "memory",
            Self::Global => "global",
            Self::Tag => "tag",
        }
    }
}

impl fmt::Display for ExternKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text of a function's type: `(i32, i32) -> i64`; `()` where there is nothing, `(i32, i32)` for several results.
pub fn function_type<T: fmt::Display>(parameters: &[T], results: &[T]) -> String {
    let list = |types: &[T]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match results {
        [one] => format!("({}) -> {one}", list(parameters)),
        _ => format!("({}) -> ({})", list(parameters), list(results)),
    }
}

/// Something a module wants from its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// First half of its name.
    pub module: Name,
    /// Second half of its name.
    pub name: Name,
    /// What it is.
    pub kind: ExternKind,
    /// Its type as text.
    pub ty: Name,
}

impl Import {
    /// Takes the words of a module as they are.
    pub fn new(module: &str, name: &str, kind: ExternKind, ty: &str) -> Self {
        Self { module: Name::escaped(module), name: Name::escaped(name), kind, ty: Name::escaped(ty) }
    }

    fn encoded_bytes(&self) -> usize {
        text_bytes(&self.module).saturating_add(text_bytes(&self.name)).saturating_add(text_bytes(&self.ty))
            + 1
    }
}

/// Something a module offers its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: ExternKind,
    /// Its type as text.
    pub ty: Name,
}

impl Export {
    /// Takes the words of a module as they are.
    pub fn new(name: &str, kind: ExternKind, ty: &str) -> Self {
        Self { name: Name::escaped(name), kind, ty: Name::escaped(ty) }
    }

    fn encoded_bytes(&self) -> usize {
        text_bytes(&self.name).saturating_add(text_bytes(&self.ty)) + 1
    }
}

/// How large a memory (in pages of 64 KiB) or a table (in entries) is at first and may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// At first.
    pub min: u64,
    /// At most, if the module says so itself.
    pub max: Option<u64>,
}

/// Counts and sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The whole file, in bytes.
    pub module_bytes: u64,
    /// The code section, in bytes.
    pub code_bytes: u64,
    /// The data segments together, in bytes.
    pub data_bytes: u64,
    /// Custom sections together, in bytes: names, debug information, anything.
    pub custom_bytes: u64,
    /// Functions that the module defines.
    pub functions: u32,
    /// Globals that the module defines.
    pub globals: u32,
    /// Whether code runs when it is instantiated.
    pub has_start: bool,
    /// Whether there are names for functions, which make a trap readable.
    pub has_names: bool,
    /// Whether it is a component, of which counts and sizes are those of all its modules together.
    pub is_component: bool,
}

/// What is known about a module. Lists grow through methods that meet the limits, so that facts always fit a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFacts {
    /// Counts and sizes.
    pub sizes: Sizes,
    imports: Vec<Import>,
    exports: Vec<Export>,
    memories: Vec<Extent>,
    tables: Vec<Extent>,
    /// What all this takes in a report.
    encoded_bytes: usize,
}

impl Default for ModuleFacts {
    fn default() -> Self {
        Self {
            sizes: Sizes::default(),
            imports: Vec::new(),
            exports: Vec::new(),
            memories: Vec::new(),
            tables: Vec::new(),
            encoded_bytes: HEAD_BYTES,
        }
    }
}

impl ModuleFacts {
    /// What the module wants, in its order.
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    /// What the module offers, in its order.
    pub fn exports(&self) -> &[Export] {
        &self.exports
    }

    /// Its linear memories, in pages of 64 KiB.
    pub fn memories(&self) -> &[Extent] {
        &self.memories
    }

    /// Its tables, in entries.
    pub fn tables(&self) -> &[Extent] {
        &self.tables
    }

    /// The export of this name.
    pub fn export(&self, name: &str) -> Option<&Export> {
        self.exports.iter().find(|export| export.name == name)
    }

    /// Adds an import.
    pub fn push_import(&mut self, import: Import) -> Result<(), OverLimit> {
        let room = self.room(Limit::Imports, self.imports.len(), IMPORTS_MAX, import.encoded_bytes())?;
        self.encoded_bytes = room;
        self.imports.push(import);
        Ok(())
    }

    /// Adds an export.
    pub fn push_export(&mut self, export: Export) -> Result<(), OverLimit> {
        let room = self.room(Limit::Exports, self.exports.len(), EXPORTS_MAX, export.encoded_bytes())?;
        self.encoded_bytes = room;
        self.exports.push(export);
        Ok(())
    }

    /// Adds a memory.
    pub fn push_memory(&mut self, memory: Extent) -> Result<(), OverLimit> {
        let room = self.room(Limit::Memories, self.memories.len(), MEMORIES_MAX, EXTENT_BYTES)?;
        self.encoded_bytes = room;
        self.memories.push(memory);
        Ok(())
    }

    /// Adds a table.
    pub fn push_table(&mut self, table: Extent) -> Result<(), OverLimit> {
        let room = self.room(Limit::Tables, self.tables.len(), TABLES_MAX, EXTENT_BYTES)?;
        self.encoded_bytes = room;
        self.tables.push(table);
        Ok(())
    }

    /// What the facts take in a report with one more of something, if there may be one more.
    fn room(
        &self,
        limit: Limit,
        count: usize,
        count_max: u32,
        more_bytes: usize,
    ) -> Result<usize, OverLimit> {
        OverLimit::check(limit, to_u64(count).saturating_add(1), count_max.into())?;
        let bytes = self.encoded_bytes.saturating_add(more_bytes);
        OverLimit::check(Limit::NamesBytes, to_u64(bytes), to_u64(FACTS_BYTES_MAX))?;
        Ok(bytes)
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.count(self.imports.len());
        for import in &self.imports {
            out.text(&import.module);
            out.text(&import.name);
            out.u8(import.kind as u8);
            out.text(&import.ty);
        }
        out.count(self.exports.len());
        for export in &self.exports {
            out.text(&export.name);
            out.u8(export.kind as u8);
            out.text(&export.ty);
        }
        for extents in [&self.memories, &self.tables] {
            out.count(extents.len());
            for extent in extents {
                out.u64(extent.min);
                out.optional_u64(extent.max);
            }
        }
        let sizes = &self.sizes;
        for bytes in [sizes.module_bytes, sizes.code_bytes, sizes.data_bytes, sizes.custom_bytes] {
            out.u64(bytes);
        }
        out.u32(sizes.functions);
        out.u32(sizes.globals);
        out.flag(sizes.has_start);
        out.flag(sizes.has_names);
        out.flag(sizes.is_component);
    }

    /// Reads entry by entry: a count by itself reserves nothing, and every entry meets the limits before it is kept.
    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeViolation> {
        let mut facts = Self::default();
        for _ in 0..input.u32("imports")? {
            facts.push_import(Import {
                module: input.text("an import's module")?,
                name: input.text("an import's name")?,
                kind: input.tag("an import's kind", ExternKind::from_number)?,
                ty: input.text("an import's type")?,
            })?;
        }
        for _ in 0..input.u32("exports")? {
            facts.push_export(Export {
                name: input.text("an export's name")?,
                kind: input.tag("an export's kind", ExternKind::from_number)?,
                ty: input.text("an export's type")?,
            })?;
        }
        for _ in 0..input.u32("memories")? {
            facts
                .push_memory(Extent { min: input.u64("a memory")?, max: input.optional_u64("a memory")? })?;
        }
        for _ in 0..input.u32("tables")? {
            facts.push_table(Extent { min: input.u64("a table")?, max: input.optional_u64("a table")? })?;
        }
        facts.sizes = Sizes {
            module_bytes: input.u64("the module's size")?,
            code_bytes: input.u64("the code's size")?,
            data_bytes: input.u64("the data's size")?,
            custom_bytes: input.u64("the custom sections' size")?,
            functions: input.u32("the number of functions")?,
            globals: input.u32("the number of globals")?,
            has_start: input.flag("the start function")?,
            has_names: input.flag("the names")?,
            is_component: input.flag("the component")?,
        };
        Ok(facts)
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_one_text() {
        assert_eq!(function_type::<&str>(&[], &[]), "() -> ()");
        assert_eq!(function_type(&["i32", "i64"], &["f32"]), "(i32, i64) -> f32");
        assert_eq!(function_type(&["i32"], &["i32", "i32"]), "(i32) -> (i32, i32)");
    }

    #[test]
    fn lists_meet_their_limits() {
        let mut facts = ModuleFacts::default();
        for _ in 0..IMPORTS_MAX {
            facts.push_import(Import::new("a", "b", ExternKind::Function, "")).unwrap();
        }
        let over = facts.push_import(Import::new("a", "b", ExternKind::Function, "")).unwrap_err();
        assert_eq!(over, OverLimit { limit: Limit::Imports, observed: 1025, allowed: 1024 });

        let long = "x".repeat(1000);
        let mut facts = ModuleFacts::default();
        let over = (0..EXPORTS_MAX)
            .find_map(|_| facts.push_export(Export::new(&long, ExternKind::Global, &long)).err())
            .unwrap();
        assert_eq!(over.limit, Limit::NamesBytes);
        for _ in 0..MEMORIES_MAX {
            facts.push_memory(Extent { min: 0, max: None }).unwrap();
        }
        assert_eq!(facts.push_memory(Extent { min: 0, max: None }).unwrap_err().limit, Limit::Memories);
    }

    #[test]
    fn facts_take_no_more_in_a_report_than_they_reckon() {
        let mut facts = ModuleFacts::default();
        facts.push_import(Import::new("casemate", "log\u{7}", ExternKind::Function, "() -> ()")).unwrap();
        facts.push_export(Export::new("memory", ExternKind::Memory, "1")).unwrap();
        facts.push_memory(Extent { min: 1, max: Some(2) }).unwrap();
        facts.push_table(Extent { min: 1, max: None }).unwrap();
        let mut out = Writer::default();
        facts.write(&mut out);
        let bytes = out.finish();
        assert!(bytes.len() <= facts.encoded_bytes, "{} > {}", bytes.len(), facts.encoded_bytes);
        assert_eq!(ModuleFacts::read(&mut Reader::new(&bytes)), Ok(facts));
    }
}
