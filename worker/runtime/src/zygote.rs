//! The zygote: raises the walls, loads one module, and forks it whenever the supervisor asks.

use crate::fault::Fault;
use crate::guest::{Guest, Outside};
use crate::load::Loaded;
#[cfg(feature = "wasi")]
use crate::wasi::{Given, World, set_aside};
use crate::{epoch, load};
use casemate_engine::{EngineKind, EngineOptions};
use casemate_lockdown::{Entered, LockdownError, Locked, Spawned, Walled};
use casemate_protocol::spawn::{FailedReport, LOADING, LoadSpec, LoadedReport};
use casemate_sys::process::exit_now;
use std::convert::Infallible;
use std::mem::ManuallyDrop;
use std::os::fd::OwnedFd;
use wasmtime::Engine;

/// Runs the zygote to its end, and `body` in every worker that it forks. What cannot be done is told to the supervisor.
///
/// It ends here and not in `main`: what the standard library does after that, the filters do not allow. Neither do they
/// allow the engine's own tidying up, so nothing of it is dropped.
pub fn run(entered: Entered, body: fn(Spawned, &mut Guest) -> !) -> ! {
    run_with(entered, || (), body)
}

/// The same with something done before the module is loaded: in the place of what a forged module could do.
pub fn run_with(entered: Entered, loading: fn(), body: fn(Spawned, &mut Guest) -> !) -> ! {
    let Err(Told) = try_run(entered, loading, body);
    exit_now(1)
}

/// The supervisor has been told already.
struct Told;

impl From<LockdownError> for Told {
    fn from(_: LockdownError) -> Self {
        Self
    }
}

fn try_run(entered: Entered, loading: fn(), body: fn(Spawned, &mut Guest) -> !) -> Result<Infallible, Told> {
    let (walled, spec, code, outside) = ordered(entered)?;
    let engine = engine(&spec).map_err(|message| {
        walled.fail(failed("making the engine", message));
        Told
    })?;
    let engine = ManuallyDrop::new(engine);
    let filtered = walled.filter(spec.processes_max)?;
    loading();
    let module = load::load(&filtered, &engine, code, spec.dialect).map_err(|error| {
        filtered.fail(failed(LOADING, format!("{error:#}")));
        Told
    })?;
    let module = ManuallyDrop::new(module);
    let locked = filtered.lock(&module.code())?;
    let mut guest = ManuallyDrop::new(prepare(&locked, &engine, &module, spec, outside)?);
    match locked.next_worker()? {
        Some(spawned) => body(spawned, &mut guest),
        None => exit_now(0),
    }
}

/// The walls, and then the order for one module.
#[cfg(not(feature = "wasi"))]
fn ordered(entered: Entered) -> Result<(Walled, LoadSpec, OwnedFd, Outside), Told> {
    let walled = entered.wall_up()?;
    let (spec, mut fds) = walled.receive::<LoadSpec>(1)?;
    match (fds.pop(), spec.wasi) {
        (Some(code), None) => Ok((walled, spec, code, ())),
        _ => {
            walled.fail(failed("taking the order", "it is for another worker".to_owned()));
            Err(Told)
        }
    }
}

/// The same; the folders that come with the order are all that Landlock will know.
#[cfg(feature = "wasi")]
fn ordered(entered: Entered) -> Result<(Walled, LoadSpec, OwnedFd, Outside), Told> {
    let granting = entered.wall_up_granting()?;
    let (spec, fds) = granting.receive::<LoadSpec>(2)?;
    let opened = open(&spec, fds).map_err(|error| {
        granting.fail(failed("opening its folders", error.to_string()));
        Told
    })?;
    let (code, world, given) = opened;
    let grants: Vec<_> = given.iter().map(Given::grant).collect();
    let walled = granting.grant(&grants, world.kept())?;
    Ok((walled, spec, code, Some(world)))
}

#[cfg(feature = "wasi")]
fn open(spec: &LoadSpec, fds: Vec<OwnedFd>) -> std::io::Result<(OwnedFd, World, Vec<Given>)> {
    let wrong = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let order = spec.wasi.ok_or_else(wrong)?;
    let mut fds = fds.into_iter();
    let (code, settings) = fds.next().zip(fds.next()).ok_or_else(wrong)?;
    let (code, settings) = (set_aside(code)?, set_aside(settings)?);
    let (world, given) = World::open(order, settings, fds.collect())?;
    Ok((code, world, given))
}

#[cfg(not(feature = "wasi"))]
const KIND: EngineKind = EngineKind::Core;
#[cfg(feature = "wasi")]
const KIND: EngineKind = EngineKind::Components;

fn failed(step: &str, message: String) -> FailedReport {
    FailedReport { step: step.to_owned(), message, ..FailedReport::default() }
}

fn engine(spec: &LoadSpec) -> Result<Engine, String> {
    let options =
        EngineOptions { max_wasm_stack_bytes: spec.stack_bytes, fuel: spec.fuel.is_some(), kind: KIND };
    let engine = casemate_engine::engine(&options).map_err(|error| format!("{error:#}"))?;
    epoch::arm(&engine).map_err(|error| error.to_string())?;
    Ok(engine)
}

fn prepare(
    locked: &Locked,
    engine: &Engine,
    module: &Loaded,
    spec: LoadSpec,
    outside: Outside,
) -> Result<Guest, Told> {
    match Guest::new(engine, module, spec, outside) {
        Ok(guest) => {
            let report =
                LoadedReport { instantiated: guest.is_instantiated(), memory_bytes: guest.memory_bytes() };
            locked.loaded(report)?;
            Ok(guest)
        }
        Err(fault) => {
            let mut report = failed("instantiating the module", fault.to_string());
            if let Fault::Limit { limit, configured, observed } = fault {
                report.limit = limit as u32;
                report.limit_configured = configured;
                report.limit_observed = observed;
            }
            locked.fail(report);
            Err(Told)
        }
    }
}
