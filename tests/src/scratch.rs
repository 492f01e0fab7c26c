//! A folder of a test's own.

use std::fs::{self, DirBuilder};
use std::ops::Deref;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// An empty folder that nobody else may look into; it goes when this is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes it among the machine's temporary files.
    pub fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        // A killed run of this pid may have left one.
        let name = |again| format!("casemate-test-{}-{number}-{again}", std::process::id());
        let made = (0..100)
            .map(|again| std::env::temp_dir().join(name(again)))
            .find(|path| DirBuilder::new().mode(0o700).create(path).is_ok());
        Self(made.expect("a folder among the temporary files"))
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
