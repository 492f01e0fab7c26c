//! One library in both ways that Hielements has: a module, and a native program (Python). Both behind their walls. Beside
//! them the same as the host's own code, which has none.

use crate::Outcome;
use crate::machine::OneCore;
use crate::plugin::rest;
use crate::processes;
use crate::request::Plan;
use crate::row::{Baseline, Row, Samples, Target, Unit};
use casemate::cache::CachePlaces;
use casemate::{Casemate, Certificate, Plugin, Policy};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const LOADS: u32 = 50;
const CALLS: u32 = 500;
const COMPUTATIONS: u32 = 20;
const STEPS: u32 = 1_000_000;
/// How long the kernel takes to clear away a zygote's namespaces, with room to spare.
const PAUSE: Duration = Duration::from_millis(50);

const SCRIPT: &str = include_str!("library.py");
const PROGRAM: &str = "the same as a Python program, walled";
const OWN_CODE: &str = "the same in the host's own code, JSON both ways, no wall";

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let place = Place::make(&plan.guests.join("hielements.wasm"))?;
    let loads = both(|kind| loads(plan, &place, kind))?;
    let calls = both(|kind| {
        let _one_core = OneCore::take()?;
        let selected = request("module_selector", &json!("src/"));
        place.load(kind)?.timed(plan.rounds(CALLS), &selected, 1e6)
    })?;
    let stepped = |kind| place.load(kind)?.call(&request("steps", &json!(1000)));
    let (ours, theirs) = (stepped(Kind::Module)?, stepped(Kind::Program)?);
    if ours != theirs {
        return Err(format!("the module computes {ours} and the program {theirs}").into());
    }
    let computations = both(|kind| {
        let _one_core = OneCore::take()?;
        place.load(kind)?.timed(plan.rounds(COMPUTATIONS), &request("steps", &json!(STEPS)), 1e3)
    })?;
    let own_calls = own_code(plan.rounds(CALLS), &request("module_selector", &json!("src/")), 1e6)?;
    let own_computations = own_code(plan.rounds(COMPUTATIONS), &request("steps", &json!(STEPS)), 1e3)?;
    if answer_of_own_code(&serde_json::to_vec(&request("steps", &json!(1000)))?)?
        != serde_json::to_vec(&ours)?
    {
        return Err("the host's own code computes something else".into());
    }
    let weights = both(|kind| weight(&place, kind))?;
    let sizes = both(|kind| {
        let bytes = match kind {
            Kind::Module => std::fs::metadata(&place.module)?.len(),
            Kind::Program => u64::try_from(SCRIPT.len())?,
        };
        Ok([f64::from(u32::try_from(bytes)?) / 1024.0].into_iter().collect())
    })?;
    let certificate = place.load(Kind::Module)?.plugin.certificate();
    let row = |what, unit, samples, note| row(what, unit, PROGRAM, samples, &certificate, note);
    let beside_own = |what, unit, module: &Samples, own| {
        self::row(what, unit, OWN_CODE, [module.clone(), own], &certificate, "")
    };
    Ok(vec![
        beside_own("library of Hielements: a call, beside own code", Unit::Micros, &calls[0], own_calls),
        beside_own(
            "library of Hielements: a call of a million steps, beside own code",
            Unit::Millis,
            &computations[0],
            own_computations,
        ),
        row(
            "library of Hielements: load to first answer, compiled before",
            Unit::Millis,
            loads,
            "walls, a worker, and for Python an interpreter: all of them new",
        ),
        row("library of Hielements: a call, one core", Unit::Micros, calls, "JSON both ways"),
        row("library of Hielements: a call of a million steps, one core", Unit::Millis, computations, ""),
        row(
            "library of Hielements: one idle instance and its zygote",
            Unit::KiB,
            weights,
            "PSS, page tables, kernel stacks; what processes share is counted by shares",
        ),
        row("library of Hielements: its file", Unit::KiB, sizes, "the script without its interpreter"),
    ])
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Program,
}

/// The module's samples and the program's.
fn both(measure: impl Fn(Kind) -> Outcome<Samples>) -> Outcome<[Samples; 2]> {
    Ok([measure(Kind::Module)?, measure(Kind::Program)?])
}

/// What calls of the host's own code take, in parts of a second.
fn own_code(rounds: u32, request: &Value, parts: f64) -> Outcome<Samples> {
    let _one_core = OneCore::take()?;
    let mut samples = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let request = serde_json::to_vec(request)?;
        let answer = answer_of_own_code(std::hint::black_box(&request))?;
        let _answer: Value = serde_json::from_slice(std::hint::black_box(&answer))?;
        samples.push(start.elapsed().as_secs_f64() * parts);
    }
    Ok(samples.into_iter().collect())
}

