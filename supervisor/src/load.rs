//! From a module's bytes to a proven zygote: found in the cache or compiled, started, and kept for the next time.

use crate::cache::{Access, Place};
use crate::compile::compile;
use crate::external::External;
use crate::instance::Shared;
use crate::plugin::{Proven, compile_spec};
use crate::process::control::broken;
use casemate_protocol::outcome::{Cause, Failure};
use casemate_protocol::spawn::LOADING;
use std::sync::Arc;

/// What a plugin's code is.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A module's bytes.
    Module(Arc<[u8]>),
    /// A native program.
    Program(Arc<External>),
}

/// Loads a plugin's code.
pub(crate) async fn load(shared: &Arc<Shared>, source: &Source) -> Result<Proven, Failure> {
    match source {
        Source::Module(wasm) => load_module(shared, wasm).await,
        Source::Program(program) => Proven::start_program(shared, program).await,
    }
}

async fn load_module(shared: &Arc<Shared>, wasm: &Arc<[u8]>) -> Result<Proven, Failure> {
    let spec = compile_spec(&shared.policy());
    let Some(place) = Access::place(&shared.context, wasm, &spec).await else {
        let compiled = compile(&shared.context, wasm, spec).await?;
        return Proven::start(shared, wasm, compiled).await;
    };
    if let Some(proven) = find(&place, shared, wasm).await? {
        return Ok(proven);
    }
    let _turn = place.turn().await;
    // Whoever had the turn before may have stored it.
    if let Some(proven) = find(&place, shared, wasm).await? {
        return Ok(proven);
    }
    let compiled = compile(&shared.context, wasm, spec).await?;
    let report = compiled.report.clone();
    let code = compiled.code.try_clone().map_err(|error| broken("keeping the compiled code", error))?;
    let proven = Proven::start(shared, wasm, compiled).await?;
    // Only what an engine has taken is kept: a compiler that was lost once is not remembered.
    place.keep(report, code).await;
    Ok(proven)
}

/// What the cache has. An entry that the engine refuses is as good as none.
async fn find(place: &Place, shared: &Arc<Shared>, wasm: &Arc<[u8]>) -> Result<Option<Proven>, Failure> {
    let Some(found) = place.find().await else { return Ok(None) };
    match Proven::start(shared, wasm, found).await {
        Ok(proven) => Ok(Some(proven)),
        Err(failure) if is_refusal(&failure) => {
            place.refuse().await;
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Whether the engine did not take the code.
fn is_refusal(failure: &Failure) -> bool {
    matches!(&failure.cause, Cause::Spawn { step, .. } if step == LOADING)
}
