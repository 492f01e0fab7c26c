//! A component's facts: what its world imports and exports, function by function, and how large its modules are together.

use crate::check::{Refusal, features};
use crate::facts::sort_of;
use casemate_protocol::module::{
    CompileError, Export, ExternKind, FUNCTION_BYTES_MAX, FUNCTIONS_MAX, Import, Limit, ModuleFacts,
    OverLimit,
};
use std::fmt::Write as _;
use wasmparser::component_types::{
    ComponentDefinedType, ComponentEntityType, ComponentFuncType, ComponentValType,
};
use wasmparser::types::Types;
use wasmparser::{ComponentExternalKind, Parser, Payload, Validator, WasmFeatures};

/// Bytes of a type's text: more is cut, and whoever wants it all has the component.
const TYPE_BYTES_MAX: usize = 240;
/// Levels of a type's text.
const TYPE_DEPTH_MAX: usize = 8;

/// Checks a component, but for its dialect, and tells its facts.
pub(crate) fn check(wasm: &[u8]) -> Result<ModuleFacts, Refusal> {
    let bare = |error| Box::new((error, None));
    let mut facts = ModuleFacts::default();
    facts.sizes.is_component = true;
    facts.sizes.module_bytes = u64::try_from(wasm.len()).unwrap_or(u64::MAX);
    let names = sizes(wasm, &mut facts).map_err(bare)?;
    let mut validator = Validator::new_with_features(features() | WasmFeatures::COMPONENT_MODEL);
    let types = validator.validate_all(wasm).map_err(|error| bare(sort_of(&error)))?;
    gather(&types, &names, &mut facts).map_err(|over| bare(CompileError::TooLarge(over)))?;
    Ok(facts)
}

/// Names of the world's imports and exports, in their order.
#[derive(Default)]
struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Walks through everything in it, and meets every limit before anything is made of it.
fn sizes(wasm: &[u8], facts: &mut ModuleFacts) -> Result<Names, CompileError> {
    let mut names = Names::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(wasm) {
        let sizes = &mut facts.sizes;
        match payload.map_err(|error| sort_of(&error))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.imports.push(import.map_err(|error| sort_of(&error))?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(|error| sort_of(&error))?;
                    if matches!(export.kind, ComponentExternalKind::Func | ComponentExternalKind::Instance) {
                        names.exports.push(export.name.name.to_owned());
                    }
                }
            }
            Payload::FunctionSection(section) => {
                sizes.functions = sizes.functions.saturating_add(section.count());
                let observed = sizes.functions.into();
                OverLimit::check(Limit::Functions, observed, FUNCTIONS_MAX.into())
                    .map_err(CompileError::TooLarge)?;
            }
            Payload::CodeSectionEntry(body) => {
                let bytes = u64::try_from(body.range().len()).unwrap_or(u64::MAX);
                OverLimit::check(Limit::FunctionBytes, bytes, FUNCTION_BYTES_MAX.into())
                    .map_err(CompileError::TooLarge)?;
            }
            Payload::CodeSectionStart { size, .. } => {
                sizes.code_bytes = sizes.code_bytes.saturating_add(size.into());
            }
            Payload::GlobalSection(section) => {
                sizes.globals = sizes.globals.saturating_add(section.count());
            }
            Payload::DataSection(section) => {
                for segment in section {
                    let bytes = segment.map_err(|error| sort_of(&error))?.data.len();
                    sizes.data_bytes =
                        sizes.data_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
                }
            }
            Payload::StartSection { .. } => sizes.has_start = true,
            Payload::CustomSection(section) => {
                let bytes = u64::try_from(section.data().len()).unwrap_or(u64::MAX);
                sizes.custom_bytes = sizes.custom_bytes.saturating_add(bytes);
                sizes.has_names |= section.name() == "name";
            }
            _ => {}
        }
    }
    Ok(names)
}

fn gather(types: &Types, names: &Names, facts: &mut ModuleFacts) -> Result<(), OverLimit> {
    for name in &names.imports {
        let Some(item) = types.component_item_for_import(name) else { continue };
        each_function(types, &item.ty, &mut |function, ty| {
            facts.push_import(Import::new(name, function.unwrap_or_default(), ExternKind::Function, ty))
        })?;
        if let ComponentEntityType::Instance(instance) = &item.ty
            && types[*instance].exports.is_empty()
        {
            facts.push_import(Import::new(name, "", ExternKind::Function, ""))?;
        }
    }
    for name in &names.exports {
        let Some(item) = types.component_item_for_export(name) else { continue };
        each_function(types, &item.ty, &mut |function, ty| {
            let full = function.map_or_else(|| name.clone(), |function| format!("{name}#{function}"));
            facts.push_export(Export::new(&full, ExternKind::Function, ty))
        })?;
    }
    Ok(())
}

