//! The worker program, as the supervisor embeds and starts it.

use crate::Outcome;
use crate::plugin::{Loaded, guest};
use crate::processes;
use crate::request::Plan;
use crate::row::{Row, Target, Unit};

pub(crate) fn measure(_plan: &Plan) -> Outcome<Vec<Row>> {
    let loaded = Loaded::new(guest()?, |_| ())?;
    let walled = processes::walled(&loaded.casemate.marker());
    let zygote = walled.first().ok_or("there is no zygote")?;
    let kib = f64::from(u32::try_from(processes::program_bytes(*zygote)?)?) / 1024.0;
    Ok(vec![Row {
        what: "worker program, static",
        unit: Unit::KiB,
        samples: [kib].into_iter().collect(),
        baseline: None,
        target: Target::AtMost(1536.0),
        certificate: loaded.plugin.certificate(),
        note: "what /proc/PID/exe of a zygote leads to".to_owned(),
    }])
}
