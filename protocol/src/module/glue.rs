//! Imports that only a JavaScript loader can answer: a module that has them was built for another kind of host.

use super::facts::{Import, ModuleFacts};
use super::text::Name;
use std::fmt;

/// Who makes such modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Glue {
    /// Emscripten's output for a browser or node.
    Emscripten = 1,
    /// A node add-on built for wasm.
    Napi = 2,
    /// Rust for a browser.
    WasmBindgen = 3,
    /// Go or TinyGo for a browser.
    GoJs = 4,
}

impl Glue {
    const ALL: [Self; 4] = [Self::Emscripten, Self::Napi, Self::WasmBindgen, Self::GoJs];

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|glue| glue.number() == number)
    }

    pub(super) fn number(self) -> u8 {
        self as u8
    }

    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Emscripten => "emscripten",
            Self::Napi => "napi",
            Self::WasmBindgen => "wasm_bindgen",
            Self::GoJs => "go_js",
        }
    }

    fn of(import: &Import) -> Option<Self> {
        let (module, name) = (import.module.as_str(), import.name.as_str());
        let named = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        if module == "napi" || module == "emnapi" || named(&["napi_", "node_api_", "emnapi_", "_emnapi_"]) {
            return Some(Self::Napi);
        }
        if module == "wbg" || module.starts_with("__wbindgen_") || named(&["__wbindgen_", "__wbg_"]) {
            return Some(Self::WasmBindgen);
        }
        if module == "gojs" || (module == "go" && named(&["runtime.", "syscall/js.", "debug"])) {
            return Some(Self::GoJs);
        }
        let from_environment = matches!(module, "env" | "a" | "GOT.mem" | "GOT.func");
        let emscripten =
            named(&["emscripten_", "_emscripten_", "__cxa_", "__syscall_", "_embind_", "_emval_"])
                || is_invoke(name)
                || module.starts_with("GOT.")
                || (module == "a" && name.len() <= 2);
        (from_environment && emscripten).then_some(Self::Emscripten)
    }
}

/// `invoke_viii`: a call through JavaScript's exceptions.
fn is_invoke(name: &str) -> bool {
    name.strip_prefix("invoke_")
        .is_some_and(|types| !types.is_empty() && types.bytes().all(|byte| b"vijfdp".contains(&byte)))
}

/// An import that gives a module away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlueFound {
    /// Who made the module.
    pub glue: Glue,
    /// First half of the import's name.
    pub module: Name,
    /// Second half of the import's name.
    pub name: Name,
}

impl fmt::Display for GlueFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { glue, module, name } = self;
        let (made_by, instead) = match glue {
            Glue::Emscripten => (
                "needs Emscripten's JavaScript",
                "build it with -sSTANDALONE_WASM --no-entry and the functions of casemate-1",
            ),
            Glue::Napi => ("is a node add-on", "build its core for wasm32-unknown-unknown, without napi"),
            Glue::WasmBindgen => {
                ("needs wasm-bindgen's JavaScript", "use casemate-plugin in place of wasm-bindgen")
            }
            Glue::GoJs => ("needs Go's wasm_exec.js", "build it with TinyGo for wasm-unknown"),
        };
        write!(
            f,
            "the module {made_by} (it imports {module}.{name}) and there is no JavaScript here: {instead}"
        )
    }
}

/// The first import that needs JavaScript.
pub fn glue(facts: &ModuleFacts) -> Option<GlueFound> {
    facts.imports().iter().find_map(|import| {
        let glue = Glue::of(import)?;
        Some(GlueFound { glue, module: import.module.clone(), name: import.name.clone() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::ExternKind;

    #[test]
    fn makers_are_told_by_their_imports() {
        let cases = [
            ("env", "emscripten_memcpy_js", Some(Glue::Emscripten)),
            ("env", "_emscripten_throw_longjmp", Some(Glue::Emscripten)),
            ("env", "invoke_viii", Some(Glue::Emscripten)),
            ("env", "__cxa_throw", Some(Glue::Emscripten)),
            ("GOT.mem", "__heap_base", Some(Glue::Emscripten)),
            ("a", "b", Some(Glue::Emscripten)),
            ("env", "napi_create_function", Some(Glue::Napi)),
            ("napi", "anything", Some(Glue::Napi)),
            ("env", "_emnapi_get_last_error_info", Some(Glue::Napi)),
            ("wbg", "__wbg_log_1", Some(Glue::WasmBindgen)),
            ("__wbindgen_placeholder__", "__wbindgen_throw", Some(Glue::WasmBindgen)),
            ("./app_bg.js", "__wbindgen_throw", Some(Glue::WasmBindgen)),
            ("gojs", "runtime.ticks", Some(Glue::GoJs)),
            ("go", "syscall/js.valueGet", Some(Glue::GoJs)),
            ("env", "abort", None),
            ("env", "invoke_", None),
            ("env", "invoke_handler", None),
            ("env", "sk_debug", None),
            ("casemate", "host_call", None),
            ("wasi_snapshot_preview1", "fd_write", None),
        ];
        for (module, name, expected) in cases {
            let mut facts = ModuleFacts::default();
            facts.push_import(Import::new(module, name, ExternKind::Function, "() -> ()")).unwrap();
            assert_eq!(glue(&facts).map(|found| found.glue), expected, "{module}.{name}");
        }
    }
}
