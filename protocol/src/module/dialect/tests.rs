use super::super::facts::{Export, ExternKind, Import};
use super::shape::{Imports, Shape};
use super::shapes::CASEMATE_1;
use super::*;

/// A module of casemate-1 with everything, to be changed.
fn plugin() -> (Vec<Import>, Vec<Export>) {
    let functions = CASEMATE_1.required.iter().chain(CASEMATE_1.optional);
    let mut exports: Vec<Export> =
        functions.map(|(name, types)| Export::new(name, ExternKind::Function, types[0])).collect();
    exports.push(Export::new("memory", ExternKind::Memory, "1"));
    let Imports::Only(from, functions) = CASEMATE_1.imports else { panic!("it has imports of its own") };
    let import = |(name, types): &(&str, &[&str])| Import::new(from, name, ExternKind::Function, types[0]);
    let imports = functions.iter().map(import).collect();
    (imports, exports)
}

fn facts(imports: Vec<Import>, exports: Vec<Export>) -> ModuleFacts {
    let mut facts = ModuleFacts::default();
    imports.into_iter().for_each(|import| facts.push_import(import).unwrap());
    exports.into_iter().for_each(|export| facts.push_export(export).unwrap());
    facts
}

fn found(imports: Vec<Import>, exports: Vec<Export>) -> Result<Detected, DetectError> {
    detect(&facts(imports, exports), None)
}

fn without(name: &str) -> Result<Detected, DetectError> {
    let (imports, mut exports) = plugin();
    exports.retain(|export| export.name != name);
    found(imports, exports)
}

#[test]
fn a_whole_plugin_is_found_and_the_reason_names_its_exports() {
    let (imports, exports) = plugin();
    let found = found(imports, exports).unwrap();
    assert_eq!(found.dialect, Dialect::Casemate1);
    assert_eq!(
        found.why,
        "it exports memory, casemate_abi, casemate_alloc, casemate_free, casemate_call, also casemate_describe, \
         casemate_init, casemate_event, casemate_shutdown and imports 3 of the functions of casemate"
    );
}

#[test]
fn optional_exports_and_all_imports_may_be_absent() {
    let (_, mut exports) = plugin();
    exports.retain(|export| CASEMATE_1.optional.iter().all(|(name, _)| export.name != *name));
    let found = found(Vec::new(), exports).unwrap();
    assert!(found.why.as_str().ends_with("casemate_call and imports nothing"), "{}", found.why);
}

#[test]
fn a_missing_export_is_named() {
    let missing = vec![Name::escaped("casemate_free")];
    let expected = DetectError::NoDialect { nearest: Some(Dialect::Casemate1), missing };
    assert_eq!(without("casemate_free"), Err(expected));
    assert_eq!(without("memory"), Err(DetectError::MissingMemory));
}

#[test]
fn a_module_of_nothing_known_is_near_to_nothing() {
    let error = found(Vec::new(), vec![Export::new("begin", ExternKind::Function, "() -> ()")]).unwrap_err();
    let DetectError::NoDialect { nearest: None, missing } = &error else { panic!("{error}") };
    assert_eq!(missing.len(), 4);
    assert_eq!(
        error.to_string(),
        "the module speaks no dialect known here; a plugin of casemate-1 exports casemate_abi, casemate_alloc, \
         casemate_free, casemate_call: build it with casemate-plugin"
    );
}

