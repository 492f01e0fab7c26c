//! What is measured against: processes of one thread each, this program started again as something small.

use crate::Outcome;
use casemate_sys::process::{Fork, exit_now, fork};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Bytes that go there and back.
pub(crate) const PAYLOAD_BYTES: usize = 64;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Forks when told to, and says how long it took until the child, which exits at once, was waited for.
    Fork,
    /// Sends back what it is sent.
    Echo,
}

impl Kind {
    pub(crate) fn named(name: &str) -> Outcome<Self> {
        [Self::Fork, Self::Echo]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("no baseline {name}").into())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Echo => "echo",
        }
    }
}

/// Is such a process, until its socket is closed.
pub(crate) fn run(kind: Kind) -> Outcome<()> {
    let socket: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut socket = UnixStream::from(socket);
    match kind {
        Kind::Fork => {
            while socket.read_exact(&mut [0]).is_ok() {
                socket.write_all(&fork_once()?.to_le_bytes())?;
            }
        }
        Kind::Echo => {
            let mut bytes = [0; PAYLOAD_BYTES];
            while socket.read_exact(&mut bytes).is_ok() {
                socket.write_all(&bytes)?;
            }
        }
    }
    Ok(())
}

/// Nanoseconds from clone3 to the end of a child that does nothing.
fn fork_once() -> Outcome<u64> {
    let start = Instant::now();
    match fork()? {
        Fork::Child => exit_now(0),
        Fork::Parent(child) => {
            waitid(WaitId::PidFd(child.as_fd()), WaitIdOptions::EXITED)?;
        }
    }
    Ok(u64::try_from(start.elapsed().as_nanos())?)
}

/// Such a process, seen from here.
#[derive(Debug)]
struct Helper {
    child: Child,
    socket: Option<UnixStream>,
}

impl Helper {
    fn start(kind: Kind) -> Outcome<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let child = Command::new(std::env::current_exe()?)
            .args(["--baseline", kind.name()])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()?;
        Ok(Self { child, socket: Some(ours) })
    }

    fn socket(&mut self) -> Outcome<&mut UnixStream> {
        self.socket.as_mut().ok_or_else(|| "the baseline has ended".into())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // The end of its socket is the end of it.
        self.socket = None;
        let _ = self.child.wait();
    }
}

/// clone3 and exit of a bare process.
#[derive(Debug)]
pub(crate) struct BareProcess(Helper);

impl BareProcess {
    pub(crate) fn start() -> Outcome<Self> {
        Ok(Self(Helper::start(Kind::Fork)?))
    }

    /// One, in microseconds.
    pub(crate) fn once(&mut self) -> Outcome<f64> {
        let socket = self.0.socket()?;
        socket.write_all(&[1])?;
        let mut nanos = [0; 8];
        socket.read_exact(&mut nanos)?;
        Ok(std::time::Duration::from_nanos(u64::from_le_bytes(nanos)).as_secs_f64() * 1e6)
    }
}

/// A ping-pong of two processes over a socketpair, with blocking reads and writes and nothing else.
#[derive(Debug)]
pub(crate) struct PingPong(Helper);

impl PingPong {
    pub(crate) fn start() -> Outcome<Self> {
        Ok(Self(Helper::start(Kind::Echo)?))
    }

    /// There and back, in microseconds.
    pub(crate) fn once(&mut self) -> Outcome<f64> {
        let socket = self.0.socket()?;
        let mut bytes = [7; PAYLOAD_BYTES];
        let start = Instant::now();
        socket.write_all(&bytes)?;
        socket.read_exact(&mut bytes)?;
        Ok(start.elapsed().as_secs_f64() * 1e6)
    }
}
