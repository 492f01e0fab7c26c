//! A socket that the host's runtime waits for.

use std::io;
use std::ops::Deref;
#[cfg(feature = "daemon")]
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A non-blocking socket, registered with the runtime of the thread that made it: for reading only. A peer that has taken
/// what was sent would else wake us to say that there is room again, in the middle of each call; there nearly always is.
///
/// The runtime's epoll is shared with a forked child of the host. Taking the socket out of it there would make the parent
/// deaf to its worker, so what is dropped in such a child stays as it is until the child ends or executes something.
#[derive(Debug)]
pub(crate) struct Registered {
    socket: Arc<AsyncFd<Arc<OwnedFd>>>,
    /// What keeps the socket in a forked child. Made beforehand: a child of a host with threads had better not allocate.
    #[expect(
        clippy::redundant_allocation,
        reason = "what is leaked is one count of the Arc, and a box is what can be leaked"
    )]
    keep: Option<Box<Arc<AsyncFd<Arc<OwnedFd>>>>>,
    host_pid: u32,
}

impl Registered {
    /// Registers a non-blocking socket. Needs a tokio runtime with I/O around it.
    pub(crate) fn new(socket: impl Into<Arc<OwnedFd>>) -> io::Result<Self> {
        Self::with_interest(socket.into(), Interest::READABLE)
    }

    /// Waits until something can be sent. For when the socket was full: it is registered a second time while that lasts.
    pub(crate) async fn has_room(&self) -> io::Result<()> {
        let again = rustix::io::fcntl_dupfd_cloexec(&**self.get_ref(), 3)?;
        let _ready = Self::with_interest(Arc::new(again), Interest::WRITABLE)?.writable().await?;
        Ok(())
    }

    /// Waits until there is something to read, and reads. 0 is the end.
    ///
    /// Cancel safety: what was not returned has not been read.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.readable().await?;
            match ready.try_io(|socket| Ok(rustix::io::read(socket.get_ref(), &mut *buffer)?)) {
                Ok(Ok(bytes)) => {
                    if bytes < buffer.len() {
                        // That was all; asking once more would only be told so. What comes later is another event.
                        ready.clear_ready();
                    }
                    return Ok(bytes);
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }

    /// Sends as much as there is room for, waiting until there is some.
    ///
    /// Cancel safety: what was not returned has not been sent.
    #[cfg(feature = "daemon")]
    pub(crate) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match casemate_sys::descriptors::send_nosignal(self.get_ref().as_fd(), bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.has_room().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// Sends all of it.
    #[cfg(feature = "daemon")]
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.write(bytes).await?;
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    fn with_interest(socket: Arc<OwnedFd>, interest: Interest) -> io::Result<Self> {
        tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        #[expect(
            deprecated,
            reason = "sound for an OwnedFd, which keeps its number as long as it lives; the successor is an unsafe function"
        )]
        let socket = Arc::new(AsyncFd::with_interest(socket, interest)?);
        Ok(Self { keep: Some(Box::new(Arc::clone(&socket))), socket, host_pid: std::process::id() })
    }
}

impl Deref for Registered {
    type Target = AsyncFd<Arc<OwnedFd>>;

    fn deref(&self) -> &Self::Target {
        &self.socket
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if std::process::id() != self.host_pid
            && let Some(keep) = self.keep.take()
        {
            Box::leak(keep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_sys::process::{Fork, exit_now, fork};
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::time::Duration;

    #[test]
    fn a_forked_child_leaves_the_parents_registration_alone() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        let registered = runtime.block_on(async { Registered::new(ours) }).unwrap();
        match fork().unwrap() {
            Fork::Child => {
                drop(registered);
                exit_now(0)
            }
            Fork::Parent(child) => {
                let id = rustix::process::WaitId::PidFd(std::os::fd::AsFd::as_fd(&child));
                rustix::process::waitid(id, rustix::process::WaitIdOptions::EXITED).unwrap();
            }
        }
        rustix::io::write(&theirs, b"x").unwrap();
        let ready = runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(30), registered.readable())
                .await
                .map(|ready| ready.is_ok())
        });
        assert_eq!(ready, Ok(true), "the parent has become deaf");
    }
}
