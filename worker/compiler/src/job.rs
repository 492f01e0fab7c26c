//! One job, from its input to its output.

use crate::check::check;
use casemate_engine::EngineOptions;
use casemate_protocol::module::{Accepted, Code, CompileError, CompileReport, MODULE_BYTES_MAX, Message};
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
    let (error, facts) = match check(wasm) {
        Ok(facts) => match generate(wasm, spec) {
            Ok((bytes, compatibility)) => {
                let cwasm_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                let code = Code { cwasm_bytes, compatibility };
                match Accepted::new(facts.clone(), code) {
                    Ok(accepted) => return (CompileReport::Accepted(accepted), bytes),
                    Err(error) => (CompileError::Dialect(error), Some(facts)),
                }
            }
            Err(error) => (error, Some(facts)),
        },
        Err(refusal) => *refusal,
    };
    (CompileReport::Refused { error, facts }, Vec::new())
}

fn generate(wasm: &[u8], spec: &CompileSpec) -> Result<(Vec<u8>, u64), CompileError> {
    if spec.inspect_only {
        return Ok((Vec::new(), 0));
    }
    let failed = |error: wasmtime::Error| CompileError::CompileFailed {
        message: Message::escaped(&format!("{error:#}")),
    };
    let options = EngineOptions { max_wasm_stack_bytes: spec.stack_bytes, fuel: spec.fuel };
    let engine = casemate_engine::engine(&options).map_err(failed)?;
    let code = engine.precompile_module(wasm).map_err(failed)?;
    Ok((code, casemate_engine::compatibility(&options)))
}
