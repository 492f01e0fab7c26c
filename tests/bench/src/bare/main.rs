//! What is measured against: a process of one thread that does as little as can be done, as often as its socket, which is
//! its standard input, asks for it.

use casemate_sys::process::{Fork, exit_now, fork};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::error::Error;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// Bytes that `echo` sends back at a time.
const PAYLOAD_BYTES: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let socket: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut socket = UnixStream::from(socket);
    match std::env::args().nth(1).as_deref() {
        Some("fork") => {
            while socket.read_exact(&mut [0]).is_ok() {
                socket.write_all(&fork_once()?.to_le_bytes())?;
            }
        }
        Some("echo") => {
            let mut bytes = [0; PAYLOAD_BYTES];
            while socket.read_exact(&mut bytes).is_ok() {
                socket.write_all(&bytes)?;
            }
        }
        _ => return Err("casemate-bare fork|echo: started by casemate-bench".into()),
    }
    Ok(())
}

/// Nanoseconds from clone3 until a child that does nothing but end was waited for.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn fork_once() -> Result<u64, Box<dyn Error>> {
    let start = Instant::now();
    match fork()? {
        Fork::Child => exit_now(0),
        Fork::Parent(child) => {
            waitid(WaitId::PidFd(child.as_fd()), WaitIdOptions::EXITED)?;
        }
    }
    Ok(u64::try_from(start.elapsed().as_nanos())?)
}