/// Each function of an item: itself, or those of an interface.
fn each_function(
    types: &Types,
    item: &ComponentEntityType,
    visit: &mut impl FnMut(Option<&str>, &str) -> Result<(), OverLimit>,
) -> Result<(), OverLimit> {
    match item {
        ComponentEntityType::Func(function) => visit(None, &function_text(types, &types[*function])),
        ComponentEntityType::Instance(instance) => {
            for (name, item) in &types[*instance].exports {
                if let ComponentEntityType::Func(function) = item.ty {
                    visit(Some(name), &function_text(types, &types[function]))?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `(name: string, level: u8) -> result<list<u8>, string>`.
fn function_text(types: &Types, function: &ComponentFuncType) -> String {
    let mut text = Text { types, text: String::new() };
    text.put("(");
    for (index, (name, ty)) in function.params.iter().enumerate() {
        if index > 0 {
            text.put(", ");
        }
        let _ = write!(text.text, "{name}: ");
        text.value(ty, 0);
    }
    text.put(")");
    if let Some(ty) = &function.result {
        text.put(" -> ");
        text.value(ty, 0);
    }
    text.text
}

struct Text<'a> {
    types: &'a Types,
    text: String,
}

impl Text<'_> {
    fn put(&mut self, words: &str) {
        if self.text.len() < TYPE_BYTES_MAX {
            self.text.push_str(words);
        }
    }

    fn value(&mut self, ty: &ComponentValType, depth: usize) {
        if depth == TYPE_DEPTH_MAX || self.text.len() >= TYPE_BYTES_MAX {
            return self.put("…");
        }
        match ty {
            ComponentValType::Primitive(primitive) => {
                let _ = write!(self.text, "{primitive}");
            }
            ComponentValType::Type(id) => self.defined(&self.types[*id], depth + 1),
        }
    }

    fn list<'t>(&mut self, name: &str, of: impl Iterator<Item = &'t ComponentValType>, depth: usize) {
        self.put(name);
        self.put("<");
        for (index, ty) in of.enumerate() {
            if index > 0 {
                self.put(", ");
            }
            self.value(ty, depth);
        }
        self.put(">");
    }

    fn defined(&mut self, ty: &ComponentDefinedType, depth: usize) {
        match ty {
            ComponentDefinedType::Primitive(primitive) => {
                let _ = write!(self.text, "{primitive}");
            }
            ComponentDefinedType::Record(record) => {
                self.put("{");
                for (index, (name, ty)) in record.fields.iter().enumerate() {
                    self.put(if index > 0 { ", " } else { "" });
                    self.put(name.as_str());
                    self.put(": ");
                    self.value(ty, depth);
                }
                self.put("}");
            }
            ComponentDefinedType::Variant(variant) => {
                for (index, (name, case)) in variant.cases.iter().enumerate() {
                    self.put(if index > 0 { " | " } else { "" });
                    self.put(name.as_str());
                    if let Some(ty) = &case.ty {
                        self.put("(");
                        self.value(ty, depth);
                        self.put(")");
                    }
                }
            }
            ComponentDefinedType::List { element, .. }
            | ComponentDefinedType::FixedLengthList { element, .. } => {
                self.list("list", std::iter::once(element), depth);
            }
            ComponentDefinedType::Map { key, value, .. } => self.list("map", [key, value].into_iter(), depth),
            ComponentDefinedType::Tuple(tuple) => self.list("tuple", tuple.types.iter(), depth),
            ComponentDefinedType::Flags(names) => self.words("flags", names.iter().map(|name| name.as_str())),
            ComponentDefinedType::Enum(names) => self.words("enum", names.iter().map(|name| name.as_str())),
            ComponentDefinedType::Option { ty, .. } => self.list("option", std::iter::once(ty), depth),
            ComponentDefinedType::Result { ok, err, .. } => {
                self.put("result<");
                match ok {
                    Some(ty) => self.value(ty, depth),
                    None => self.put("_"),
                }
                self.put(", ");
                match err {
                    Some(ty) => self.value(ty, depth),
                    None => self.put("_"),
                }
                self.put(">");
            }
            ComponentDefinedType::Own(_) => self.put("own"),
            ComponentDefinedType::Borrow(_) => self.put("borrow"),
            _ => self.put("?"),
        }
    }

    fn words<'w>(&mut self, name: &str, words: impl Iterator<Item = &'w str>) {
        self.put(name);
        self.put(" {");
        for (index, word) in words.enumerate() {
            self.put(if index > 0 { ", " } else { "" });
            self.put(word);
        }
        self.put("}");
    }
}
