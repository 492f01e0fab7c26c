//! Processes: the only room with `Command`, kill and wait.
//!
//! | file | holds |
//! |---|---|
//! | `guard` | the thread that owns deadlines, listeners and pidfds |
//! | `control` | our end of a control socket |
//! | `stub` | starting one |
//! | `points` | the named points at which tests kill the host |

pub(crate) mod control;
pub(crate) mod guard;
pub(crate) mod points;
pub(crate) mod stub;

use std::io;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;

/// Lets the runtime of this thread wait for a non-blocking descriptor.
pub(crate) fn register(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
    #[expect(
        deprecated,
        reason = "sound for an OwnedFd, which keeps its number as long as it lives; the successor is an unsafe function"
    )]
    AsyncFd::new(fd)
}
