//! From the request to the first answer of a worker that did not exist before: forked, locked, looked at from outside.

use crate::Outcome;
use crate::baseline::{BareProcess, PAYLOAD_BYTES};
use crate::machine::OneCore;
use crate::plugin::{Loaded, REST, guest, rest};
use crate::request::Plan;
use crate::row::{Baseline, Row, Target, Unit};
use std::time::Instant;

const ROUNDS: u32 = 500;

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let one_core = OneCore::take()?;
    let pinned = row(plan, "request to first answer of a fresh worker, one core", Target::Ratio(2.5))?;
    drop(one_core);
    let free = row(plan, "the same on all cores", Target::None)?;
    Ok(vec![pinned, free])
}

fn row(plan: &Plan, what: &'static str, target: Target) -> Outcome<Row> {
    let loaded = Loaded::new(guest()?, |_| ())?;
    let mut bare = BareProcess::start()?;
    let body = [7; PAYLOAD_BYTES];
    let (mut subject, mut baseline) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds(ROUNDS) {
        loaded.spend_instance()?;
        let start = Instant::now();
        loaded.call("echo", &body)?;
        subject.push(start.elapsed().as_secs_f64() * 1e6);
        rest(REST);
        baseline.push(bare.once()?);
    }
    Ok(Row {
        what,
        unit: Unit::Micros,
        samples: subject.into_iter().collect(),
        baseline: Some(Baseline {
            what: "clone + exit of a bare process",
            samples: baseline.into_iter().collect(),
        }),
        target,
        certificate: loaded.plugin.certificate(),
        note: "async client, runtime of one thread; the look from outside lies inside the time".to_owned(),
    })
}