#[test]
fn each_known_function_has_exactly_one_type() {
    let (imports, exports) = plugin();
    for index in 0..exports.len() - 1 {
        let mut changed = exports.clone();
        changed[index].ty = Name::escaped("(i64) -> i64");
        let error = found(imports.clone(), changed).unwrap_err();
        let DetectError::WrongSignature { direction: Direction::Export, name, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(name, &exports[index].name);
    }
    for index in 0..imports.len() {
        let mut changed = imports.clone();
        changed[index].ty = Name::escaped("(i64) -> i64");
        let error = found(changed, exports.clone()).unwrap_err();
        assert_eq!(error.code(), "wrong_signature");
        assert!(error.to_string().starts_with("the import casemate."), "{error}");
    }
}

#[test]
fn a_name_of_another_kind_is_no_function() {
    let (imports, mut exports) = plugin();
    exports[0].kind = ExternKind::Global;
    exports[0].ty = Name::escaped("i32");
    let error = found(imports, exports).unwrap_err();
    assert_eq!(error.to_string(), "the export casemate_abi must be () -> i32 and is a global, i32");

    let (imports, mut exports) = plugin();
    exports.last_mut().unwrap().kind = ExternKind::Function;
    assert_eq!(found(imports, exports), Err(DetectError::MissingMemory));
}

#[test]
fn unknown_imports_are_named_with_what_to_do() {
    let cases = [
        (
            "casemate",
            "stream_read",
            "the module imports casemate.stream_read and this version does not have it",
        ),
        ("wasi_snapshot_preview1", "fd_fly", "that is in no WASI known here"),
        ("env", "do\u{1b}it", "the module imports env.do\\u{1b}it and no host function has that name"),
        ("Casemate", "log", "the module imports Casemate.log"),
    ];
    for (module, name, words) in cases {
        let (mut imports, exports) = plugin();
        imports.push(Import::new(module, name, ExternKind::Function, "() -> i32"));
        let error = found(imports, exports).unwrap_err();
        assert_eq!(error.code(), "unknown_import");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn an_imported_memory_is_refused() {
    let (mut imports, exports) = plugin();
    imports.push(Import::new("env", "memory", ExternKind::Memory, "1"));
    assert_eq!(found(imports, exports).unwrap_err().code(), "unknown_import");
}

#[test]
fn two_dialects_that_fit_are_a_tie_and_a_misfit_does_not_count() {
    let (imports, exports) = plugin();
    let whole = facts(imports, exports);
    let tie = DetectError::Tie { first: Dialect::Casemate1, second: Dialect::Casemate1 };
    assert_eq!(among(&whole, &[&CASEMATE_1, &CASEMATE_1]), Err(tie));

    let misfit = Shape { required: &[("casemate_abi", &["() -> f64"])], ..CASEMATE_1 };
    assert!(among(&whole, &[&misfit, &CASEMATE_1]).is_ok());
}

#[test]
fn two_systems_in_one_module_are_a_tie_until_one_is_named() {
    let function = |name: &str, ty: &str| Export::new(name, ExternKind::Function, ty);
    let exports = vec![
        Export::new("memory", ExternKind::Memory, "1"),
        function("alloc", "(i32) -> i32"),
        function("library_call", "(i32, i32) -> i64"),
        function("library_check", "(i32, i32, i32) -> ()"),
        function("metadata", "(i32, i32) -> i32"),
        function("call", "(i32, i32, i32, i32) -> i32"),
    ];
    let both = facts(Vec::new(), exports.clone());
    let error = detect(&both, None).unwrap_err();
    assert_eq!(error, DetectError::Tie { first: Dialect::Hielements, second: Dialect::PocketBuffer });
    assert!(error.to_string().contains("name its dialect in its manifest"), "{error}");
    for one in [Dialect::Hielements, Dialect::PocketBuffer] {
        assert_eq!(detect(&both, Some(one)).unwrap().dialect, one);
    }
    assert_eq!(found(Vec::new(), exports[..4].to_vec()).unwrap().dialect, Dialect::Hielements);
}

#[test]
fn what_nobody_provides_is_told_and_does_not_refuse_a_foreign_module() {
    let imports = ["spacedrive_log", "spacedrive_fly"]
        .map(|name| Import::new("spacedrive", name, ExternKind::Function, "(i32) -> i32"));
    let function = |name: &str, ty: &str| Export::new(name, ExternKind::Function, ty);
    let memory = Export::new("memory", ExternKind::Memory, "1");
    let exports = vec![memory, function("wasm_alloc", "(i32) -> i32"), function("plugin_init", "() -> i32")];
    let found = found(imports.to_vec(), exports).unwrap();
    assert_eq!(
        found.why,
        "it exports memory, wasm_alloc, plugin_init and imports 2 functions, of which nobody has \
         spacedrive.spacedrive_fly"
    );
}

fn wasi(exports: &[&str]) -> ModuleFacts {
    let import = Import::new("wasi_snapshot_preview1", "fd_write", ExternKind::Function, "");
    let functions = exports.iter().map(|name| Export::new(name, ExternKind::Function, "() -> ()"));
    let memory = Export::new("memory", ExternKind::Memory, "1");
    facts(vec![import], functions.chain([memory]).collect())
}

#[test]
fn programs_and_libraries_of_wasi_are_told_apart() {
    let dialect = |exports: &[&str]| detect(&wasi(exports), None).map(|found| found.dialect);
    assert_eq!(dialect(&["_start"]), Ok(Dialect::WasiCommand));
    assert_eq!(dialect(&["_initialize", "work"]), Ok(Dialect::WasiReactor));
    assert_eq!(dialect(&["work"]).unwrap_err().code(), "no_dialect");
    assert_eq!(
        dialect(&["_initialize", "casemate_abi"]).unwrap_err().code(),
        "no_dialect",
        "nearly a plugin"
    );
}

#[test]
fn the_worker_follows_from_what_a_module_wants() {
    let (mut imports, exports) = plugin();
    let profile = |facts: ModuleFacts| detect(&facts, None).map(|found| profile(&facts, found.dialect));
    assert_eq!(profile(facts(imports.clone(), exports.clone())), Ok(Profile::Core));
    imports.push(Import::new("wasi_snapshot_preview1", "fd_write", ExternKind::Function, ""));
    assert_eq!(profile(facts(imports, exports)), Ok(Profile::Wasi));
    assert_eq!(profile(wasi(&["_start"])), Ok(Profile::Wasi));
}

#[test]
fn components_are_told_by_their_exports() {
    let component = |import: &str, export: &str| {
        let imports = vec![Import::new(import, "f", ExternKind::Function, "")];
        let mut facts = facts(imports, vec![Export::new(export, ExternKind::Function, "")]);
        facts.sizes.is_component = true;
        detect(&facts, None).map(|found| found.dialect)
    };
    let io = "wasi:io/streams@0.2.6";
    assert_eq!(component(io, "wasi:cli/run@0.2.6#run"), Ok(Dialect::CommandComponent));
    assert_eq!(component(io, "casemate:plugin/guest@0.1.0#call"), Ok(Dialect::PluginComponent));
    assert_eq!(component("wasi:http/types@0.2.6", "a:b/c#d"), Ok(Dialect::Component));
    assert_eq!(component("mine:own/things@1.0.0", "work").unwrap_err().code(), "unknown_import");
}
