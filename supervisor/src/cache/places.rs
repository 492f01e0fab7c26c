//! Where a cache is, and how large it may grow.

use std::path::PathBuf;

/// What a cache may grow to if nobody says otherwise: some hundred large modules, or thousands of small ones.
const BYTES_MAX: u64 = 1 << 30;

/// Where a cache is, and how large it may grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachePlaces {
    /// The directory of the entries. It is made if it is missing; it must be ours and nobody else may write to it.
    pub cache_dir: PathBuf,
    /// The directory of the secret, not within the other. It is made if it is missing; the same holds for it.
    pub state_dir: PathBuf,
    /// All entries together, in bytes.
    pub bytes_max: u64,
}

impl CachePlaces {
    /// These directories, and 1 GiB.
    pub fn new(cache_dir: impl Into<PathBuf>, state_dir: impl Into<PathBuf>) -> Self {
        Self { cache_dir: cache_dir.into(), state_dir: state_dir.into(), bytes_max: BYTES_MAX }
    }
}

/// Whether a supervisor keeps compiled code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CacheSetting {
    /// It compiles each time.
    #[default]
    Off,
    /// It does, here.
    At(CachePlaces),
}
