//! Bytes in sealed memory files: what was checked is what is used.

use crate::process::stub::off_the_standard_descriptors;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, memfd_create};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
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

/// Everything in it, if it is not too long.
pub(crate) fn read(fd: &OwnedFd, bytes_max: u64) -> io::Result<Vec<u8>> {
    let size = u64::try_from(fstat(fd)?.st_size).unwrap_or(u64::MAX);
    if size > bytes_max {
        return Err(io::Error::other(format!("it has {size} bytes; {bytes_max} are the most")));
    }
    let mut file = File::from(fd.try_clone()?);
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
