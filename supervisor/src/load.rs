//! From a module's bytes to a plugin: found in the cache or compiled, started, and kept for the next time.

use crate::cache::{Access, Place};
use crate::compile::{Compiled, compile};
use crate::instance::Shared;
use crate::plugin::Plugin;
use crate::process::control::broken;
use casemate_protocol::outcome::{Cause, Failure};
use casemate_protocol::spawn::{CompileSpec, LOADING};
use std::sync::Arc;

/// Loads a module.
pub(crate) async fn load(shared: Arc<Shared>, wasm: &[u8]) -> Result<Plugin, Failure> {
    let limits = shared.policy.limits();
    let spec =
        CompileSpec { inspect_only: false, stack_bytes: limits.stack_bytes, fuel: limits.fuel.is_some() };
    let Some(place) = Access::place(&shared.context, wasm, &spec).await else {
        let compiled = compile(&shared.context, wasm, spec).await?;
        return Plugin::start(shared, compiled).await;
    };
    if let Some(plugin) = find(&place, &shared).await? {
        return Ok(plugin);
    }
    let _turn = place.turn().await;
    // Whoever had the turn before may have stored it.
    if let Some(plugin) = find(&place, &shared).await? {
        return Ok(plugin);
    }
    let compiled = compile(&shared.context, wasm, spec).await?;
    let report = compiled.report.clone();
    let code = compiled.code.try_clone().map_err(|error| broken("keeping the compiled code", error))?;
    let plugin = Plugin::start(shared, compiled).await?;
    // Only what an engine has taken is kept: a compiler that was lost once is not remembered.
    place.keep(report, code).await;
    Ok(plugin)
}

/// A plugin of what the cache has. An entry that the engine refuses is as good as none.
async fn find(place: &Place, shared: &Arc<Shared>) -> Result<Option<Plugin>, Failure> {
    let Some(found) = place.find().await else { return Ok(None) };
    match start(shared, found).await {
        Ok(plugin) => Ok(Some(plugin)),
        Err(failure) if is_refusal(&failure) => {
            place.refuse().await;
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

async fn start(shared: &Arc<Shared>, found: Compiled) -> Result<Plugin, Failure> {
    Plugin::start(Arc::clone(shared), found).await
}

/// Whether the engine did not take the code.
fn is_refusal(failure: &Failure) -> bool {
    matches!(&failure.cause, Cause::Spawn { step, .. } if step == LOADING)
}
