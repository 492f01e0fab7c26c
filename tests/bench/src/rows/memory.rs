//! What one more idle worker costs: the slope between as many and twice as many.

mod cgroup;

use crate::Outcome;
use crate::plugin::{Loaded, guest};
use crate::processes;
use crate::request::Plan;
use crate::row::{Row, Target, Unit};
use casemate::Certificate;
use cgroup::Cgroup;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const WORKERS: u32 = 32;
const ROUNDS: u32 = 5;
const TARGET: Target = Target::AtMost(150.0);

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let cgroup = Cgroup::enter();
    let (mut seen, mut charged) = (Vec::new(), Vec::new());
    let mut certificate = None;
    for _ in 0..plan.rounds(ROUNDS) {
        let slope = slope(cgroup.as_ref().ok())?;
        seen.push(slope.seen_kib);
        charged.extend(slope.charged_kib);
        certificate = Some(slope.certificate);
    }
    let certificate = certificate.ok_or("nothing was measured")?;
    let row = |what, samples: Vec<f64>, note| Row {
        what,
        unit: Unit::KiB,
        samples: samples.into_iter().collect(),
        baseline: None,
        target: TARGET,
        certificate: certificate.clone(),
        note,
    };
    let note = format!("slope from {WORKERS} to {} workers that have answered once", 2 * WORKERS);
    let mut rows = vec![row("idle worker: PSS, page tables, kernel stack", seen, note)];
    match cgroup {
        Ok(_) => rows.push(row(
            "idle worker: all that a memory cgroup is charged, the supervisor's share too",
            charged,
            String::new(),
        )),
        Err(why) => rows.iter_mut().for_each(|row| row.note = format!("{}; no cgroup: {why}", row.note)),
    }
    Ok(rows)
}

struct Slope {
    seen_kib: f64,
    charged_kib: Option<f64>,
    certificate: Certificate,
}

fn slope(cgroup: Option<&Cgroup>) -> Outcome<Slope> {
    // What so many calls at once take of this process's heap it keeps, and has from here on. Idle workers cost the rest.
    let before = load()?;
    at(&before, 2 * WORKERS, None)?;
    let loaded = load()?;
    let (one_seen, one_charged) = at(&loaded, WORKERS, cgroup)?;
    let (two_seen, two_charged) = at(&loaded, 2 * WORKERS, cgroup)?;
    let each = |one: f64, two: f64| (two - one) / f64::from(WORKERS);
    Ok(Slope {
        seen_kib: each(one_seen, two_seen),
        charged_kib: one_charged.zip(two_charged).map(|(one, two)| each(one, two)),
        certificate: loaded.plugin.certificate(),
    })
}

fn load() -> Outcome<Loaded> {
    Loaded::new(guest()?, |spec| {
        spec.instances.max = 2 * WORKERS;
        spec.host = vec!["meet.*".to_owned()];
    })
}

/// KiB of this many idle workers and their zygote: as seen in /proc, and as charged.
pub(super) fn at(loaded: &Loaded, workers: u32, cgroup: Option<&Cgroup>) -> Outcome<(f64, Option<f64>)> {
    // No call is answered before all have arrived, so each needs a worker of its own.
    let method = format!("meet.{workers}");
    let all = Arc::new(Barrier::new(usize::try_from(workers)?));
    loaded.casemate.on(&method, move |(): ()| {
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            Ok(())
        }
    });
    loaded.runtime.block_on(async {
        let mut calls = JoinSet::new();
        for _ in 0..workers {
            let (plugin, method) = (loaded.plugin.clone(), method.clone());
            calls.spawn(async move { plugin.call_json_text(&method, b"null").await });
        }
        while let Some(answer) = calls.join_next().await {
            answer??;
        }
        Outcome::Ok(())
    })?;
    std::thread::sleep(Duration::from_millis(100));
    let walled = processes::walled(&loaded.casemate.marker());
    let expected = usize::try_from(workers)? + 1;
    if walled.len() != expected {
        return Err(format!("{} processes behind the walls; {expected} were to be", walled.len()).into());
    }
    let mut kib = 0;
    for pid in walled {
        kib += processes::memory_kib(pid)?;
    }
    let charged = cgroup.map(Cgroup::usage_kib).transpose()?;
    Ok((f64::from(u32::try_from(kib)?), charged))
}
