//! What a service manager says and wants to hear: socket activation and `sd_notify`.

use crate::problem::Problem;
use rustix::process::{PidfdFlags, PidfdGetfdFlags};
use sd_notify::NotifyState;
use std::os::fd::OwnedFd;

/// The socket that this process was started with.
pub(super) fn socket() -> Result<Option<OwnedFd>, Problem> {
    let failed = |error: std::io::Error| Problem::socket(format!("socket activation: {error}"));
    // From here on nothing that is started has it. The environment stays as it is: other threads may be reading it.
    let mut passed = sd_notify::listen_fds_with_names(false).map_err(failed)?;
    let Some((number, _)) = passed.next() else { return Ok(None) };
    if passed.next().is_some() {
        let message =
            "socket activation passed more than one socket; casemate serve takes one: name one ListenStream=";
        return Err(Problem::socket(message));
    }
    // A copy: nobody but the environment says that the number is ours to close.
    let me = rustix::process::getpid();
    let copied = rustix::process::pidfd_open(me, PidfdFlags::empty())
        .and_then(|me| rustix::process::pidfd_getfd(me, number, PidfdGetfdFlags::empty()));
    copied.map(Some).map_err(|errno| failed(errno.into()))
}

/// Says it, if anybody listens; nobody has to.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, state) {
        tracing::warn!("telling the service manager failed: {error}");
    }
}

pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("reading the clock failed: {error}"),
    }
}

pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}
