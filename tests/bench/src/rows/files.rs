//! A program that makes, reads, lists and removes thousands of files, beside the same program under the wasmtime command:
//! in a folder that it is granted, and in its own, where room is asked for.

use crate::Outcome;
use crate::plugin::Loaded;
use crate::request::Plan;
use crate::row::{Baseline, Row, Samples, Target, Unit};
use casemate::cache::CachePlaces;
use casemate::policy::Storage;
use casemate::{Casemate, Policy, PolicySpec};
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: u32 = 15;
/// Files of a round, of four KiB each.
const FILES: u32 = 4000;

/// Folders of this row, gone with it.
struct Folders(PathBuf);

impl Folders {
    fn make() -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("casemate-bench-files-{}", std::process::id()));
        fs::create_dir_all(folder.join("granted"))?;
        // Of whoever the plugin runs as.
        fs::set_permissions(folder.join("granted"), Permissions::from_mode(0o777))?;
        Ok(Self(folder))
    }

    fn granted(&self) -> PathBuf {
        self.0.join("granted")
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let (module, wasmtime) = (plan.guests.join("wasi/fill.wasm"), plan.guests.join("programs/wasmtime"));
    let folders = Folders::make()?;
    // Neither compiles while it is measured.
    let compiled = folders.0.join("fill.cwasm");
    let done = Command::new(&wasmtime).arg("compile").arg(&module).arg("-o").arg(&compiled).status();
    let done =
        done.map_err(|error| format!("{}: {error}; `cargo xtask guests` fetches it", wasmtime.display()))?;
    if !done.success() {
        return Err("wasmtime did not compile the program".into());
    }
    let order = |folder: &str| format!("churn {folder} {FILES}");
    let granted = loaded(&folders, &module, |spec| {
        spec.filesystem = vec![format!("write:{}=/rw", folders.granted().display())];
    })?;
    let own = loaded(&folders, &module, |spec| spec.storage = Storage::Vfs)?;
    let (mut in_granted, mut in_own, mut baseline) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds(ROUNDS) {
        baseline.push(by_wasmtime(&wasmtime, &compiled, &folders.granted(), &order("/rw"))?);
        in_granted.push(by_casemate(&granted, &order("/rw"))?);
        in_own.push(by_casemate(&own, &order("/data"))?);
    }
    let row = |what, samples: Vec<f64>, loaded: &Loaded| Row {
        what,
        unit: Unit::Millis,
        samples: samples.into_iter().collect(),
        baseline: Some(Baseline {
            what: "the same program under the wasmtime command, compiled before",
            samples: baseline.iter().copied().collect::<Samples>(),
        }),
        target: Target::Ratio(1.3),
        certificate: loaded.plugin.certificate(),
        note: format!("{FILES} files of 4 KiB made, read, listed and removed; with the start of either"),
    };
    Ok(vec![
        row("a program that works on files, in a granted folder", in_granted, &granted),
        row("the same in files of its own, which are counted", in_own, &own),
    ])
}

fn loaded(folders: &Folders, module: &Path, change: impl FnOnce(&mut PolicySpec)) -> Outcome<Loaded> {
    let (cache, state) = (folders.0.join("cache"), folders.0.join("state"));
    let places = CachePlaces::new(cache, state.clone());
    let mut spec = PolicySpec::default();
    spec.limits.call_timeout = Duration::from_secs(60);
    change(&mut spec);
    Loaded::by(Casemate::builder().cache(places).state_dir(state).build()?, module, Policy::new(spec)?)
}

fn by_casemate(loaded: &Loaded, order: &str) -> Outcome<f64> {
    let start = Instant::now();
    let said = loaded.call("run", order.as_bytes())?;
    told(&said, start)
}

fn by_wasmtime(wasmtime: &Path, module: &Path, folder: &Path, order: &str) -> Outcome<f64> {
    let start = Instant::now();
    let mut child = Command::new(wasmtime)
        .args(["run", "--allow-precompiled", "--dir"])
        .arg(format!("{}::/rw", folder.display()))
        .arg(module)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().ok_or("wasmtime has no input")?.write_all(order.as_bytes())?;
    let output = child.wait_with_output()?;
    told(&output.stdout, start)
}

/// The time, if the program did what it was told.
fn told(said: &[u8], start: Instant) -> Outcome<f64> {
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    let said = String::from_utf8_lossy(said);
    if said.trim() != FILES.to_string() {
        return Err(format!("the program said {said:?}").into());
    }
    Ok(elapsed)
}
