//! A small call to an idle worker.

use crate::Outcome;
use crate::baseline::{PAYLOAD_BYTES, PingPong};
use crate::machine::OneCore;
use crate::plugin::{Loaded, guest};
use crate::request::Plan;
use crate::row::{Baseline, Row, Target, Unit};
use std::time::Instant;

const ROUNDS: u32 = 300;
/// Calls in a row before it is the baseline's turn again.
const BLOCK: usize = 50;

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let _one_core = OneCore::take()?;
    let loaded = Loaded::new(guest()?, |_| ())?;
    let mut ping_pong = PingPong::start()?;
    let body = [7; PAYLOAD_BYTES];
    let (mut subject, mut baseline) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds(ROUNDS) {
        for _ in 0..BLOCK {
            baseline.push(ping_pong.once()?);
        }
        loaded.runtime.block_on(async {
            for _ in 0..BLOCK {
                let start = Instant::now();
                let answer = loaded.plugin.call_raw("echo", &body).await?;
                subject.push(start.elapsed().as_secs_f64() * 1e6);
                if answer != body {
                    return Err("the guest answered something else".into());
                }
            }
            Outcome::Ok(())
        })?;
    }
    Ok(vec![Row {
        what: "64-byte call, embedded, one core",
        unit: Unit::Micros,
        samples: subject.into_iter().collect(),
        baseline: Some(Baseline {
            what: "socketpair ping-pong of two processes",
            samples: baseline.into_iter().collect(),
        }),
        target: Target::Ratio(1.7),
        certificate: loaded.plugin.certificate(),
        note: "async client, runtime of one thread, as is any host that awaits".to_owned(),
    }])
}
