//! What is measured against: `casemate-bare`, a small process that does one thing when asked.

use crate::Outcome;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Bytes that go there and back.
pub(crate) const PAYLOAD_BYTES: usize = 64;

/// The program, built beside this one.
const PROGRAM: &str = "casemate-bare";

/// That process, seen from here.
#[derive(Debug)]
struct Bare {
    child: Child,
    socket: Option<UnixStream>,
}

impl Bare {
    fn start(task: &str) -> Outcome<Self> {
        let program = std::env::current_exe()?.with_file_name(PROGRAM);
        let (ours, theirs) = UnixStream::pair()?;
        let child = Command::new(&program)
            .arg(task)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .map_err(|error| format!("{}: {error}; `cargo xtask bench` builds it", program.display()))?;
        Ok(Self { child, socket: Some(ours) })
    }

    fn socket(&mut self) -> Outcome<&mut UnixStream> {
        self.socket.as_mut().ok_or_else(|| "the baseline has ended".into())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // The end of its socket is the end of it.
        self.socket = None;
        let _ = self.child.wait();
    }
}

/// clone3 and exit of a bare process.
#[derive(Debug)]
pub(crate) struct BareProcess(Bare);

impl BareProcess {
    pub(crate) fn start() -> Outcome<Self> {
        Ok(Self(Bare::start("fork")?))
    }

    /// One, in microseconds: from the call until it was waited for.
    pub(crate) fn once(&mut self) -> Outcome<f64> {
        let socket = self.0.socket()?;
        socket.write_all(&[1])?;
        let mut nanos = [0; 8];
        socket.read_exact(&mut nanos)?;
        Ok(Duration::from_nanos(u64::from_le_bytes(nanos)).as_secs_f64() * 1e6)
    }
}

/// A ping-pong of two processes over a socketpair, with blocking reads and writes and nothing else.
#[derive(Debug)]
pub(crate) struct PingPong(Bare);

impl PingPong {
    pub(crate) fn start() -> Outcome<Self> {
        Ok(Self(Bare::start("echo")?))
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
