//! Nothing but tests: that each hand-written module in `../wat` assembles, is valid, says what it is for, and differs
//! from a good plugin in what its name says and in nothing else. What the modules do is for the suites to see.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use wasmparser::{Encoding, ExternalKind, Parser, Payload, Validator, WasmFeatures};

    const ABI: [&str; 4] = ["casemate_abi", "casemate_alloc", "casemate_free", "casemate_call"];

    /// Which of [`ABI`] and `memory` a module leaves out on purpose.
    fn missing_on_purpose(name: &str) -> &'static [&'static str] {
        match name {
            "missing_call" => &["casemate_call"],
            "no_memory" => &["memory"],
            _ => &[],
        }
    }

    /// What a module imports beside the functions of the ABI.
    fn foreign_imports(name: &str) -> &'static [&'static str] {
        match name {
            "unknown_import" => &["env.mystery"],
            _ => &[],
        }
    }

    /// Modules that are no plugins of this ABI at all.
    const FOREIGN: [&str; 3] = ["component", "emscripten_like", "napi_like"];

    fn sources() -> BTreeMap<String, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wat");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files
            .map(|path| {
                assert_eq!(path.extension().unwrap(), "wat", "{path:?}");
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                (name, fs::read_to_string(path).unwrap())
            })
            .collect()
    }

    fn assemble(name: &str, source: &str) -> Vec<u8> {
        wat::parse_str(source).unwrap_or_else(|error| panic!("{name}.wat: {error}"))
    }

    /// Names of imports (`module.name`) and of exports (functions and memories).
    fn interface(binary: &[u8]) -> (Vec<String>, Vec<String>) {
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        for payload in Parser::new(0).parse_all(binary) {
            match payload.unwrap() {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.unwrap();
                        imports.push(format!("{}.{}", import.module, import.name));
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.unwrap();
                        if matches!(export.kind, ExternalKind::Func | ExternalKind::Memory) {
                            exports.push(export.name.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        (imports, exports)
    }

    #[test]
    fn each_assembles_and_is_valid() {
        let sources = sources();
        assert!(sources.len() >= 32, "only {} modules", sources.len());
        for (name, source) in &sources {
            let binary = assemble(name, source);
            Validator::new_with_features(WasmFeatures::all())
                .validate_all(&binary)
                .unwrap_or_else(|error| panic!("{name}.wat: {error}"));
        }
    }

    #[test]
    fn each_says_what_it_does_and_what_must_happen() {
        for (name, source) in &sources() {
            assert!(source.starts_with(";; Does: "), "{name}.wat does not begin with what it does");
            assert!(source.contains("\n;; Must: "), "{name}.wat does not say what must happen");
        }
    }

    #[test]
    fn only_one_thing_is_wrong_with_each() {
        for (name, source) in sources().iter().filter(|(name, _)| !FOREIGN.contains(&name.as_str())) {
            let (imports, exports) = interface(&assemble(name, source));
            let missing = missing_on_purpose(name);
            for export in ABI.iter().chain(&["memory"]) {
                let is_there = exports.iter().any(|there| there == export);
                assert_eq!(is_there, !missing.contains(export), "{name}.wat: {export}");
            }
            let foreign: Vec<_> = imports.iter().filter(|import| !import.starts_with("casemate.")).collect();
            assert_eq!(foreign, foreign_imports(name).iter().collect::<Vec<_>>(), "{name}.wat");
        }
    }

    #[test]
    fn the_component_is_one() {
        let binary = assemble("component", &sources()["component"]);
        let first = Parser::new(0).parse_all(&binary).next().unwrap().unwrap();
        assert!(matches!(first, Payload::Version { encoding: Encoding::Component, .. }));
    }
}
