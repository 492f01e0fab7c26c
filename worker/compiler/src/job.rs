//! One job, from its input to its output.

use crate::check::{Refusal, check};
use casemate_engine::{EngineKind, EngineOptions};
use casemate_protocol::certificate::Profile;
use casemate_protocol::module::{
    Accepted, Code, CompileError, CompileReport, Dialect, MODULE_BYTES_MAX, Message, ModuleFacts,
};
use casemate_protocol::spawn::CompileSpec;
use std::io::{self, Read, Write};

/// Reads a module, and writes `u32 LE report length, report, native code`.
pub fn run(input: &mut impl Read, output: &mut impl Write, spec: &CompileSpec) -> io::Result<()> {
    let mut wasm = Vec::new();
    // One byte more than is allowed is enough to see that it is too long.
    input.take(MODULE_BYTES_MAX + 1).read_to_end(&mut wasm)?;
    let (report, code) = compile(&wasm, spec);
    let report = report.encode();
    let length = u32::try_from(report.len()).map_err(io::Error::other)?;
    output.write_all(&length.to_le_bytes())?;
    output.write_all(&report)?;
    output.write_all(&code)
}

/// What a module is, and its native code if it is a plugin and that was asked for.
pub fn compile(wasm: &[u8], spec: &CompileSpec) -> (CompileReport, Vec<u8>) {
    match check(wasm).and_then(|facts| accept(wasm, facts, spec)) {
        Ok((accepted, code)) => (CompileReport::Accepted(accepted), code),
        Err(refusal) => {
            let (error, facts) = *refusal;
            (CompileReport::Refused { error, facts }, Vec::new())
        }
    }
}

fn accept(wasm: &[u8], facts: ModuleFacts, spec: &CompileSpec) -> Result<(Accepted, Vec<u8>), Refusal> {
    let refusal = |error, facts: &ModuleFacts| Box::new((error, Some(facts.clone())));
    let wanted = Dialect::from_number(spec.dialect);
    let accepted = Accepted::new(facts.clone(), wanted, Code::default())
        .map_err(|error| refusal(CompileError::Dialect(error), &facts))?;
    if spec.inspect_only {
        return Ok((accepted, Vec::new()));
    }
    let (bytes, compatibility) = generate(wasm, &accepted, spec).map_err(|error| refusal(error, &facts))?;
    let cwasm_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok((accepted.with_code(Code { cwasm_bytes, compatibility }), bytes))
}

