//! Why a daemon does not serve.

use std::path::PathBuf;

/// Why a daemon does not serve. The operator has to do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Others could put a socket of their own in its place.
    #[error(
        "the socket {path} cannot be in {folder}, where others may write: choose a folder of your own \
         (daemon.listen, --socket)"
    )]
    WorldWritable {
        /// The socket.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// Another daemon answers there.
    #[error(
        "another daemon listens at {path} already: stop it, or choose another place (daemon.listen, --socket)"
    )]
    Running {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is there.
    #[error(
        "{path} is there and is no socket: move it away, or choose another place (daemon.listen, --socket)"
    )]
    Occupied {
        /// The path.
        path: PathBuf,
    },
    /// The system refused something.
    #[error("the socket {path}: {what}: {message}")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's words.
        message: String,
    },
    /// The socket that this was started with is of no use.
    #[error("the socket of socket activation cannot be used: {message}")]
    Activation {
        /// Why.
        message: String,
    },
}
