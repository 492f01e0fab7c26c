//! Where the daemon listens: a socket that it makes, or one that it was started with.

use super::error::ServeError;
use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use rustix::fs::FileType;
use rustix::net::{AddressFamily, SocketType};
use std::fs::Permissions;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Read and write for its owner. Others who may connect are let in by name, so their users can open it too, below.
const MODE_OWN: u32 = 0o600;
const MODE_ALL: u32 = 0o666;

/// A socket that is listened on.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) listener: Listener,
    /// Where it is, if this made it.
    made: Option<Made>,
}

/// A socket in a folder.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Place {
    /// Its path, if this made it.
    pub(super) fn path(&self) -> Option<&Path> {
        self.made.as_ref().map(|made| made.path.as_path())
    }

    /// Makes a socket at a path. A dead one there is replaced; one that answers is another daemon's.
    ///
    /// With `for_others` every user can open it, and whom the configuration does not name is refused by the kernel's word.
    pub(super) fn make(path: &Path, for_others: bool) -> Result<Self, ServeError> {
        let failed = |what: &'static str| {
            let path = path.to_owned();
            move |error: std::io::Error| ServeError::Socket { path, what, message: error.to_string() }
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let metadata = std::fs::metadata(folder).map_err(failed("looking at its folder"))?;
        let mode = metadata.mode();
        // Whoever may write there can put a socket of his own in its place, also with the sticky bit, before we come.
        if mode & 0o022 != 0 {
            return Err(ServeError::WorldWritable { path: path.to_owned(), folder: folder.to_owned() });
        }
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(ServeError::Occupied { path: path.to_owned() });
            }
            Ok(_) => match UnixStream::connect(path) {
                // Only this says that nobody listens there any more.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path).map_err(failed("removing a dead one"))?;
                }
                _ => return Err(ServeError::Running { path: path.to_owned() }),
            },
            Err(_) => {}
        }
        let name = path.to_fs_name::<GenericFilePath>().map_err(failed("naming it"))?;
        let options = ListenerOptions::new().name(name).mode(MODE_OWN).reclaim_name(false);
        let listener = options.create_tokio().map_err(failed("listening"))?;
        // Afterwards: what a socket is made with, the umask takes from.
        open_to(path, for_others).map_err(failed("letting others open it"))?;
        let made = std::fs::symlink_metadata(path).map_err(failed("looking at it"))?;
        let made = Made { path: path.to_owned(), device: made.dev(), inode: made.ino() };
        Ok(Self { listener, made: Some(made) })
    }

    /// Takes a socket that listens already, from whoever started this process.
    pub(super) fn given(socket: OwnedFd) -> Result<Self, ServeError> {
        let wrong = |message: String| ServeError::Activation { message };
        let is_socket = rustix::fs::fstat(&socket)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket);
        if !is_socket {
            return Err(wrong("the descriptor is no socket".to_owned()));
        }
        let kind =
            rustix::net::sockopt::socket_type(socket.as_fd()).map_err(|error| wrong(error.to_string()))?;
        let domain =
            rustix::net::sockopt::socket_domain(socket.as_fd()).map_err(|error| wrong(error.to_string()))?;
        if kind != SocketType::STREAM || domain != AddressFamily::UNIX {
            return Err(wrong("the socket is no local stream socket: ListenStream= needs a path".to_owned()));
        }
        let listens = rustix::net::sockopt::socket_acceptconn(socket.as_fd());
        if !listens.map_err(|error| wrong(error.to_string()))? {
            return Err(wrong("the socket does not listen: Accept= must be no".to_owned()));
        }
        let listener = interprocess::os::unix::uds_local_socket::tokio::Listener::try_from(socket);
        let listener = listener.map_err(|error| wrong(error.to_string()))?;
        Ok(Self { listener: Listener::UdSocket(listener), made: None })
    }
}

/// Lets its user alone open a socket, or everybody.
pub(super) fn open_to(path: &Path, for_others: bool) -> std::io::Result<()> {
    let mode = if for_others { MODE_ALL } else { MODE_OWN };
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(Made { path, device, inode }) = &self.made {
            // Another daemon's may be in its place by now.
            let found = std::fs::symlink_metadata(path);
            if found.is_ok_and(|found| found.dev() == *device && found.ino() == *inode) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}