fn generate(wasm: &[u8], accepted: &Accepted, spec: &CompileSpec) -> Result<(Vec<u8>, u64), CompileError> {
    let failed = |error: wasmtime::Error| CompileError::CompileFailed {
        message: Message::escaped(&format!("{error:#}")),
    };
    let kind = match accepted.profile() {
        Profile::Core => EngineKind::Core,
        _ => EngineKind::Components,
    };
    let options = EngineOptions { max_wasm_stack_bytes: spec.stack_bytes, fuel: spec.fuel, kind };
    let engine = casemate_engine::engine(&options).map_err(failed)?;
    let code = if accepted.facts().sizes.is_component {
        engine.precompile_component(wasm)
    } else {
        engine.precompile_module(wasm)
    };
    let code = code.map_err(failed)?;
    Ok((code, casemate_engine::compatibility(&options)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_protocol::module::ExternKind;

    const SPEC: CompileSpec =
        CompileSpec { inspect_only: false, dialect: 0, stack_bytes: 1 << 20, fuel: false };

    const PLUGIN: &str = r#"
        (import "casemate" "log" (func (param i32 i32 i32)))
        (memory (export "memory") 1 10)
        (func (export "casemate_abi") (result i32) i32.const 1)
        (func (export "casemate_alloc") (param i32 i32) (result i32) i32.const 8)
        (func (export "casemate_free") (param i32 i32 i32))
        (func (export "casemate_call") (param i32 i32) (result i64) i64.const 0)"#;

    fn code_of(wasm: &[u8]) -> String {
        let (report, code) = compile(wasm, &SPEC);
        assert_eq!(CompileReport::decode(&report.encode()).as_ref(), Ok(&report), "a report survives");
        match report.into_result() {
            Ok(accepted) => {
                assert_eq!(accepted.code().cwasm_bytes, code.len() as u64);
                assert!(!code.is_empty());
                "accepted".to_owned()
            }
            Err(error) => {
                assert!(code.is_empty(), "no code comes with a refusal");
                assert!(!error.to_string().contains('\n'), "one line: {error}");
                error.code().to_owned()
            }
        }
    }

    fn code_of_wat(body: &str) -> String {
        code_of(&wat::parse_str(format!("(module {body})")).unwrap())
    }

    #[test]
    fn every_refusal_has_its_code() {
        assert_eq!(code_of_wat(PLUGIN), "accepted");
        assert_eq!(code_of(b""), "not_wasm");
        assert_eq!(code_of(b"\x7fELF\x02\x01\x01"), "not_wasm");
        assert_eq!(code_of(b"\0asm\x0d\0\x01\0"), "no_dialect", "a component that exports nothing");
        assert_eq!(code_of_wat(&format!(r#"(import "env" "mystery" (func)) {PLUGIN}"#)), "unknown_import");
        assert_eq!(
            code_of_wat(&PLUGIN.replace("(result i64) i64.const 0", "(result i32) i32.const 0")),
            "wrong_signature"
        );
        assert_eq!(code_of_wat(&format!(r#"(import "env" "napi_create_function" (func)) {PLUGIN}"#)), "napi");
        let invalid = wat::parse_str(format!("(module {PLUGIN} (func i32.add drop))")).unwrap();
        assert_eq!(code_of(&invalid), "invalid");
        let mut cut = wat::parse_str(format!("(module {PLUGIN})")).unwrap();
        cut.truncate(cut.len() - 3);
        assert_eq!(code_of(&cut), "invalid");
        assert_eq!(code_of_wat(&format!("{PLUGIN} (memory 1 1 shared)")), "unsupported_feature");
    }

    #[test]
    fn too_much_of_anything_is_named() {
        let long =
            [b"\0asm\x01\0\0\0".to_vec(), vec![0; usize::try_from(MODULE_BYTES_MAX).unwrap()]].concat();
        assert_eq!(code_of(&long), "too_large");
        let many = "(func)".repeat(100_001);
        assert_eq!(code_of_wat(&format!("{PLUGIN} {many}")), "too_large");
    }

    #[test]
    fn facts_name_what_is_there() {
        let wasm = wat::parse_str(format!("(module {PLUGIN} (func $start) (start $start))")).unwrap();
        let spec = CompileSpec { inspect_only: true, ..SPEC };
        let (report, code) = compile(&wasm, &spec);
        assert!(code.is_empty(), "looked at only");
        let facts = report.facts().unwrap();
        assert!(facts.sizes.has_start);
        assert_eq!(facts.sizes.module_bytes, wasm.len() as u64);
        let import = &facts.imports()[0];
        assert_eq!(
            (import.module.as_str(), import.name.as_str(), import.kind),
            ("casemate", "log", ExternKind::Function)
        );
        assert_eq!(import.ty.as_str(), "(i32, i32, i32) -> ()");
        assert_eq!(facts.export("casemate_call").unwrap().ty.as_str(), "(i32, i32) -> i64");
        assert_eq!((facts.memories()[0].min, facts.memories()[0].max), (1, Some(10)));
    }

    #[test]
    fn a_job_writes_length_report_and_code() {
        let wasm = wat::parse_str(format!("(module {PLUGIN})")).unwrap();
        let mut out = Vec::new();
        run(&mut wasm.as_slice(), &mut out, &SPEC).unwrap();
        let length = u32::from_le_bytes(out[..4].try_into().unwrap()) as usize;
        let report = CompileReport::decode(&out[4..4 + length]).unwrap();
        let cwasm_bytes = report.into_result().unwrap().code().cwasm_bytes;
        assert_eq!(out.len() as u64, 4 + length as u64 + cwasm_bytes);
    }

    #[test]
    fn a_dialect_that_is_wanted_is_seen_to() {
        let wanting = |body: &str, dialect: Dialect| {
            let wasm = wat::parse_str(format!("(module {body})")).unwrap();
            let spec = CompileSpec { inspect_only: true, dialect: dialect.number(), ..SPEC };
            let (report, _) = compile(&wasm, &spec);
            assert_eq!(CompileReport::decode(&report.encode()).as_ref(), Ok(&report), "a report survives");
            report.into_result().map(|accepted| accepted.dialect()).map_err(|error| error.to_string())
        };
        let program = r#"(memory (export "memory") 1) (func (export "_start"))"#;
        assert_eq!(wanting(program, Dialect::PocketStdio), Ok(Dialect::PocketStdio));
        assert_eq!(wanting(PLUGIN, Dialect::Casemate1), Ok(Dialect::Casemate1));
        let why = wanting(PLUGIN, Dialect::Spacedrive).unwrap_err();
        assert!(why.contains("of dialect spacedrive but does not export wasm_alloc, plugin_init"), "{why}");
        let why = wanting(PLUGIN, Dialect::Component).unwrap_err();
        assert!(why.contains("of dialect component but does not export what components do"), "{why}");
    }

    #[test]
    fn fuel_makes_other_code() {
        let wasm = wat::parse_str(format!("(module {PLUGIN})")).unwrap();
        let (_, free) = compile(&wasm, &SPEC);
        let (_, counted) = compile(&wasm, &CompileSpec { fuel: true, ..SPEC });
        assert_ne!(free, counted);
    }
}
