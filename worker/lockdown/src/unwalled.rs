//! A native program without walls, where its operator says so.
//!
//! What it may do is what its user may do. What is still seen to: it and all that it starts end with their zygote, which is the
//! first of their process ids; it is held to resource limits, has no descriptor but its own, and cannot become another user.

use crate::control::Control;
use crate::error::{LockdownError, Step};
use crate::program::{Launched, launch};
use crate::walls::{Walled, warm_up};
use crate::{privileges, rlimits};
use casemate_protocol::certificate::{Layer, LayerSet};
use casemate_protocol::spawn::{
    self, ListenerReport, LoadSpec, LoadedReport, Role, SealedReport, SpawnSpec, WalledReport,
};
use casemate_sys::{descriptors, signal};
use std::io;

/// A zygote of native programs that waits for its job.
#[derive(Debug)]
pub enum Launcher {
    /// Behind its walls.
    Walled(Walled),
    /// Without.
    Unwalled(Unwalled),
}

/// A zygote of native programs without walls.
#[derive(Debug)]
pub struct Unwalled {
    control: Control,
}

impl Unwalled {
    /// Gives up descriptors and privileges, and tells the supervisor, which looks. On failure it has been told.
    pub(crate) fn new(control: Control) -> Result<Self, LockdownError> {
        let prepare = || {
            signal::ignore_children().step("ignoring SIGCHLD")?;
            signal::ignore_file_size().step("ignoring SIGXFSZ")?;
            descriptors::close_from(1).step("closing every descriptor but the control socket")?;
            privileges::give_up(false)
        };
        prepare().inspect_err(|error| control.fail_step(error))?;
        let held: LayerSet = [Layer::NoNewPrivs, Layer::Capabilities].into_iter().collect();
        let report = WalledReport { layers: held.bits(), ..WalledReport::default() };
        control.report(spawn::Report::Walled(report), &[])?;
        Ok(Self { control })
    }

    /// Receives the job, and says that no filter and no seal comes any more.
    pub fn receive(&self) -> Result<LoadSpec, LockdownError> {
        let (load, _): (LoadSpec, _) = self.control.expect(|count| count == 0)?;
        warm_up();
        rlimits::set_zygote(load.processes_max).inspect_err(|error| self.control.fail_step(error))?;
        self.control.report(spawn::Report::Listener(ListenerReport::default()), &[])?;
        self.control.report(spawn::Report::Sealed(SealedReport::default()), &[])?;
        let loaded = LoadedReport { instantiated: true, memory_bytes: 0 };
        self.control.report(spawn::Report::Loaded(loaded), &[])?;
        Ok(load)
    }

    /// Forks a program and its bridge each time the supervisor asks, until it is gone. Returns in each of the two, and in the
    /// zygote with `None` when the supervisor has closed the control socket.
    pub fn next_program(&self) -> Result<Option<Launched>, LockdownError> {
        loop {
            let Some((spec, mut links)) = self.control.receive::<SpawnSpec>(|count| count == 1)? else {
                return Ok(None);
            };
            let (Some(link), Role::Worker) = (links.pop(), spec.role) else {
                return Err(io::Error::from(io::ErrorKind::InvalidData)).step("taking a program's link");
            };
            if let Some(launched) = launch(&self.control, link, spec.limits, true)? {
                return Ok(Some(launched));
            }
        }
    }
}
