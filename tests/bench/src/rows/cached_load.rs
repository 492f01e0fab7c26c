//! Load of a module that was compiled before, to its first answer.

use crate::Outcome;
use crate::plugin::{Loaded, guest, rest};
use crate::request::Plan;
use crate::row::{Row, Target, Unit};
use casemate::cache::CachePlaces;
use casemate::{Casemate, Policy};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ROUNDS: u32 = 100;
/// How long the kernel takes to clear away a zygote's namespaces, with room to spare.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let guest = guest()?;
    let place = Place::make()?;
    // Fills the cache. The supervisor that is measured is a new one, as that of a host that has just been started.
    let first = load(&guest, &place)?;
    let mut samples = Vec::new();
    for _ in 0..plan.rounds(ROUNDS) {
        let start = Instant::now();
        let loaded = load(&guest, &place)?;
        loaded.call("echo", b"x")?;
        samples.push(start.elapsed().as_secs_f64() * 1e3);
        drop(loaded);
        // A network namespace that is being taken down holds up the next.
        rest(PAUSE);
    }
    Ok(vec![Row {
        what: "load of a small module compiled before, to its first answer",
        unit: Unit::Millis,
        samples: samples.into_iter().collect(),
        baseline: None,
        target: Target::AtMost(5.0),
        certificate: first.plugin.certificate(),
        note: "runtime, supervisor, stub, zygote, its proof and a worker: all of them new".to_owned(),
    }])
}

fn load(guest: &[u8], place: &Place) -> Outcome<Loaded> {
    let casemate =
        Casemate::builder().cache(CachePlaces::new(place.0.join("cache"), place.0.join("state"))).build()?;
    Loaded::by(casemate, guest.to_vec(), Policy::default())
}

/// A directory for the cache; gone when dropped.
struct Place(PathBuf);

impl Place {
    fn make() -> Outcome<Self> {
        let path: PathBuf =
            Path::new(&std::env::temp_dir()).join(format!("casemate-bench-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
