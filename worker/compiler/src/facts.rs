//! Reading a module's facts, without believing that it is valid.

use casemate_protocol::module::{
    CompileError, Export, Extent, ExternKind, FUNCTION_BYTES_MAX, FUNCTIONS_MAX, GLOBALS_MAX, Import, Limit,
    Message, ModuleFacts, Name, OverLimit, function_type,
};
use wasmparser::{
    BinaryReaderError, ExternalKind, FuncType, GlobalType, MemoryType, Parser, Payload, TableType, TypeRef,
};

/// The part of an error that says what kind of wrong it is.
pub(crate) fn sort_of(error: &BinaryReaderError) -> CompileError {
    let text = error.message();
    let offset = u64::try_from(error.offset()).unwrap_or(u64::MAX);
    let message = Message::escaped(text);
    // "threads support is not enabled", "exceptions proposal not enabled": the validator's way to name a proposal.
    let proposal = [" support is not enabled", " proposal not enabled", " must be enabled", " not enabled"]
        .into_iter()
        .find_map(|ending| text.find(ending).and_then(|at| text.get(..at)));
    match proposal {
        Some(feature) => {
            let feature = feature.rsplit(": ").next().unwrap_or(feature);
            CompileError::UnsupportedFeature { feature: Name::escaped(feature), message, offset }
        }
        None => CompileError::Invalid { message, offset },
    }
}

fn invalid(error: BinaryReaderError) -> CompileError {
    sort_of(&error)
}

/// What the sections so far have said.
#[derive(Default)]
struct Gathering {
    facts: ModuleFacts,
    types: Vec<Option<FuncType>>,
    /// Type of each function, imported ones first.
    functions: Vec<u32>,
    tables: Vec<TableType>,
    memories: Vec<MemoryType>,
    globals: Vec<GlobalType>,
}

/// Reads the facts; the first section that does not parse, or is too large, is the error.
pub(crate) fn gather(wasm: &[u8]) -> Result<ModuleFacts, CompileError> {
    let mut gathering = Gathering::default();
    gathering.facts.sizes.module_bytes = bytes(wasm.len());
    for payload in Parser::new(0).parse_all(wasm) {
        gathering.take(payload.map_err(invalid)?)?;
    }
    Ok(gathering.facts)
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn at_most(limit: Limit, observed: u64, allowed: u32) -> Result<(), CompileError> {
    OverLimit::check(limit, observed, allowed.into()).map_err(CompileError::TooLarge)
}

impl Gathering {
    fn take(&mut self, payload: Payload<'_>) -> Result<(), CompileError> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group.map_err(invalid)?.into_types() {
                        self.types.push(match ty.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(function) => Some(function),
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    self.import(&import.map_err(invalid)?)?;
                }
            }
            Payload::FunctionSection(section) => {
                at_most(Limit::Functions, section.count().into(), FUNCTIONS_MAX)?;
                self.facts.sizes.functions = section.count();
                for function in section {
                    self.functions.push(function.map_err(invalid)?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.table(table.map_err(invalid)?.ty)?;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memory(memory.map_err(invalid)?)?;
                }
            }
            Payload::GlobalSection(section) => {
                at_most(Limit::Globals, section.count().into(), GLOBALS_MAX)?;
                self.facts.sizes.globals = section.count();
                for global in section {
                    self.globals.push(global.map_err(invalid)?.ty);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    self.export(&export.map_err(invalid)?)?;
                }
            }
            other => self.sizes(other)?,
        }
        Ok(())
    }

    fn sizes(&mut self, payload: Payload<'_>) -> Result<(), CompileError> {
        let sizes = &mut self.facts.sizes;
        match payload {
            Payload::StartSection { .. } => sizes.has_start = true,
            Payload::CodeSectionStart { size, .. } => sizes.code_bytes = size.into(),
            Payload::CodeSectionEntry(body) => {
                at_most(Limit::FunctionBytes, bytes(body.range().len()), FUNCTION_BYTES_MAX)?;
            }
            Payload::DataSection(section) => {
                for segment in section {
                    sizes.data_bytes =
                        sizes.data_bytes.saturating_add(bytes(segment.map_err(invalid)?.data.len()));
                }
            }
            Payload::CustomSection(section) => {
                sizes.custom_bytes = sizes.custom_bytes.saturating_add(bytes(section.data().len()));
                sizes.has_names |= section.name() == "name";
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: &wasmparser::Import<'_>) -> Result<(), CompileError> {
        let (kind, ty) = match import.ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                self.functions.push(index);
                (ExternKind::Function, self.function_text(index))
            }
            TypeRef::Table(table) => {
                self.table(table)?;
                (ExternKind::Table, table_text(&table))
            }
            TypeRef::Memory(memory) => {
                self.memory(memory)?;
                (ExternKind::Memory, memory_text(&memory))
            }
            TypeRef::Global(global) => {
                self.globals.push(global);
                (ExternKind::Global, global_text(&global))
            }
            TypeRef::Tag(tag) => (ExternKind::Tag, self.function_text(tag.func_type_idx)),
        };
        let import = Import::new(import.module, import.name, kind, &ty);
        self.facts.push_import(import).map_err(CompileError::TooLarge)
    }

    fn export(&mut self, export: &wasmparser::Export<'_>) -> Result<(), CompileError> {
        let index = usize::try_from(export.index).unwrap_or(usize::MAX);
        let unknown = || "?".to_owned();
        let (kind, ty) = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let ty = self.functions.get(index).copied();
                (ExternKind::Function, ty.map_or_else(unknown, |ty| self.function_text(ty)))
            }
            ExternalKind::Table => {
                (ExternKind::Table, self.tables.get(index).map_or_else(unknown, table_text))
            }
            ExternalKind::Memory => {
                (ExternKind::Memory, self.memories.get(index).map_or_else(unknown, memory_text))
            }
            ExternalKind::Global => {
                (ExternKind::Global, self.globals.get(index).map_or_else(unknown, global_text))
            }
            ExternalKind::Tag => (ExternKind::Tag, unknown()),
        };
        self.facts.push_export(Export::new(export.name, kind, &ty)).map_err(CompileError::TooLarge)
    }

    fn table(&mut self, table: TableType) -> Result<(), CompileError> {
        self.tables.push(table);
        let extent = Extent { min: table.initial, max: table.maximum };
        self.facts.push_table(extent).map_err(CompileError::TooLarge)
    }

    fn memory(&mut self, memory: MemoryType) -> Result<(), CompileError> {
        self.memories.push(memory);
        let extent = Extent { min: memory.initial, max: memory.maximum };
        self.facts.push_memory(extent).map_err(CompileError::TooLarge)
    }

    fn function_text(&self, index: u32) -> String {
        let ty = usize::try_from(index).ok().and_then(|index| self.types.get(index)?.as_ref());
        ty.map_or_else(|| "?".to_owned(), |ty| function_type(ty.params(), ty.results()))
    }
}

fn table_text(table: &TableType) -> String {
    table.element_type.to_string()
}

fn memory_text(memory: &MemoryType) -> String {
    match memory.maximum {
        Some(maximum) => format!("{} to {maximum} pages", memory.initial),
        None => format!("{} pages", memory.initial),
    }
}

fn global_text(global: &GlobalType) -> String {
    let mutable = if global.mutable { "mut " } else { "" };
    format!("{mutable}{}", global.content_type)
}
