//! A process for each call: how many of them there are in a while.

use crate::Outcome;
use crate::baseline::{BareProcess, PAYLOAD_BYTES};
use crate::machine::OneCore;
use crate::plugin::{Loaded, guest};
use crate::request::Plan;
use crate::row::{Baseline, Row, Target, Unit};
use casemate::Isolation;
use std::time::Instant;

const ROUNDS: u32 = 60;
/// Processes in a row before it is the baseline's turn again: what is left of one is done in the time of the next.
const BLOCK: u32 = 50;

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let _one_core = OneCore::take()?;
    let loaded = Loaded::new(guest()?, |spec| spec.isolation = Isolation::Call)?;
    let mut bare = BareProcess::start()?;
    let body = [7; PAYLOAD_BYTES];
    let (mut subject, mut baseline) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds(ROUNDS) {
        let mut sum = 0.0;
        for _ in 0..BLOCK {
            sum += bare.once()?;
        }
        baseline.push(sum / f64::from(BLOCK));
        let start = Instant::now();
        loaded.runtime.block_on(async {
            for _ in 0..BLOCK {
                if loaded.plugin.call_raw("echo", &body).await? != body {
                    return Err("the guest answered something else".into());
                }
            }
            Outcome::Ok(())
        })?;
        subject.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(BLOCK));
    }
    Ok(vec![Row {
        what: "a call in a process of its own (isolation = \"call\"), one core",
        unit: Unit::Micros,
        samples: subject.into_iter().collect(),
        baseline: Some(Baseline {
            what: "clone + exit of a bare process",
            samples: baseline.into_iter().collect(),
        }),
        // A quarter of the rate.
        target: Target::Ratio(4.0),
        certificate: loaded.plugin.certificate(),
        note: format!("{BLOCK} one after the other, and the time of all of them by their number"),
    }])
}
