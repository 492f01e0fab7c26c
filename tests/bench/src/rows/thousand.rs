//! A thousand workers of one plugin, all alive at once.

use super::memory::at;
use crate::Outcome;
use crate::plugin::{Loaded, guest};
use crate::request::Plan;
use crate::row::{Row, Target, Unit};

const WORKERS: u32 = 1000;
const ROUNDS: u32 = 3;

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let mut seen = Vec::new();
    let mut certificate = None;
    for _ in 0..plan.rounds(ROUNDS) {
        let loaded = Loaded::new(guest()?, |spec| {
            spec.instances.max = WORKERS;
            spec.host = vec!["meet.*".to_owned()];
        })?;
        let (kib, _) = at(&loaded, WORKERS, None)?;
        seen.push(kib / 1024.0);
        certificate = Some(loaded.plugin.certificate());
        loaded.runtime.block_on(loaded.casemate.shutdown());
    }
    Ok(vec![Row {
        what: "a thousand workers of one plugin, and their zygote",
        unit: Unit::MiB,
        samples: seen.into_iter().collect(),
        baseline: None,
        target: Target::AtMost(150.0),
        certificate: certificate.ok_or("nothing was measured")?,
        note: "each runs a call at the same time as all others, answers it and lives on: PSS, page tables, kernel stack"
            .to_owned(),
    }])
}
