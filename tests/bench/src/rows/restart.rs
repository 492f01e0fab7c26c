//! From the death of a process to the next answer, without the pause that follows a crash.

use crate::Outcome;
use crate::baseline::{BareProcess, PAYLOAD_BYTES};
use crate::machine::OneCore;
use crate::plugin::{Loaded, REST, guest, rest};
use crate::processes;
use crate::request::Plan;
use crate::row::{Baseline, Row, Target, Unit};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

const ROUNDS: u32 = 200;

/// Who dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Worker,
    Zygote,
}

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let _one_core = OneCore::take()?;
    Ok(vec![
        row(plan, "restart of a worker that was killed, to its answer, one core", Who::Worker)?,
        row(plan, "restart of a plugin whose zygote was killed, to its answer, one core", Who::Zygote)?,
    ])
}

fn row(plan: &Plan, what: &'static str, who: Who) -> Outcome<Row> {
    let loaded = Loaded::new(guest()?, |spec| spec.restart.first = Duration::ZERO)?;
    let mut bare = BareProcess::start()?;
    let (mut subject, mut baseline) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds(ROUNDS) {
        // The zygote alone, and then its one worker.
        loaded.spend_instance()?;
        let zygote = only_new(&loaded, &[])?;
        let victim = match who {
            Who::Zygote => zygote,
            Who::Worker => {
                loaded.call("echo", &[])?;
                only_new(&loaded, &[zygote])?
            }
        };
        let victim = Pid::from_raw(i32::try_from(victim)?).ok_or("a process has no number")?;
        let start = Instant::now();
        kill_process(victim, Signal::KILL)?;
        answer(&loaded)?;
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
        target: Target::Ratio(8.0),
        certificate: loaded.plugin.certificate(),
        note: "from SIGKILL to the answer of a call that is made at once; restart.backoff.first is 0"
            .to_owned(),
    })
}

/// The one process behind the walls beside those.
fn only_new(loaded: &Loaded, known: &[u32]) -> Outcome<u32> {
    let found = processes::walled(&loaded.casemate.marker());
    let new: Vec<u32> = found.into_iter().filter(|pid| !known.contains(pid)).collect();
    match new.as_slice() {
        [one] => Ok(*one),
        others => Err(format!("one process was to be there, and there are {}", others.len()).into()),
    }
}

/// A call that is given a killed worker before its end is known is lost, and made again.
fn answer(loaded: &Loaded) -> Outcome<()> {
    let body = [7; PAYLOAD_BYTES];
    loop {
        match loaded.call("echo", &body) {
            Ok(answer) if answer == body => return Ok(()),
            Ok(_) => return Err("the guest answered something else".into()),
            Err(failure) if failure.code() == "worker.lost" => {}
            Err(failure) => return Err(failure.into()),
        }
    }
}
