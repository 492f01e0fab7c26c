//! Starting a stub: the first stage of a walled program.

use crate::programs::Program;
use casemate_protocol::ids::Marker;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// A stub that waits for its order.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) pidfd: OwnedFd,
    pub(crate) control: OwnedFd,
}

/// Starts a program's first stage with an empty environment and a control socket as its standard input.
#[expect(clippy::disallowed_methods, reason = "this is the spawner")]
pub(crate) fn start(program: &Program, marker: Marker) -> io::Result<Started> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let ours = off_the_standard_descriptors(ours)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    let mut child = Command::new(program.path().map_err(io::Error::other)?)
        .arg0(program.name())
        .args(["stub", &marker.to_string()])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    match hold(&child) {
        Ok(pidfd) => Ok(Started { child, pidfd, control: ours }),
        Err(error) => {
            // Nobody else will wait for it. It has had no order yet, and so leaves nothing behind.
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

fn hold(child: &Child) -> io::Result<OwnedFd> {
    off_the_standard_descriptors(pidfd_open(Pid::from_child(child), PidfdFlags::empty())?)
}

/// In a host whose standard descriptors are closed a new one would land there, and be overwritten or printed into.
pub(crate) fn off_the_standard_descriptors(fd: OwnedFd) -> io::Result<OwnedFd> {
    use std::os::fd::AsRawFd as _;
    if fd.as_raw_fd() > 2 { Ok(fd) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?) }
}
