//! Load of a module that was compiled before, to its first answer.

use crate::Outcome;
use crate::plugin::{Loaded, guest};
use crate::request::Plan;
use crate::row::{Row, Target, Unit};
use std::time::Instant;

const ROUNDS: u32 = 40;
/// What keeps this row from being judged.
const ABSENT: Option<&str> = Some("needs the code cache");

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let guest = guest()?;
    // Fills the cache. The supervisor that is measured is a new one, as that of a host that has just been started.
    let warm = Loaded::new(guest.clone(), |_| ())?;
    let mut samples = Vec::new();
    for _ in 0..plan.rounds(ROUNDS) {
        let start = Instant::now();
        let loaded = Loaded::new(guest.clone(), |_| ())?;
        loaded.call("echo", b"x")?;
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(vec![Row {
        what: "load of a small module compiled before, to its first answer",
        unit: Unit::Millis,
        samples: samples.into_iter().collect(),
        baseline: None,
        target: Target::AtMost(5.0),
        certificate: warm.plugin.certificate(),
        note: "supervisor, stub, zygote, its proof and a worker: all of them new".to_owned(),
        absent: ABSENT,
    }])
}
