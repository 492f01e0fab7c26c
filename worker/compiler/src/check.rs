//! Everything that can be wrong with a module before code is made of it, each under its own name.

use crate::facts::{gather, sort_of};
use casemate_protocol::module::{
    CompileError, Limit, MODULE_BYTES_MAX, ModuleFacts, OverLimit, Sniffed, glue, sniff,
};
use wasmparser::{Validator, WasmFeatures};

/// Why not, with the facts that were known by then.
pub(crate) type Refusal = Box<(CompileError, Option<ModuleFacts>)>;

/// The proposals that the engine's configuration leaves on.
pub(crate) fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::RELAXED_SIMD
}

/// Checks a module, but for its dialect, and tells its facts.
pub(crate) fn check(wasm: &[u8]) -> Result<ModuleFacts, Refusal> {
    let bare = |error| Box::new((error, None));
    let is_component = match sniff(wasm) {
        Sniffed::Module => false,
        Sniffed::Component => true,
        Sniffed::NotWasm(what) => return Err(bare(CompileError::NotWasm(what))),
    };
    let bytes = u64::try_from(wasm.len()).unwrap_or(u64::MAX);
    OverLimit::check(Limit::ModuleBytes, bytes, MODULE_BYTES_MAX)
        .map_err(|over| bare(CompileError::TooLarge(over)))?;
    if is_component {
        return crate::component::check(wasm);
    }
    let facts = gather(wasm).map_err(|error| Box::new((error, None)))?;
    if let Some(found) = glue(&facts) {
        return Err(Box::new((CompileError::Glue(found), Some(facts))));
    }
    if let Err(error) = Validator::new_with_features(features()).validate_all(wasm) {
        return Err(Box::new((sort_of(&error), Some(facts))));
    }
    Ok(facts)
}
