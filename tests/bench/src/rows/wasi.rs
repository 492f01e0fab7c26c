//! A fresh worker with WASI beside a fresh one without: the same guest, which in one of them imports a function of WASI.

use crate::Outcome;
use crate::baseline::PAYLOAD_BYTES;
use crate::machine::OneCore;
use crate::plugin::{Loaded, REST, guest, guest_with_wasi, rest};
use crate::request::Plan;
use crate::row::{Baseline, Row, Target, Unit};
use std::time::Instant;

const ROUNDS: u32 = 500;

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let _one_core = OneCore::take()?;
    let (core, wasi) = (Loaded::new(guest()?, |_| ())?, Loaded::new(guest_with_wasi()?, |_| ())?);
    let first_answer = |loaded: &Loaded| -> Outcome<f64> {
        loaded.spend_instance()?;
        let start = Instant::now();
        loaded.call("echo", &[7; PAYLOAD_BYTES])?;
        let elapsed = start.elapsed().as_secs_f64() * 1e6;
        rest(REST);
        Ok(elapsed)
    };
    let (mut subject, mut baseline) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds(ROUNDS) {
        baseline.push(first_answer(&core)?);
        subject.push(first_answer(&wasi)?);
    }
    Ok(vec![Row {
        what: "request to first answer of a fresh worker with WASI, one core",
        unit: Unit::Micros,
        samples: subject.into_iter().collect(),
        baseline: Some(Baseline {
            what: "the same of a core worker",
            samples: baseline.into_iter().collect(),
        }),
        target: Target::Ratio(2.0),
        certificate: wasi.plugin.certificate(),
        note: "the same module but for one import".to_owned(),
    }])
}