/// What tests/guests/hielements answers, as code of a host.
fn answer_of_own_code(request: &[u8]) -> Outcome<Vec<u8>> {
    let request: Value = serde_json::from_slice(request)?;
    let argument = request.pointer("/args/0").ok_or("a request without an argument")?;
    let answer = if request.get("function").is_some_and(|name| name == "module_selector") {
        json!({"Scope": {"kind": argument, "paths": [], "resolved": true}})
    } else {
        let mut number = 1_u32;
        for _ in 0..argument.as_u64().ok_or("steps that are no number")? {
            number ^= number << 13;
            number ^= number >> 17;
            number ^= number << 5;
        }
        json!({ "Int": number })
    };
    Ok(serde_json::to_vec(&answer)?)
}

fn row(
    what: &'static str,
    unit: Unit,
    beside: &'static str,
    samples: [Samples; 2],
    certificate: &Certificate,
    note: &str,
) -> Row {
    let [module, program] = samples;
    Row {
        what,
        unit,
        samples: module,
        baseline: Some(Baseline { what: beside, samples: program }),
        target: Target::None,
        certificate: certificate.clone(),
        note: note.to_owned(),
    }
}

fn request(function: &str, argument: &Value) -> Value {
    json!({ "function": function, "args": [argument], "workspace": "/workspace" })
}

fn loads(plan: &Plan, place: &Place, kind: Kind) -> Outcome<Samples> {
    // Fills the cache.
    drop(place.load(kind)?);
    let mut samples = Vec::new();
    for _ in 0..plan.rounds(LOADS) {
        rest(PAUSE);
        let start = Instant::now();
        let loaded = place.load(kind)?;
        loaded.call(&request("module_selector", &json!("src/")))?;
        samples.push(start.elapsed().as_secs_f64() * 1e3);
        loaded.end();
    }
    Ok(samples.into_iter().collect())
}

fn weight(place: &Place, kind: Kind) -> Outcome<Samples> {
    let loaded = place.load(kind)?;
    loaded.call(&request("module_selector", &json!("src/")))?;
    let family = processes::families(&loaded.casemate.marker());
    let expected = if kind == Kind::Module { 2 } else { 3 };
    if family.len() != expected {
        return Err(format!("{} processes behind the walls; {expected} were to be", family.len()).into());
    }
    let mut kib = 0;
    for pid in family {
        kib += processes::memory_kib(pid)?;
    }
    Ok([f64::from(u32::try_from(kib)?)].into_iter().collect())
}

/// A loaded library.
struct Library {
    runtime: Runtime,
    casemate: Casemate,
    plugin: Plugin,
}

impl Library {
    fn call(&self, request: &Value) -> Outcome<Value> {
        Ok(self.runtime.block_on(self.plugin.call("library.call", request))?)
    }

    /// What calls take, in parts of a second; the first makes the instance.
    fn timed(&self, rounds: u32, request: &Value, parts: f64) -> Outcome<Samples> {
        let expected = self.call(request)?;
        let mut samples = Vec::new();
        for _ in 0..rounds {
            let start = Instant::now();
            let answer = self.call(request)?;
            samples.push(start.elapsed().as_secs_f64() * parts);
            if answer != expected {
                return Err(format!("{answer} is not {expected}, which it was before").into());
            }
        }
        Ok(samples.into_iter().collect())
    }

    fn end(self) {
        self.runtime.block_on(self.casemate.shutdown());
    }
}

/// The script, the cache, and where the module is; gone when dropped.
struct Place {
    folder: PathBuf,
    module: PathBuf,
}

impl Place {
    fn make(module: &Path) -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("casemate-bench-library-{}", std::process::id()));
        let script = folder.join("script");
        std::fs::create_dir_all(&script).map_err(|error| format!("{}: {error}", script.display()))?;
        let place = Self { folder, module: module.to_owned() };
        std::fs::write(script.join("library.py"), SCRIPT)?;
        // A supervisor that is root gives its programs another user, who must be able to read them.
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
        std::fs::set_permissions(script.join("library.py"), std::fs::Permissions::from_mode(0o644))?;
        Ok(place)
    }

    fn load(&self, kind: Kind) -> Outcome<Library> {
        let cache = CachePlaces::new(self.folder.join("cache"), self.folder.join("state"));
        let casemate = Casemate::builder().cache(cache).build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let plugin = match kind {
            Kind::Module => runtime.block_on(casemate.load(&self.module, Policy::default()))?,
            Kind::Program => {
                let words = ["python3", "library.py"].map(str::to_owned).to_vec();
                let script = self.folder.join("script");
                runtime.block_on(casemate.load_external("library", words, script, Policy::default()))?
            }
        };
        Ok(Library { runtime, casemate, plugin })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
