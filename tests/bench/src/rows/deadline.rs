//! How late a loop is ended.

use crate::Outcome;
use crate::plugin::{Loaded, guest};
use crate::request::Plan;
use crate::row::{Baseline, Row, Target, Unit};
use casemate::Cause;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 100;
const DEADLINE: Duration = Duration::from_millis(20);

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let loaded = Loaded::new(guest()?, |spec| spec.limits.call_timeout = DEADLINE)?;
    let (mut subject, mut baseline) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds(ROUNDS) {
        let start = Instant::now();
        std::thread::sleep(DEADLINE);
        baseline.push(late(start));
        // The loop's instance, so that no fork lies inside the time.
        loaded.call("echo", &[])?;
        let start = Instant::now();
        let end = loaded.call("loop", &[]);
        let overshoot = late(start);
        match end {
            Err(failure) if matches!(failure.cause, Cause::SoftTimeout { .. }) => subject.push(overshoot),
            Err(failure) => return Err(failure.into()),
            Ok(_) => return Err("the guest was to loop".into()),
        }
    }
    Ok(vec![Row {
        what: "overshoot of a loop's deadline",
        unit: Unit::Millis,
        samples: subject.into_iter().collect(),
        baseline: Some(Baseline {
            what: "overshoot of a sleeping thread",
            samples: baseline.into_iter().collect(),
        }),
        target: Target::AtMost(0.4),
        certificate: loaded.plugin.certificate(),
        note: format!("from the call to its outcome, less the deadline of {DEADLINE:?}"),
    }])
}

fn late(start: Instant) -> f64 {
    (start.elapsed().as_secs_f64() - DEADLINE.as_secs_f64()) * 1e3
}
