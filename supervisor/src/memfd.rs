//! Bytes in sealed memory files: what was checked is what is used.

use crate::process::stub::off_the_standard_descriptors;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, memfd_create};
use rustix::io::{Errno, pread};
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// A file with these bytes that nobody can change any more, positioned at its start.
pub(crate) fn sealed(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(empty(name)?);
    file.write_all(bytes)?;
    file.seek(SeekFrom::Start(0))?;
    seal(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file.into())
}

/// How often, and how far apart, sealing is tried: the kernel answers EBUSY while anything of its own (page migration, a
/// memory monitor) holds one of the file's pages, and waits for that itself only for a moment.
const SEAL_ATTEMPTS: u32 = 50;
const SEAL_PAUSE: Duration = Duration::from_millis(5);

/// Seals a file that nobody maps.
pub(crate) fn seal(file: impl AsFd, seals: SealFlags) -> Result<(), Errno> {
    for _ in 1..SEAL_ATTEMPTS {
        match fcntl_add_seals(&file, seals) {
            Err(Errno::BUSY) => std::thread::sleep(SEAL_PAUSE),
            other => return other,
        }
    }
    fcntl_add_seals(&file, seals)
}

/// An empty file to be written to. Its pages may be mapped executable later, so it must not be sealed against that.
pub(crate) fn empty(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // Kernels before 6.3 do not know the flag, and leave out the warning that it avoids.
        Err(Errno::INVAL) => memfd_create(name, flags)?,
        other => other?,
    };
    off_the_standard_descriptors(fd)
}

/// Bytes that are moved at once.
const PIECE_BYTES: usize = 128 << 10;

/// A sealed copy of the next so many bytes of a source, which must have them.
pub(crate) fn sealed_copy(name: &str, source: &mut impl Read, bytes: u64) -> io::Result<OwnedFd> {
    let mut file = File::from(empty(name)?);
    let mut buffer = vec![0; PIECE_BYTES];
    let mut left = bytes;
    while left > 0 {
        let wanted = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        let piece = buffer.get_mut(..wanted).unwrap_or_default();
        source.read_exact(piece)?;
        file.write_all(piece)?;
        left -= u64::try_from(wanted).unwrap_or(left);
    }
    file.seek(SeekFrom::Start(0))?;
    seal(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file.into())
}

/// Goes through all of a file, wherever it is positioned.
pub(crate) fn pieces(fd: &OwnedFd, mut visit: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; PIECE_BYTES];
    let mut at = 0;
    loop {
        match pread(fd, buffer.as_mut_slice(), at) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                visit(buffer.get(..read).unwrap_or_default())?;
                at = at.saturating_add(u64::try_from(read).map_err(io::Error::other)?);
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// How many bytes it has.
pub(crate) fn size(fd: &OwnedFd) -> io::Result<u64> {
    Ok(u64::try_from(fstat(fd)?.st_size).unwrap_or(u64::MAX))
}

/// Runs something on a thread where it may block: files do, and sealing may wait. `None` if the runtime ends before that.
pub(crate) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
